"""One file from an index that is on this machine: JSON and HTML, wrong bytes, endless ones, nothing executed."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bigprior.package_index import fetch_file, pip_settings
from datasets.errors import SuiteError

NAME = "a_package-1.0.tar.gz"
ENDLESS = 1 << 28


class Index(ThreadingHTTPServer):
    """An index of one package; `page` and `kind` are what it says of it, `content` is its file, None for no end."""

    daemon_threads = True
    page, kind = b"", "text/html"
    content: bytes | None = b""
    sent = 0


class Handler(BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        page = self.path == "/simple/a-package/"
        self.send_response(200 if page or self.path == f"/files/{NAME}" else 404)
        self.send_header("Content-Type", self.server.kind if page else "application/gzip")
        self.end_headers()
        with contextlib.suppress(OSError):
            if page or self.server.content is not None:
                self.wfile.write(self.server.page if page else self.server.content or b"")
            while not page and self.server.content is None and self.server.sent < ENDLESS:
                self.server.sent += self.wfile.write(bytes(1 << 16))

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def sdist(tmp_path: Path) -> bytes:
    """A package that leaves a mark when any of its code runs."""
    mark = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    files = {
        "setup.py": mark,
        "backend.py": mark,
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"a_package-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


@pytest.fixture
def index(sdist: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Index]:
    server = Index(("127.0.0.1", 0), Handler)
    server.content = sdist
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    yield server
    server.shutdown()
    server.server_close()


def fetched(content: bytes) -> bytes:
    return fetch_file("a-package", NAME, hashlib.sha256(content).hexdigest(), len(content))


def html(fragment: str) -> bytes:
    return f'<!DOCTYPE html><a href="../../files/other.whl">o</a> <a HREF="/files/{NAME}{fragment}">a</a>'.encode()


@pytest.mark.parametrize("kind", ["json", "html", "html without hashes"])
def test_the_file_of_the_hash_is_fetched_and_nothing_runs(
    index: Index, sdist: bytes, tmp_path: Path, kind: str
) -> None:
    sha256 = hashlib.sha256(sdist).hexdigest()
    if kind == "json":
        files = [{"url": "x.whl", "hashes": {}}, {"url": f"../../files/{NAME}", "hashes": {"sha256": sha256}}]
        index.page, index.kind = json.dumps({"files": files}).encode(), "application/vnd.pypi.simple.v1+json"
    else:
        index.page = html(f"#sha256={sha256}" if kind == "html" else "")
    assert fetched(sdist) == sdist
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("page", "kind", "why"),
    [
        (b"", "text/html", "no such file"),
        (html(f"#sha256={64 * '0'}"), "text/html", "no such file"),
        (b'{"files": 3}', "application/json", "ValueError"),
        (b"[" * 100_000, "application/json", "ValueError"),
        (b'<a href="http://[">', "text/html", "ValueError"),
        (b"<" * (9 << 20), "text/html", "sends over"),
    ],
    ids=["empty", "other hash", "no files", "deep", "bad address", "long"],
)
def test_other_pages_are_one_line(index: Index, sdist: bytes, page: bytes, kind: str, why: str) -> None:
    index.page, index.kind = page, kind
    with pytest.raises(SuiteError, match=rf"{NAME} cannot be fetched \(127\.0\.0\.1: .*{why}.*\)$"):
        fetched(sdist)


def test_other_bytes_and_endless_ones_are_refused(index: Index, sdist: bytes) -> None:
    index.page = html("")
    index.content = sdist[:-1] + b"!"
    with pytest.raises(SuiteError, match="another sha256"):
        fetched(sdist)
    index.content = None
    with pytest.raises(SuiteError, match=f"sends over {len(sdist)} bytes"):
        fetched(sdist)
    assert index.sent < ENDLESS


def test_without_a_network_or_an_index_the_reason_is_said(
    index: Index, sdist: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:secret@127.0.0.1:1/simple")
    with pytest.raises(SuiteError, match=r"\(127\.0\.0\.1: ConnectionError\)$"):
        fetched(sdist)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(SuiteError, match="no index"):
        fetched(sdist)


def test_the_index_is_pips(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = http://a/simple\n    \ncert = /a\n[download]\nindex-url = http://b/simple\n"
    )
    for name in ("PIP_INDEX_URL", "PIP_CERT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    settings = pip_settings()
    assert settings["index-url"] == "http://b/simple"
    assert settings["cert"] == "/a"
    monkeypatch.setenv("PIP_INDEX_URL", "http://c/simple")
    assert pip_settings()["index-url"] == "http://c/simple"

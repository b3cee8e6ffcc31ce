"""Mirror, cache and download, against a server on this machine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from datasets import fetch
from datasets.errors import SuiteError
from datasets.fetch import Remote, local_path

CONTENT = bytes(range(256)) * 40
PATH = "owner-repository/folder/a.bin"
ENDLESS = 1 << 28


class Site(ThreadingHTTPServer):
    """Serves `body` at every address; `/stall` sends half of it and then nothing; `/missing` is not found; `/endless`
    goes on until nobody listens, or ENDLESS bytes were sent.
    """

    daemon_threads = True
    body = CONTENT
    requests = 0
    sent = 0
    half_sent = threading.Event()
    release = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.requests += 1
        body = self.server.body
        if self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while self.server.sent < ENDLESS:
                    self.server.sent += self.wfile.write(bytes(1 << 16))
            return
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path == "/stall":
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.server.half_sent.set()
            self.server.release.wait(30)
        else:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site(("127.0.0.1", 0), Handler)
    server.half_sent, server.release = threading.Event(), threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.release.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Site) -> Path:
    """An empty cache, no mirror, and a registry of one file that the server has."""
    monkeypatch.setenv("RESTORATION_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RESTORATION_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    register(monkeypatch, f"http://127.0.0.1:{site.server_port}/a.bin")
    return tmp_path / "cache"


def register(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    row = Remote(PATH, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), url)
    monkeypatch.setattr(fetch, "registry", lambda: {PATH: row})


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def failure(*parts: str) -> str:
    with pytest.raises(SuiteError) as caught:
        local_path(PATH, "some-set")
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
    return message


def test_downloads_once_into_the_cache(cache: Path, site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    first = local_path(PATH)
    assert first == cache / PATH
    assert first.read_bytes() == CONTENT
    assert local_path(PATH) == first
    assert site.requests == 1
    assert files(cache) == [PATH]
    assert capfd.readouterr().err == ""


def test_mirror_comes_first_and_is_never_written(
    cache: Path, tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = tmp_path / "mirror"
    (mirror / PATH).parent.mkdir(parents=True)
    monkeypatch.setenv("RESTORATION_MIRROR", str(mirror))
    assert local_path(PATH) == cache / PATH  # not in the mirror: downloaded, and not into it
    assert files(mirror) == []
    (mirror / PATH).write_bytes(CONTENT)
    assert local_path(PATH) == mirror / PATH
    assert fetch.locate(PATH) == ("mirror", mirror / PATH)
    assert site.requests == 1


@pytest.mark.parametrize(("content", "why"), [(CONTENT[:-1], "bytes instead of"), (CONTENT[:-1] + b"!", "SHA-256")])
def test_a_damaged_mirror_file_is_an_error_and_left_alone(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Site, content: bytes, why: str
) -> None:
    file = tmp_path / "mirror" / PATH
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    monkeypatch.setenv("RESTORATION_MIRROR", str(tmp_path / "mirror"))
    failure(str(file), why, "RESTORATION_MIRROR")
    with pytest.raises(SuiteError):
        local_path(PATH, repair=True)
    assert file.read_bytes() == content
    assert site.requests == 0


@pytest.mark.parametrize(("content", "why"), [(CONTENT[:-1], "bytes instead of"), (CONTENT[:-1] + b"!", "SHA-256")])
def test_a_damaged_cache_file_is_an_error_until_it_is_repaired(cache: Path, content: bytes, why: str) -> None:
    (cache / PATH).parent.mkdir(parents=True)
    (cache / PATH).write_bytes(content)
    failure(str(cache / PATH), why, "python -m datasets fetch some-set")
    assert local_path(PATH, repair=True).read_bytes() == CONTENT
    assert local_path(PATH).read_bytes() == CONTENT


def test_a_file_that_changes_after_its_first_check_is_noticed(cache: Path) -> None:
    file = local_path(PATH)
    stat = file.stat()
    file.write_bytes(CONTENT[:-1] + b"!")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))
    failure("SHA-256")


def test_wrong_bytes_from_the_server_are_not_kept(cache: Path, site: Site) -> None:
    site.body = CONTENT[:-1] + b"!"
    failure("nothing was kept", PATH, "python -m datasets fetch some-set", "RESTORATION_MIRROR")
    assert files(cache) == []


@pytest.mark.parametrize(("address", "why"), [("/missing", "HTTP 404"), (None, "ConnectionError")])
def test_no_network_tells_the_command_and_the_mirror(
    cache: Path, site: Site, monkeypatch: pytest.MonkeyPatch, address: str | None, why: str
) -> None:
    closed = "http://127.0.0.1:1/a.bin"
    register(monkeypatch, f"http://127.0.0.1:{site.server_port}{address}" if address else closed)
    failure(why, PATH, "python -m datasets fetch some-set", "RESTORATION_MIRROR")
    assert files(cache) == []


def test_a_server_that_stops_half_way_times_out(cache: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT", (1.0, 0.2))
    register(monkeypatch, f"http://127.0.0.1:{site.server_port}/stall")
    failure("cannot be downloaded")
    assert files(cache) == []


def test_a_server_that_never_ends_is_left(cache: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, f"http://127.0.0.1:{site.server_port}/endless")
    failure(f"sent over {len(CONTENT)} bytes", PATH, "python -m datasets fetch some-set", "RESTORATION_MIRROR")
    assert files(cache) == []
    assert site.sent < ENDLESS


def test_a_download_is_of_a_size_at_most(tmp_path: Path, cache: Path, site: Site) -> None:
    url = f"http://127.0.0.1:{site.server_port}/a.bin"
    fetch.download(url, tmp_path / "whole", len(CONTENT))
    assert (tmp_path / "whole").read_bytes() == CONTENT
    with pytest.raises(fetch.TooMuch):
        fetch.download(url, tmp_path / "cut", len(CONTENT) - 1)
    assert (tmp_path / "cut").stat().st_size < len(CONTENT)


def test_a_cache_that_cannot_be_written(cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    failure("cannot be written", "RESTORATION_CACHE")


def test_a_mirror_that_is_no_folder(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RESTORATION_MIRROR", str(tmp_path / "nowhere"))
    failure("RESTORATION_MIRROR", "not a folder")


def test_interrupting_leaves_nothing_partial(cache: Path, site: Site) -> None:
    """SIGINT in the middle of a body: exit status 130, one line, no file in the cache, not even a temporary one."""
    program = f"""
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from datasets import fetch
from datasets.__main__ import main
from datasets.cli import guarded
row = fetch.Remote({PATH!r}, {"0" * 64!r}, {len(CONTENT)}, "http://127.0.0.1:{site.server_port}/stall")
fetch.registry = lambda: {{{PATH!r}: row}}
sys.exit(guarded(lambda: main(["fetch", "all"])))
"""
    root = Path(__file__).parents[2]
    child = subprocess.Popen([sys.executable, "-c", program], cwd=root, stderr=subprocess.PIPE, text=True)
    assert site.half_sent.wait(30)
    while not files(cache):  # pooch has opened its temporary file
        assert child.poll() is None
    # By then it waits for the rest. A signal between Python's last look for one and that wait would wait, too.
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=30)
    assert child.returncode == 130
    assert errors.startswith("stopped:")
    assert errors.count("\n") == 1
    assert files(cache) == []


def test_registry_is_sorted_and_complete() -> None:
    rows = fetch.registry()
    assert list(rows) == sorted(rows)
    assert len(rows) == 5536
    for path, row in rows.items():
        assert row.path == path
        assert len(bytes.fromhex(row.sha256)) == 32
        assert row.bytes > 0
        owner_repository, _, inside = path.partition("/")
        owner, repository, commit = row.url.split("/")[3:6]
        assert row.url.startswith("https://")
        assert f"{owner}-{repository}" == owner_repository
        assert len(bytes.fromhex(commit)) == 20  # a fixed commit, not a branch
        assert unquote(row.url).endswith(f"{commit}/{inside}")
        assert " " not in row.url


def test_a_path_that_is_not_registered() -> None:
    with pytest.raises(SuiteError, match=r"Did you mean .*imgs/ex_ref\.png"):
        local_path("richzhang-PerceptualSimilarity/imgs/ex_reff.png")


@pytest.mark.realdata
def test_a_file_of_the_real_mirror() -> None:
    file = local_path("richzhang-PerceptualSimilarity/imgs/ex_ref.png")
    assert file.is_relative_to(os.environ["RESTORATION_MIRROR"])
    assert file.stat().st_size == fetch.registry()["richzhang-PerceptualSimilarity/imgs/ex_ref.png"].bytes

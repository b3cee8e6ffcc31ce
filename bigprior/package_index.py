"""One file of a package, from the index that pip is set up for. Its hash is known, and nothing in it is executed."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from datasets.errors import SuiteError
from datasets.fetch import cause_of

SECONDS = 300
"""The longest download; a silent server is waited for as TIMEOUT says."""
TIMEOUT = (10.0, 10.0)
"""Seconds to wait for a connection, and for the next piece of a file: no network must not hold up a run."""
PAGE = 8 << 20
"""Bytes that an index may say about one package."""
ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


def fetch_file(project: str, name: str, sha256: str, size: int) -> bytes:
    """Return a file of a package, by the simple interface of indexes (PEP 503 and 691).

    Args:
        project: name of the package, in lower case and with hyphens.
        name: of the file, for an index that tells no hashes.
        size: bytes of the file; a server that sends more is not listened to any longer.

    Raises:
        SuiteError: no index has the file, or none can be reached.
    """
    settings = pip_settings()
    if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        raise SuiteError("pip is set up to use no index")
    first = settings.get("index-url") or default_index()
    reasons = []
    for address in (first, *settings.get("extra-index-url", "").split()):
        host = urlsplit(address).hostname
        if host is None:  # a folder, in which pip looks too
            continue
        try:
            page, where, kind = _get(f"{address.rstrip('/')}/{project}/", PAGE, settings)
            url = next(
                (url for url, told in links(page, where, kind) if told == sha256 or _named(url, name, told)), None
            )
            if url is None:
                raise SuiteError("no such file")
            content = _get(url, size, settings)[0]
            if hashlib.sha256(content).hexdigest() != sha256:
                raise SuiteError("another sha256 than the pinned one")
            return content
        except (OSError, ValueError, SuiteError) as error:  # every error of requests is an OSError
            reasons.append(f"{host}: {error if isinstance(error, SuiteError) else cause_of(error)}")
    raise SuiteError(f"{name} cannot be fetched ({'; '.join(reasons)})")


def pip_settings() -> dict[str, str]:
    """Return the settings of `pip download` by their long names: environment over its section over `global`."""
    found = {
        f":env:.{key[4:].lower().replace('_', '-')}": value for key, value in os.environ.items() if key[:4] == "PIP_"
    }
    for line in _pip("config", "list").splitlines():
        key, equals, value = line.partition("=")
        if equals:
            found[key] = str(ast.literal_eval(value))
    settings: dict[str, str] = {}
    for section in ("global", "download", ":env:"):
        settings |= {key.removeprefix(f"{section}."): v for key, v in found.items() if key.startswith(f"{section}.")}
    return settings


def default_index() -> str:
    """Return the index that pip asks if it is told no other.

    Raises:
        SuiteError: there is no pip.
    """
    found = re.search(r"--index-url.*?\(default (https?://[^)\s]+)\)", _pip("download", "--help"), re.DOTALL)
    if found is None:
        raise SuiteError("there is no pip to tell the package index: set PIP_INDEX_URL to its address")
    return found[1]


def _pip(*words: str) -> str:
    """Return what pip prints, or nothing if there is no pip."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    wide = os.environ | {"COLUMNS": "999"}
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, env=wide).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _named(url: str, name: str, told: str | None) -> bool:
    return told is None and unquote(urlsplit(url).path).rpartition("/")[2] == name


def links(page: bytes, where: str, kind: str) -> Iterator[tuple[str, str | None]]:
    """Yield the files of an index's page: address, and the sha256 that the index tells, or None.

    Args:
        where: address of the page.
        kind: its content type, JSON (PEP 691) or HTML (PEP 503).

    Raises:
        ValueError: the page is neither.
    """
    if "json" in kind:
        try:
            for file in json.loads(page)["files"]:
                yield urljoin(where, file["url"]), file["hashes"].get("sha256")
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("no page of an index") from error
        return
    parser = _Anchors()
    try:
        parser.feed(page.decode(errors="replace"))
    except AssertionError as error:
        raise ValueError("no page of an index") from error
    for address in parser.addresses:
        url, fragment = urldefrag(urljoin(where, address))
        yield url, fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else None


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.addresses += [value for name, value in attributes if tag == "a" and name == "href" and value]


def _get(url: str, most: int, settings: Mapping[str, str]) -> tuple[bytes, str, str]:
    """Return what a server sends, from where in the end, and its content type.

    Raises:
        OSError: it cannot be reached, or says no.
        SuiteError: it sends over `most` bytes, or is too slow.
    """
    import requests  # slow to import, and needed only here

    options: dict[str, Any] = {"verify": settings["cert"]} if "cert" in settings else {}
    if "proxy" in settings:
        options["proxies"] = dict.fromkeys(("http", "https"), settings["proxy"])
    until = time.monotonic() + SECONDS
    content = bytearray()
    with requests.get(url, headers={"Accept": ACCEPT}, timeout=TIMEOUT, stream=True, **options) as answer:
        answer.raise_for_status()
        for piece in answer.iter_content(1 << 16):
            content += piece
            if len(content) > most:
                raise SuiteError(f"sends over {most} bytes")
            if time.monotonic() > until:
                raise SuiteError(f"takes over {SECONDS} seconds")
        return bytes(content), answer.url, answer.headers.get("Content-Type", "")

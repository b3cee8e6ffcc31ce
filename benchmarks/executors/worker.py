"""What a worker of a cluster does: compare itself with the client, carry out a trial, and hand back its pictures.

It is sent plain objects alone, pickled, which are not read before the client's settings and plug-ins are there.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pickle
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path

from benchmarks.executors.local import SETTINGS, THREAD_VARIABLES
from benchmarks.folder import provenance
from benchmarks.rows import Row
from benchmarks.trial import Bench, Outcome, Trial, describe, run_trial
from datasets.dataset import Entry
from datasets.errors import SuiteError
from datasets.fetch import cached_sha256
from datasets.files import KEPT, StorageError, write_atomically
from datasets.fingerprint import PACKAGES

HOST = socket.gethostname()
Files = Mapping[str, bytes]
"""Path below the folder of a run → content."""


def _code() -> str:
    digest = hashlib.sha256()
    for package in sorted(PACKAGES):
        for file in sorted((provenance.ROOT / package).rglob("*.py")):
            digest.update(file.relative_to(provenance.ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


CODE = _code()
"""Hash of the suite's code when this process began: a worker that has run for days computes with the code of then."""


@dataclass(frozen=True)
class Order:
    """What a worker is sent.

    Attributes:
        run: name of the run that it belongs to.
        settings: environment variables of the client; a worker's own come first.
        body: pickled arguments.
        expected: what `identity` gives on the client; empty for workers of this machine, which are not compared.
        probe: a file in the folder of the run, and its content: a worker that does not see it hands back pictures as
            bytes.
        files: what the folder has already of what the trial may add to.
    """

    run: str
    settings: Mapping[str, str]
    body: bytes
    expected: Mapping[str, str]
    probe: tuple[Path, str] | None = None
    files: Files = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What a worker says of itself.

    Attributes:
        differs: what is not as on the client, or "".
        resources: what it offers, as `{"GPU": 1}`.
    """

    host: str
    differs: str
    resources: Mapping[str, float]
    hardware: Mapping[str, object]


@dataclass(frozen=True)
class Questions:
    """What a worker is asked before work: pickled in the body of an order."""

    bench: Bench
    rows: tuple[Row, ...]
    entries: tuple[Entry, ...]


@cache
def _suite() -> dict[str, str]:
    return {f"the version of {name}": version for name, version in provenance.versions().items()}


def identity(bench: Bench, rows: Iterable[Row], entries: Iterable[Entry]) -> dict[str, str]:
    """Return what decides over numbers: versions, commit, code, files, and how the process computes, by what it is."""
    rows = tuple(rows)
    found = {"the commit": provenance.commit(), "the code": CODE, **_suite()}
    for name in THREAD_VARIABLES:
        found[name] = os.environ.get(name, "not set")
    weights = {path for row in rows for path in row.method.weights()}
    weights |= {path for measure in bench.measures for path in measure.metric.weights()}
    for path in sorted(weights):
        found[f"the weights {path.parent.name}/{path.name}"] = cached_sha256(path) if path.is_file() else "missing"
    for entry in entries:
        found[f"image {entry.name}"] = "missing" if entry.where() is None else entry.sha256()
    for row in rows:
        facts = row.facts(bench.task, bench.measures)
        found[f"the code, parameters or files of {row.label}"] = facts.fingerprint
        found |= {f"the code or files of {name}": digest for name, digest in facts.metrics.items()}
    return found


def difference(expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Return in one clause what is not as expected, or ""."""
    differs = [name for name, value in expected.items() if found.get(name) != value]
    if not differs:
        return ""
    first = differs[0]
    more = f", and {len(differs) - 1} more" if len(differs) > 1 else ""
    return f"{first} is {_short(found.get(first, 'missing'))} there, {_short(expected[first])} here{more}"


def _short(text: str) -> str:
    return text[:12] if len(text) >= 40 and text.isalnum() else text


_HELD: set[str] = set()
"""Settings of this process that are a client's."""
_VETTED: set[str] = set()
"""Runs that this process has been compared for."""
_ONE = threading.Lock()
"""One comparison at a time: Python 3.11 cannot parse two sources at once."""


def take_settings(settings: Mapping[str, str]) -> None:
    """Use a client's settings where this process has none of its own, and load the plug-ins."""
    from datasets.catalog import plugin_modules

    for name in _HELD - settings.keys():
        os.environ.pop(name, None)
        _HELD.discard(name)
    for name, value in settings.items():
        if name in _HELD or name not in os.environ:
            _HELD.add(name)
            os.environ[name] = value
    with contextlib.redirect_stderr(io.StringIO()):  # the client has named those that cannot be imported
        plugin_modules()


def settings_here() -> dict[str, str]:
    """Return the settings of this process."""
    return {name: value for name, value in os.environ.items() if name.startswith(SETTINGS)}


def vet(order: Order, threads: int, resources: Mapping[str, float]) -> Answer:
    """Compare this process with the client.

    Args:
        threads: how many trials the worker would carry out at once.
    """
    differs, hardware = "", {}
    try:
        with _ONE:
            take_settings(order.settings)
            asked: Questions = pickle.loads(order.body)
            if order.expected:
                differs = difference(order.expected, identity(asked.bench, asked.rows, asked.entries))
            else:
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the client's
        if order.expected and threads != 1:
            differs = differs or f"it has {threads} threads (--nthreads 1 is needed)"
        hardware = provenance.hardware(asked.bench.device if resources.get("GPU") else "cpu")
    except Exception as error:  # whatever a worker lacks is told, never thrown at the user
        differs = describe(error)
    if not differs:
        _VETTED.add(order.run)
    return Answer(HOST, differs, resources, hardware)


def work(order: Order) -> tuple[Outcome, Files]:
    """Carry out a trial.

    Returns:
        its outcome and, if the folder of the run is out of sight, the files that belong into it.

    Raises:
        SuiteError: the process joined after the others had been compared, and is not as they are.
    """
    with _ONE:
        take_settings(order.settings)
        bench, trial = _checked(order) if order.expected else pickle.loads(order.body)
    if not order.expected:
        return run_trial(bench, trial), {}
    sees = order.probe is None or _sees(*order.probe)
    outcome, files = (run_trial(bench, trial), {}) if sees else _apart(bench, trial, order.files)
    return replace(outcome, records=tuple(replace(record, host=HOST) for record in outcome.records)), files


def _checked(order: Order) -> tuple[Bench, Trial]:
    bench: Bench
    trial: Trial
    try:
        bench, trial = pickle.loads(order.body)
        joined = order.run not in _VETTED
        differs = difference(order.expected, identity(bench, [trial.row], trial.entries)) if joined else ""
    except Exception as error:
        differs = describe(error)
    if differs:
        raise SuiteError(refusal(HOST, differs))
    return bench, trial


@lru_cache(maxsize=1)
def _sees(path: Path, content: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == content


def refusal(host: str, differs: str) -> str:
    """Return the line about a worker that is not fit for a run."""
    return (
        f"a worker on {host} is not as this machine: {differs}. Give every worker the same commit, packages, weights "
        "and images, restart it, and run the same command again."
    )


@cache
def _place() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix=f"restoration-{HOST}-")


def _apart(bench: Bench, trial: Trial, known: Files) -> tuple[Outcome, dict[str, bytes]]:
    # Always the same for a thread: what is kept between the rows of an image goes by the bench.
    folder = Path(_place().name, str(threading.get_ident()))
    write(folder, known)
    try:
        outcome = run_trial(replace(bench, out=None if bench.out is None else folder), trial)
        made = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome, {name: data for name, data in made.items() if known.get(name) != data}


def write(folder: Path, files: Files) -> None:
    """Write files below a folder, each whole or not at all.

    Raises:
        StorageError: they cannot be written.
    """
    for name, data in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot write {path.parent}: {error.strerror}. {KEPT}") from error
        write_atomically(path, data)

"""The released φ-networks, and ours in their place: `python -m benchmarks.reliance.released OUT --task colorize`.

Writes a folder like that of a run (records, run.json, maps), which `python -m benchmarks.reliance OUT` analyses; the
images are the bedroom test images. Colorization has the released inversions as g, and our φ-networks for them beside
the released ones. The inversions of denoising and of the centre hole were not released; there g is the image of the row
`bigprior-prior`. In either case g is held fixed: what implied and declared reliance differ by is what φ takes from y
(and f, where it is more than gray).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import Tensor

from benchmarks import environment
from benchmarks.paper.released import ROWS, restorer
from benchmarks.plan import write_facts
from benchmarks.records import VERSION, Record, RecordFile
from benchmarks.reliance.measure import measure
from benchmarks.scoring import Scorer
from benchmarks.store import Store
from bigprior.fusion import Restoration
from bigprior.phi.paper_backbone import load_released, restore_released
from bigprior.phi.released import RELEASE, RELEASED_TEST, SET, inversion
from datasets import fetch
from datasets.cli import guarded
from datasets.dataset import get_dataset
from datasets.errors import SuiteError
from datasets.observation import Observation
from datasets.task import Key, Task, get_task
from methods.registry import get_method

PROTOCOL = "paper"
PARAMETERS: dict[str, dict[str, object]] = {"colorize": {}, "denoise": {"sigma": "5:50"}, "inpaint-center": {}}
NETWORKS = {"denoise": "denblind_bedroom_1", "inpaint-center": "inpcrop_bedroom_1"}
PRIOR = "bigprior-prior"
Fuse = Callable[[Observation, Tensor], Restoration]


def _rows(task: str) -> tuple[str, ...]:
    """The rows of a task that say their φ."""
    if task == "colorize":
        return tuple(row for row in ROWS if "phi" in row or row.startswith("bigprior"))
    return ("bigprior-released",)


def _fuse(task: str, row: str) -> Fuse:
    """Return the function (observation, g) → restoration of a row.

    Raises:
        SuiteError: its weights are not there.
    """
    if task == "colorize":
        return restorer(row)
    network = load_released(fetch.local_path(f"{RELEASE}/net_data/{NETWORKS[task]}/net_24.pth"))
    return lambda o, g: restore_released(network, o.y, g)


def _prior(task: str, number: int, observation: Observation) -> Tensor:
    if task == "colorize":
        return inversion(number)
    return get_method(PRIOR).restore(observation).image


def _records(task: Task, row: str, out: Path, done: RecordFile, limit: int | None) -> Iterator[Record]:
    fuse, store = _fuse(task.name, row), Store(out)
    scorer = Scorer(PROTOCOL, task.metrics[:1])
    for number, entry in list(zip(RELEASED_TEST, get_dataset(SET).entries("test"), strict=True))[:limit]:
        if done.finished((entry.name, row)) and store.has_reliance(row, entry.name):
            continue
        observation = task.degrade(entry.load(), Key(0, SET, entry.name))
        truth, given = observation.truth, observation.without_truth()
        assert truth is not None
        with torch.no_grad():
            g = _prior(task.name, number, given)
            base = fuse(given, g)
            found = measure(lambda o, g=g: fuse(o, g), given, base, truth)[0]  # type: ignore[misc]
        scores = scorer.score(scorer.prepare(truth.clean, observation.mask), base.image)
        store.save_reliance(row, entry.name, found.arrays)
        phi = base.phi
        assert phi is not None
        yield Record(
            task.name,
            SET,
            entry.name,
            row,
            sigma=float(truth.sigma) * 255 if task.name == "denoise" else None,
            phi_mean=float(phi.mean()),
            phi_outside=float(((phi < 0) | (phi > 1)).double().mean()),
            phi_implied=found.implied,
            phi_implied_se=found.standard_error,
            sure=found.sure,
            **{name: float(value) for name, value in scores.items()},  # type: ignore[arg-type]
        )


def measure_released(out: Path, task_name: str, limit: int | None = None) -> dict[str, str]:
    """Measure what is not in the folder yet; return for each row that could not be why.

    Raises:
        SuiteError: no row could be measured, or the folder holds another task.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SuiteError(f"cannot write to {out}: {error.strerror}.") from error
    task = get_task(task_name, **PARAMETERS[task_name])
    records, reasons = RecordFile(out / "records.csv").load(), {}
    if any(record.task != task_name for record in records.records.values()):
        raise SuiteError(f"{out} holds records of another task: choose another folder.")
    for row in _rows(task_name):
        try:
            for record in _records(task, row, out, records, limit):
                records.append([record])
        except SuiteError as error:
            reasons[row] = str(error)
    if not records.records:
        raise SuiteError(f"none of the released networks can be measured: {next(iter(reasons.values()))}")
    facts = {
        "version": VERSION,
        "task": task_name,
        "parameters": dict(task.parameters),
        "dataset": SET,
        "split": "test",
        "seed": 0,
        "protocol": PROTOCOL,
        "device": "cpu",
        "label": f"{task.label}, released φ-networks",
        "status": "finished",
        "metrics": list(task.metrics[:1]),
        "not_run": reasons,
        "commit": environment.commit(),
        "versions": environment.versions(),
        "hardware": environment.hardware("cpu"),
        "counts": {"images": len({image for image, _ in records.records}), "done": len(records.records)},
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_facts(out, facts)
    return reasons


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.reliance.released", description="Measure the reliance of the released φ-networks."
    )
    p.add_argument("out", type=Path, metavar="OUT", help="folder to write, or to go on in")
    p.add_argument("--task", choices=PARAMETERS, default="colorize", help="which networks (default: colorize)")
    p.add_argument("--limit", type=int, help="only the first N images")
    arguments = p.parse_args(argv)
    for row, reason in measure_released(arguments.out, arguments.task, arguments.limit).items():
        print(f"not measured: {row}: {reason}", file=sys.stderr)
    print(f"Records and maps: {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))

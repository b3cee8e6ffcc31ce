"""Score what is restored already: `python -m benchmarks score DIR`.

Of a run with --save-images: under any protocol or metrics, see `benchmarks.exchange.rescore`. With --as NAME, of a
folder of results that were made elsewhere: a run of the setting that was exported (see `benchmarks.exchange.export`),
with the results as a row.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import run
from benchmarks.exchange.rescore import rescore
from datasets.cli import guarded
from datasets.errors import SuiteError
from datasets.spec import Spec, parse


def commands(arguments: argparse.Namespace) -> list[list[str]]:
    """Return the runs that score results made elsewhere, one for each exported setting, as words of `benchmarks.run`.

    Raises:
        SuiteError: there is no observations.json, no folder with the results of a setting, or the row's name is none.
    """
    from datasets.exchange import MANIFEST, read_observations

    results = arguments.folder.resolve()
    source = results if arguments.observations is None else arguments.observations.resolve()
    several = not (source / MANIFEST).is_file()
    names = sorted(path.parent.name for path in source.glob(f"*/{MANIFEST}")) if several else [""]
    if not names:
        raise SuiteError(f"{source} has no {MANIFEST}: give the folder of the export with --observations.")
    made, more = [], [arguments.methods] if arguments.methods else []
    for name in names:
        exported = read_observations(source / name)
        if not (results / name).is_dir():
            raise SuiteError(f"{results / name} is no folder: put the results for {exported.label} there.")
        apart = (("observations", str(source / name)),) if source != results else ()
        row = Spec("folder", (("path", str(results / name)), *apart), arguments.row)
        try:
            whole = parse(str(row)) == row
        except SuiteError:
            whole = False
        if not whole:
            raise SuiteError(f"--as '{arguments.row}' cannot be the name of a row: take letters and digits.")
        options = {
            "task": exported.task_spec, "dataset": exported.dataset_spec, "split": exported.split,
            "seed": exported.seed, "limit": exported.limit, "methods": ",".join([str(row), *more]),
            "protocol": arguments.protocol,
            "metrics": arguments.metrics, "device": arguments.device,
            "out": None if arguments.out is None else arguments.out / name,
        }  # fmt: skip
        made.append([f"--{option}={value}" for option, value in options.items() if value is not None])
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    p = argparse.ArgumentParser(prog="python -m benchmarks score", description="Score what is restored already.")
    p.add_argument("folder", type=Path, help="folder of a run made with --save-images; with --as, of results that "
                   "were made elsewhere, or of several such folders named as those of the export")  # fmt: skip
    p.add_argument("--as", dest="row", metavar="NAME", help="score results made elsewhere, as a row of this name")
    p.add_argument("--methods", help="with --as: more rows to run beside it, as in nlm,own=checkpoint[file=net.pth]")
    p.add_argument("--observations", type=Path, help="with --as: folder of the export (default: that of the results)")
    p.add_argument("--out", type=Path, help="with --as: folder of the run (default: as `run` chooses it)")
    p.add_argument("--protocol", help="standard or paper (default: paper; with --as standard)")
    p.add_argument("--metrics", help="specs of metrics (default: the task's)")
    p.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    arguments = p.parse_args(argv)
    if arguments.row is not None:
        return max([run.main(words) for words in commands(arguments)])
    if (
        arguments.methods
        or arguments.observations
        or arguments.out
        or (arguments.folder / "observations.json").is_file()
    ):
        raise SuiteError("results made elsewhere are scored as a row: name it, as in --as mine.")
    return rescore(arguments.folder, arguments.protocol or "paper", arguments.device, arguments.metrics)


if __name__ == "__main__":
    sys.exit(guarded(main))

"""Compare methods on photographs without a clean original: `python -m benchmarks compare FOLDER --out DIR`.

    DIR/compare.html        the page: means, agreement, and every photograph with what was removed and with φ
    DIR/compare.csv         one line per photograph and method
    DIR/agreement.csv       root mean square difference of every two methods, in gray levels, mean over photographs
    DIR/results/…           x̂, and beside them `photograph.png`, what was restored
    DIR/removed/…, phi/…    y − x̂ (gray is 0, black and white are ∓4σ), and φ in colours

There is no score: what cannot be known without the original is not printed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.photographs.restore import AUTO, check_method, photographs_in, sigma_of
from datasets.cli import guarded
from datasets.errors import SuiteError
from datasets.files import StorageError, expanded
from datasets.spec import parse_list

if TYPE_CHECKING:
    from benchmarks.photographs.comparison import Comparison
    from benchmarks.photographs.observe import Known
    from benchmarks.rows import Row

ALL = "all"
PAGE, CELLS, AGREEMENT = "compare.html", "compare.csv", "agreement.csv"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks compare",
        description="Denoise photographs of which no clean original exists by several methods, and say what can be "
        "said: what was removed and how white it is, an estimate of the error, the reliance on the prior, and how far "
        "the methods agree.",
        epilog="The estimate of the error (SURE) holds for white Gaussian noise of the given σ. Photographs over a "
        "megapixel are compared on their centre, 512×512, unless --whole is given.",
    )
    p.add_argument("folder", type=Path, metavar="FOLDER", help="photographs; one photograph will do too")
    p.add_argument("--methods", default=ALL, help="'all', which leaves out those that take hours, or specs separated "
                   "by commas (default: all)")  # fmt: skip
    p.add_argument("--sigma", help="σ of the noise on the 0–255 scale, or auto: estimated for each photograph "
                   "(default: auto)")  # fmt: skip
    p.add_argument("--limit", type=int, help="only the first N photographs")
    p.add_argument("--whole", action="store_true", help="take large photographs whole")
    p.add_argument("--probes", type=int, default=8, help="restorations more per photograph and method, from which "
                   "reliance and error are estimated (default: 8)")  # fmt: skip
    p.add_argument("--device", default=AUTO, help="auto, cpu, cuda or cuda:N (default: auto)")
    p.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    p.add_argument("--force", action="store_true", help="write into DIR although it holds something")
    return p


def check_names(arguments: argparse.Namespace) -> float | None:
    """Say what is wrong with names and numbers, before anything heavy is imported, and return σ if it is given.

    Raises:
        SuiteError: a name that does not exist, or a number out of range.
    """
    for spec in parse_list(arguments.methods, "methods") if arguments.methods != ALL else ():
        check_method(spec.name)
    for name in ("limit", "probes"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise SuiteError(f"--{name} {value} is out of range: give 1 or more.")
    return sigma_of(arguments.sigma)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. Returns 1 if a photograph was left out, or a method failed on one."""
    arguments = parser().parse_args(argv)
    sigma = check_names(arguments)
    source, out = expanded(arguments.folder), expanded(arguments.out)
    paths = photographs_in(source) if source.is_dir() else [source]
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not arguments.force)):
        raise SuiteError(f"'{out}' is there already: choose another --out, or --force to write into a folder.")
    # Imported here: a mistyped name does not wait for torch.
    from benchmarks.executors.progress import Live
    from benchmarks.folder.provenance import resolve_device
    from benchmarks.photographs.comparison import LARGEST, SIDE, centre, compare_one
    from benchmarks.photographs.files import read_photograph
    from benchmarks.photographs.observe import Known
    from datasets.cli import console
    from datasets.task import get_task

    known = Known(get_task("denoise", sigma=f"{sigma:g}") if sigma else get_task("denoise"), sigma)
    device = resolve_device(arguments.device)
    rows, comparison = _rows(arguments.methods, known, device)
    paths, left_out = paths[: arguments.limit], 0
    with Live(len(paths) * len(rows), "compared") as live:
        for path in paths:
            try:
                photograph, part = centre(read_photograph(path), arguments.whole)
                if part:
                    comparison.notes.append(f"{path.name} has over {LARGEST / 1e6:.0f} megapixel: its centre, "
                                            f"{SIDE}×{SIDE}, is compared; --whole takes all of it.")  # fmt: skip
                compare_one(comparison, photograph, rows, known, out, device=device, probes=arguments.probes,
                            done=lambda label, name=path.name: live.count(1, f"{label} on {name}"))  # type: ignore[misc]  # fmt: skip
            except StorageError:
                raise
            except SuiteError as error:
                left_out += 1
                comparison.notes.append(f"Left out: {error}")
                print(f"left out: {error}", file=sys.stderr)
    if left_out == len(paths):
        raise SuiteError("no photograph could be compared: see above.")
    _write(comparison, out)
    from benchmarks.photographs.page import terminal

    console().print(terminal(comparison))
    failures = [cell for cell in comparison.cells if cell.failure]
    for label in dict.fromkeys(cell.method for cell in failures):
        mine = [cell.failure for cell in failures if cell.method == label]
        print(f"{label} failed on {len(mine)} of {len(comparison.said)}: {mine[0]}", file=sys.stderr)
    print(f"Page: {out / PAGE}")
    return 1 if left_out or failures else 0


def _rows(methods: str, known: Known, device: str) -> tuple[list[Row], Comparison]:
    """Return the rows that are compared, and a comparison that says which of all are not."""
    from benchmarks.photographs.comparison import Comparison
    from benchmarks.photographs.restoring import honest_row
    from benchmarks.rows import select

    rows, reasons = select(known.task, methods, device)
    if methods == ALL:
        rows = [row for row in rows if not row.oracle]
    else:
        for spec in parse_list(methods, "methods"):
            honest_row(str(spec), known.task)
    notes = [f"{label} is not compared: {reason}." for label, reason in reasons.items()]
    return rows, Comparison([row.label for row in rows], notes=notes)


def _write(comparison: Comparison, out: Path) -> None:
    import pandas as pd

    from benchmarks.photographs.page import build
    from benchmarks.tables.escape import comma_separated
    from datasets.files import write_atomically

    write_atomically(out / CELLS, comma_separated(comparison.table(), "%.6g").encode())
    agreement = pd.DataFrame(comparison.agreement(), columns=comparison.methods)
    agreement.insert(0, "method", comparison.methods)
    write_atomically(out / AGREEMENT, comma_separated(agreement, "%.4f").encode())
    write_atomically(out / PAGE, build(comparison).encode(errors="replace"))


if __name__ == "__main__":
    sys.exit(guarded(main))

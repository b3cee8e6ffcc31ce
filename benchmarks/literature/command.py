"""The command `python -m benchmarks paper --table denoising|sr|deblur|jpeg`, once its line has been read."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from benchmarks.literature import report
from benchmarks.literature.cells import cells
from benchmarks.literature.tables import TABLES
from benchmarks.literature.verdicts import FAILS, Runs, judge
from benchmarks.regenerate import RESULTS
from datasets.errors import SuiteError
from datasets.files import StorageError, write_atomically

COMMITTED = RESULTS / "literature"
OUT = Path("results") / "runs" / "literature"
FOREIGN = {"methods": None, "device": "cpu", "no_draws": False, "analyses": False}
"""Options of the BIGPrior paper's tables, with the values that they have if they are not given."""


def carry_out(arguments: Namespace) -> int:
    """Compare a table with the committed runs, write it, and return 1 if a verdict is asked for and a cell fails.

    Raises:
        SuiteError: an option is not one of these tables, or the figures or the runs are not there.
    """
    for name, usual in FOREIGN.items():
        if getattr(arguments, name) != usual:
            said = name.replace("_", "-")
            raise SuiteError(f"--{said} belongs to the BIGPrior paper's tables: these only read what is committed.")
    table = TABLES[arguments.table]
    results = RESULTS if arguments.inputs is None else arguments.inputs
    if not results.is_dir():
        raise SuiteError(f"--inputs {results} is not there: give the folder results of a clone.")
    runs = Runs(results)
    verdicts = [judge(cell, runs) for cell in cells(table)]
    out = COMMITTED if arguments.write_committed else OUT if arguments.out is None else arguments.out
    try:
        out.mkdir(parents=True, exist_ok=True)
        csv = report.frame(verdicts).to_csv(index=False, float_format="%.6g")
        write_atomically(out / f"{table.name}.csv", csv.encode())
        write_atomically(out / f"{table.name}.md", report.markdown(table, verdicts).encode())
    except OSError as error:
        raise StorageError(f"cannot write to {out}: {error.strerror}.") from error
    print(out / f"{table.name}.md")
    if not arguments.verify:
        return 0
    for line in (*report.lines(verdicts), "", *report.tally(table, verdicts)):
        print(line)
    return int(any(verdict.word == FAILS for verdict in verdicts))

"""The paper's tables again: `python -m benchmarks.paper --table all [--verify]`; and those of the field, by name.

What is stored is read; what is missing is run first (hours from nothing on two cores, and it can be killed and
resumed). `--stored` runs nothing, and nor do the tables of the field: they are compared with the committed runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.literature.tables import TABLES as OF_THE_FIELD
from benchmarks.paper.experiments import TABLES
from benchmarks.paper.options import add_places
from datasets.cli import guarded


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.paper",
        description="Make the BIGPrior paper's tables again, each cell with its origin, and check them; or say of "
        "every cell of the field's tables what the committed runs make of it.",
    )
    p.add_argument("--table", choices=[*TABLES, "all", *OF_THE_FIELD], default="all", help="which table (default: all, "
                   f"which are the paper's; {', '.join(OF_THE_FIELD)} are the field's)")  # fmt: skip
    which = "'all', or specs: what to run if it is missing; {set} in a name stands for bedroom, church or conference, "
    p.add_argument("--methods", help=which + "as in mgan-{set} (default: the rows of the committed runs)")
    p.add_argument("--device", default="cpu", help="cpu or cuda; GPU runs are kept apart, in cuda/ (default: cpu)")
    p.add_argument("--stored", action="store_true", help="run nothing: tabulate what is stored")
    p.add_argument("--no-draws", action="store_true", help="do not run the other four draws of noise and masks")
    p.add_argument("--verify", action="store_true", help="print the verdict of every cell; the status is 1 if one "
                   "fails")  # fmt: skip
    p.add_argument("--analyses", action="store_true", help="also draw the analyses of φ")
    add_places(p)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    given = list(sys.argv[1:] if argv is None else argv)
    arguments = parser().parse_args(given)
    if arguments.table in OF_THE_FIELD:
        from benchmarks.literature.command import carry_out as compare

        return compare(arguments)
    from benchmarks.paper.command import carry_out  # only now: it takes seconds to load

    return carry_out(arguments, given)


if __name__ == "__main__":
    sys.exit(guarded(main))

"""Make the committed results again: `python -m benchmarks.regenerate [NAME ...]`, then the README's block from them.

Every folder `results/NAME/` is an ordinary run; what is there already is not measured again. `--tables` only rewrites
tables, figures and the README's block from the records that are there, `--readme` the block alone, so no number in them
is typed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.environment import ROOT
from benchmarks.outputs import write_reports
from benchmarks.pairs import undecided
from benchmarks.plan import read_run
from benchmarks.records import RecordFile
from benchmarks.run import parser
from benchmarks.session import run
from benchmarks.summary import BEST, TIED, Summary, summarise, to_markdown
from datasets.cli import guarded
from datasets.errors import SuiteError, unknown
from datasets.files import write_atomically

# Slow rows are left out of the larger sets; they are in the tables of the smaller ones.
QUICK = "noisy,local-wiener,fourier-wiener,tikhonov,tv,bilateral,nlm,wavelet,collaborative-wiener,bm3d"
NETWORKS = "ffdnet-color,unet-blind,unet-sigma,unet-blind-250,bigprior"
# On the blind test of the paper BM3D is told σ, which is more than the others know.
BLIND = f"noisy,nlm,collaborative-wiener,bm3d@true-sigma,{NETWORKS},bigprior-prior,compact-prior"
LSUN = ("lsun-bedroom", "lsun-church", "lsun-conference")
RUNS = {
    "denoise-photos": "--task denoise",
    "denoise-blind-photos": "--task denoise --sigma 5:50",
    "inpaint-center-photos": "--task inpaint-center",
    "inpaint-random-photos": "--task inpaint-random",
    "colorize-photos": "--task colorize",
    "denoise-set12-15": f"--task denoise --dataset set12 --sigma 15 --methods {QUICK},{NETWORKS}",
    "denoise-set12-25": "--task denoise --dataset set12 --sigma 25",
    "denoise-set12-50": f"--task denoise --dataset set12 --sigma 50 --methods {QUICK},{NETWORKS}",
    "denoise-bsd68-25": f"--task denoise --dataset bsd68 --sigma 25 --methods {QUICK},dncnn-gray-25,{NETWORKS}",
    "denoise-cbsd68-15": f"--task denoise --dataset cbsd68 --sigma 15 --methods noisy,{NETWORKS}",
    "denoise-cbsd68-25": f"--task denoise --dataset cbsd68 --sigma 25 --methods {QUICK},{NETWORKS}",
    "denoise-cbsd68-50": f"--task denoise --dataset cbsd68 --sigma 50 --methods noisy,{NETWORKS}",
    **{
        f"denoise-blind-{s}": f"--task denoise --sigma 5:50 --dataset {s} --protocol paper --methods {BLIND}"
        for s in LSUN
    },
    **{f"inpaint-center-{s}": f"--task inpaint-center --dataset {s} --protocol paper" for s in LSUN},
    **{f"inpaint-random-{s}": f"--task inpaint-random --dataset {s} --protocol paper" for s in LSUN},
    **{f"colorize-{s}": f"--task colorize --dataset {s} --protocol paper" for s in LSUN},
}
"""Name of the folder in `results/` → arguments of `python -m benchmarks.run`."""
MAIN = "denoise-photos"
BEGIN, END = "<!-- results: python -m benchmarks.regenerate --readme -->", "<!-- end of results -->"


def folder(name: str) -> Path:
    """Where a committed run is."""
    return ROOT / "results" / name


def make(name: str) -> None:
    """Do what is missing of a committed run."""
    os.chdir(ROOT)  # so that run.json holds a path that means the same in every clone
    run(parser().parse_args([*RUNS[name].split(), "--out", f"results/{name}"]))


def read(name: str) -> Summary:
    """Summarise the stored records of a committed run.

    Raises:
        SuiteError: it has not been made.
    """
    path = folder(name)
    if not (path / "run.json").exists():
        raise SuiteError(f"results/{name} is not there: python -m benchmarks.regenerate {name}")
    return summarise(RecordFile(path / "records.csv").load().frame(), read_run(path))


def tabulate(name: str) -> None:
    """Rewrite the tables and figures of a committed run from its records; nothing is restored.

    Raises:
        SuiteError: it has not been made.
    """
    path = folder(name)
    write_reports(path, RecordFile(path / "records.csv").load().frame(), read_run(path))


def _overview(names: Sequence[str]) -> list[str]:
    """One line per run: the best honest row, and those not significantly worse."""
    lines = ["| run | images | best | score | not significantly worse |", "| --- | ---: | --- | ---: | --- |"]
    for name in names:
        summary = read(name)
        first = summary.metrics[0]
        marks = summary.table[f"{first.name}_mark"]
        best = summary.table[marks == BEST]
        if best.empty:
            continue
        row = best.iloc[0]
        low, high = row[f"{first.name}_low"], row[f"{first.name}_high"]
        score = f"{first.title} {row[first.name]:.{first.decimals}f} {first.unit}".rstrip()
        interval = f"[{low:.{first.decimals}f}, {high:.{first.decimals}f}]"
        tied = undecided(summary.pairs, first.name) or ", ".join(summary.table.method[marks == TIED])
        lines.append(
            f"| [{name}](results/{name}/summary.md) | {row.images} | {row.method} | {score} {interval} | {tied} |"
        )
    return lines


def readme_block() -> str:
    """The README's results: the main table and one line per committed run."""
    heading, _, table = to_markdown(read(MAIN)).partition("\n\n")
    there = [name for name in RUNS if (folder(name) / "run.json").exists()]
    overview = "\n".join(_overview(there))
    title = f"**{heading.lstrip('# ')}**"
    facts = read_run(folder(MAIN))
    machine = facts["hardware"]
    origin = f"Measured at commit {facts['commit'][:10]} on {machine['cores']} cores ({machine['processor']})."
    every = "All committed runs, each with its table:"
    return "\n\n".join([BEGIN, title, table.rstrip("\n"), origin, every, overview, END])


def rewrite_readme(path: Path = ROOT / "README.md") -> None:
    """Put the block into the README.

    Raises:
        SuiteError: the README has lost the block's marks.
    """
    text = path.read_text()
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise SuiteError(f"{path} has no block between '{BEGIN}' and '{END}'.")
    write_atomically(path, (head + readme_block() + tail).encode())


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.regenerate", description=(__doc__ or "").split("\n")[0])
    p.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(RUNS)} (default: all)")
    p.add_argument("--tables", action="store_true", help="only rewrite tables, figures and the README's block")
    p.add_argument("--readme", action="store_true", help="only rewrite the README's block from what is there")
    arguments = p.parse_args(argv)
    there = [name for name in RUNS if (folder(name) / "run.json").exists()]
    names = arguments.names or (there if arguments.tables else RUNS)
    for name in [] if arguments.readme else names:
        if name not in RUNS:
            raise unknown("committed run", name, RUNS)
        tabulate(name) if arguments.tables else make(name)
    rewrite_readme()
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))

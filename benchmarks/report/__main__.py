"""The report's command: `python -m benchmarks report DIR [DIR ...]`, and `--site DIR` for a site of many runs."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from datasets.cli import guarded
from datasets.errors import SuiteError
from datasets.files import write_atomically


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.report",
        description="Write one HTML file, to be opened without a network, about one run or several that compare.",
        epilog="Pictures come from the run's folder: run with --save-images to have those of every image.",
    )
    p.add_argument(
        "folders", nargs="*", type=Path, metavar="DIR", help="folder of a run (--site: default all committed)"
    )
    p.add_argument("--out", type=Path, help="file to write (default: DIR/report.html; of several: ./report.html)")
    p.add_argument("--site", type=Path, metavar="DIR", help="write static pages of all the runs into this new folder")
    p.add_argument(
        "--max-mb",
        type=float,
        default=15.0,
        help="size that the file, or the pictures of a site, may take, MB (default: 15)",
    )
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. Returns 1 if a folder had to be left out."""
    began = time.monotonic()
    options = parser()
    arguments = options.parse_args(argv)
    if not arguments.folders and arguments.site is None:
        options.error("give the folder of a run, or --site DIR for pages of all committed results")
    if arguments.site is not None and arguments.out is not None:
        options.error("--out names one file and --site a folder of pages: give one of them")
    if not arguments.max_mb > 0:
        raise SuiteError(f"--max-mb {arguments.max_mb} is out of range: give more than 0.")
    if arguments.site is not None:
        return _site(arguments, began)
    # Imported here: a question for --help does not wait for torch.
    from benchmarks.report.merge import merge
    from benchmarks.report.page import build, to_bytes
    from benchmarks.report.sources import read_sources

    runs, missing = read_sources(arguments.folders)
    out = arguments.out or (Path("report.html") if len(runs) > 1 else runs[0].path / "report.html")
    if out.is_symlink():
        raise SuiteError(f"{out} is a link and is not written through: remove it, or choose another --out.")
    for reason in missing:
        print(f"warning: {reason}", file=sys.stderr)
    page = to_bytes(build(merge(runs), missing, arguments.max_mb * 1e6))
    write_atomically(out, page)
    print(f"Report: {out} ({len(page) / 1e6:.1f} MB, {time.monotonic() - began:.1f} s)")
    return 1 if missing else 0


def _site(arguments: argparse.Namespace, began: float) -> int:
    from benchmarks.regenerate import committed, there
    from benchmarks.report.site import write_site
    from benchmarks.report.sources import read_sources

    folders = arguments.folders or [committed(folder) for folder in there()]
    if not folders:
        raise SuiteError("there are no committed results here: give the folders of runs.")
    runs, missing = read_sources(folders)
    for reason in missing:
        print(f"warning: {reason}", file=sys.stderr)
    pages, size = write_site(runs, arguments.site, len(missing), arguments.max_mb * 1e6)
    start = arguments.site / "index.html"
    print(f"Site: {start} ({pages} pages, {size / 1e6:.1f} MB, {time.monotonic() - began:.1f} s)")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(guarded(main))

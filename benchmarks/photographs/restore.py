"""Restore a photograph, or a folder of them: `python -m benchmarks restore IN OUT --method M`.

Nothing is degraded and nothing is scored: the photograph is the observation, and its original is not known.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datasets.catalog import METHODS, TASKS
from datasets.cli import guarded
from datasets.errors import SuiteError, unknown
from datasets.files import StorageError, expanded
from datasets.spec import parse_list

if TYPE_CHECKING:
    from benchmarks.photographs.observe import Known
    from benchmarks.rows import Row

AUTO = "auto"
LARGEST_SIGMA = 255.0
MAP = ".png"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks restore",
        description="Restore a photograph, or all photographs of a folder. EXIF, colour profile, transparency and "
        "bit depth are kept.",
        epilog="Photographs over 768×768 pixels are restored in overlapping tiles; a method that looks at the whole "
        "image sees one tile at a time. Methods: python -m methods list.",
    )
    p.add_argument("source", type=Path, metavar="IN", help="photograph (PNG, JPEG, TIFF, WebP, BMP), or a folder")
    p.add_argument("out", type=Path, metavar="OUT", help="file to write, its ending chooses the format, or a folder")
    p.add_argument("--method", required=True, help="spec of a method: nlm, or nlm[search=15]")
    p.add_argument("--task", help="denoise, inpaint-center (any inpainting task: the holes are those of --mask) or "
                   "colorize (default: denoise; with --mask inpainting)")  # fmt: skip
    p.add_argument("--sigma", default=None, help="denoise: σ of the noise on the 0–255 scale, or auto: estimated once "
                   "from each photograph, as white Gaussian noise (default: auto)")  # fmt: skip
    p.add_argument("--mask", type=Path, metavar="M.png", help="white where the photograph is to be filled, of its size "
                   "and the way up that it is seen")  # fmt: skip
    p.add_argument("--phi", type=Path, metavar="PHI.png", help="write φ too, the share of prior in every pixel, as "
                   "gray levels: 0 is φ = 0, all data; 255 is φ = 1, all prior (of a folder: a folder)")  # fmt: skip
    p.add_argument("--explain", type=Path, metavar="PIC.png", help="draw f, φ, g and the result side by side (of a "
                   "folder: a folder)")  # fmt: skip
    p.add_argument("--device", default=AUTO, help="auto, cpu, cuda or cuda:N (default: auto)")
    p.add_argument("--force", action="store_true", help="overwrite files that are there, but never IN")
    return p


@dataclass(frozen=True)
class Job:
    """A photograph and the files to be made of it."""

    source: Path
    out: Path
    phi: Path | None = None
    explain: Path | None = None

    @property
    def targets(self) -> tuple[Path, ...]:
        """The files to be made."""
        return tuple(path for path in (self.out, self.phi, self.explain) if path is not None)


def check_names(arguments: argparse.Namespace) -> float | None:
    """Say what is wrong with names and numbers, before anything heavy is imported, and return σ if it is given.

    Raises:
        SuiteError: a name that does not exist, a number out of range, or options that do not go together.
    """
    specs = parse_list(arguments.method, "methods")
    if len(specs) != 1:
        raise SuiteError(f"--method takes one method, and '{arguments.method}' names {len(specs)}.")
    check_method(specs[0].name)
    if arguments.task is not None and arguments.task not in TASKS.names():
        raise unknown("task", arguments.task, TASKS.names())
    return sigma_of(arguments.sigma)


def check_method(name: str) -> None:
    """Raise SuiteError, with near names, if there is no method of a name."""
    if name not in METHODS.names():
        raise unknown("method", name, METHODS.names())


def sigma_of(text: str | None) -> float | None:
    """Return σ on the 0–255 scale, or None if it is to be estimated.

    Raises:
        SuiteError: it is neither `auto` nor a number in range.
    """
    if text is None or text == AUTO:
        return None
    try:
        sigma = float(text)
    except ValueError:
        sigma = -1.0
    if not 0 < sigma <= LARGEST_SIGMA:
        raise SuiteError(f"--sigma '{text}' is out of range: give auto, or a number above 0 and up to 255.")
    return sigma


def photographs_in(folder: Path) -> list[Path]:
    """Return the photographs of a folder, by their endings, sorted by name.

    Raises:
        SuiteError: there are none.
    """
    from benchmarks.photographs.files import PICTURES

    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES and not p.name.startswith("."))
    if not found:
        raise SuiteError(f"folder '{folder}' holds no photograph: {', '.join(PICTURES)} are read.")
    return found


def jobs(arguments: argparse.Namespace) -> list[Job]:
    """Return what is to be made of what.

    Raises:
        SuiteError: files would be overwritten, or two results would have one name.
    """
    source, out = expanded(arguments.source), expanded(arguments.out)
    phi, figure = (None if path is None else expanded(path) for path in (arguments.phi, arguments.explain))
    if source.is_dir():
        made = [
            Job(p, out / p.name, *(None if f is None else f / f"{p.stem}{MAP}" for f in (phi, figure)))
            for p in photographs_in(source)
        ]
    else:
        for path in (phi, figure):
            if path is not None and path.suffix.lower() != MAP:
                raise SuiteError(f"'{path}' is written as PNG: let its name end in {MAP}.")
        made = [Job(source, out / source.name if out.is_dir() else out, phi, figure)]
    _check_targets(made, None if arguments.mask is None else expanded(arguments.mask), arguments.force)
    return made


def _check_targets(made: Sequence[Job], mask: Path | None, force: bool) -> None:
    given = {job.source.resolve() for job in made} | ({mask.resolve()} if mask is not None else set())
    seen: set[Path] = set()
    for target in (target for job in made for target in job.targets):
        place = target.resolve()
        if place in given:
            raise SuiteError(f"'{target}' would overwrite what is read: give another name.")
        if place in seen:
            raise SuiteError(f"'{target}' would be written twice: give OUT, --phi and --explain names of their own.")
        if target.exists() and not force:
            raise SuiteError(f"'{target}' is there already: give another name, or --force to overwrite it.")
        seen.add(place)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. Returns 1 if a photograph of a folder had to be left out."""
    arguments = parser().parse_args(argv)
    sigma = check_names(arguments)
    made = jobs(arguments)
    # Imported here: a mistyped name does not wait for torch.
    from benchmarks.executors.progress import Live
    from benchmarks.folder.provenance import resolve_device
    from benchmarks.photographs.restoring import honest_row

    known = _known(arguments, sigma)
    row = honest_row(arguments.method, known.task)
    if not row.method.decoupled and (arguments.phi or arguments.explain):
        raise SuiteError(f"method '{row.label}' does not tell its φ: leave --phi and --explain out, or name another.")
    device = resolve_device(arguments.device)
    folder = expanded(arguments.source).is_dir()
    _make_folders(made, folder)
    tiles = skipped = 0
    with Live(len(made), "photographs") if folder else nullcontext() as live:
        for job in made:
            try:
                tiles = max(tiles, _carry_out(job, row, known, device, alone=not folder))
            except StorageError:
                raise
            except SuiteError as error:
                if not folder:
                    raise
                skipped += 1
                print(f"left out: {error}", file=sys.stderr)
            if live is not None:
                live.count(1, job.source.name)
    if tiles > 1:
        print("note: restored in tiles; a method that looks at the whole image saw one of them at a time.")
    if skipped:
        print(f"{len(made) - skipped} of {len(made)} photographs restored, {skipped} left out.", file=sys.stderr)
    return 1 if skipped else 0


def _known(arguments: argparse.Namespace, sigma: float | None) -> Known:
    """Return what is known beside the photographs, if the options go together."""
    from benchmarks.photographs.observe import Known
    from datasets.task import DENOISING, INPAINTING, get_task

    masked = arguments.mask is not None
    task = get_task(arguments.task or ("inpaint-center" if masked else "denoise"))
    if masked and task.problem != INPAINTING:
        raise SuiteError(f"--mask belongs to inpainting, and --task {task.name} fills no holes: leave one of them out.")
    if arguments.sigma is not None and task.problem != DENOISING:
        raise SuiteError(f"--sigma belongs to denoising, and {task.name} takes what is seen as it is: leave it out.")
    return Known(task, sigma, expanded(arguments.mask) if masked else None)


def _make_folders(made: Sequence[Job], folder: bool) -> None:
    for parent in dict.fromkeys(target.parent for job in made for target in job.targets):
        if folder:
            parent.mkdir(parents=True, exist_ok=True)
        elif not parent.is_dir():
            raise SuiteError(f"folder '{parent}' does not exist: make it first, or choose another.")


def _carry_out(job: Job, row: Row, known: Known, device: str, alone: bool) -> int:
    """Make the files of a job, say so in a line, and return the number of tiles; if it is alone, count them."""
    from benchmarks.folder.pictures import to_png
    from benchmarks.photographs.files import read_photograph
    from benchmarks.photographs.observe import observe
    from benchmarks.photographs.restoring import restored
    from benchmarks.photographs.tiles import grid
    from benchmarks.photographs.writing import check_writable, write_photograph
    from datasets.files import write_atomically

    began = time.monotonic()
    photograph = read_photograph(job.source)
    check_writable(photograph, job.out)
    observed = observe(photograph, known)
    reason = row.supports(observed.task)
    if reason is not None:
        raise SuiteError(f"method '{row.label}' cannot restore '{job.source}': {reason}.")
    tiles = len(grid(observed.observation))
    with _counted(tiles if alone else 1, job.source.name) as done:
        parts = restored(row, observed.observation, device, phi=bool(job.phi or job.explain),
                         prior=bool(job.explain), done=done)  # fmt: skip
    if parts.phi is None and (job.phi or job.explain):
        raise SuiteError(f"method '{row.label}' has its φ elsewhere than in pixels: leave --phi and --explain out.")
    write_photograph(job.out, photograph, parts.image[0])
    if job.phi is not None and parts.phi is not None:
        write_atomically(job.phi, to_png(parts.phi[0]))
    if job.explain is not None:
        from benchmarks.photographs.explain import explain

        title = f"{job.source.name}: {row.label}, {observed.said}"
        explain(job.explain, title, photograph.pixels, observed.observation, parts)
    print(f"{job.out}: {row.label}, {observed.said}, {time.monotonic() - began:.1f} s")
    if observed.doubt:
        print(f"warning: {job.source}: {observed.doubt}.", file=sys.stderr)
    return tiles


@contextmanager
def _counted(tiles: int, name: str) -> Iterator[Callable[[], object]]:
    """Give what is to be called after each tile of a photograph."""
    from benchmarks.executors.progress import Live

    if tiles == 1:
        yield lambda: None
        return
    with Live(tiles, "tiles") as live:
        yield lambda: live.count(1, name)


if __name__ == "__main__":
    sys.exit(guarded(main))

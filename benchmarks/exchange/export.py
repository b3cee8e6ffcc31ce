"""Write observations to files, to be restored elsewhere: `python -m benchmarks export --task denoise --out FOLDER`.

    FOLDER/npy/<image>.npy          y as float32, (H,W) or (H,W,3), not clipped
    FOLDER/mat/<image>.mat          y, mask and sigma for MATLAB
    FOLDER/png/<image>.png          y to look at, clipped to [0,1] and rounded to 16 bit
    FOLDER/mask/<image>.npy, .png   where there are holes: 1 observed, 0 hole
    FOLDER/observations.json        the setting, and what belongs to which image (see `datasets.exchange`)

The clean images are never written. A folder appears whole or not at all.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import run
from datasets.cli import guarded
from datasets.errors import SuiteError

if TYPE_CHECKING:
    from benchmarks.plan import Request
    from datasets.dataset import Entry
    from datasets.exchange import Exported, Observations

ENDINGS = re.compile(r"\.(g|draw\d+)$")
"""Endings of names that files of results have, beside those that `file_name` knows."""


def export(request: Request) -> int:
    """Write the observations of a setting into `request.out`. What is there already and the same stays as it is.

    Returns:
        0; 1 if images cannot be read (they are named, and left out).

    Raises:
        SuiteError: the folder holds something else, or it cannot be written.
    """
    # Imported here: a mistyped name does not wait for torch.
    from benchmarks.executors.clock import limit_threads
    from benchmarks.executors.progress import Live
    from benchmarks.folder.images import images_of
    from datasets.exchange import MANIFEST, Observations
    from datasets.files import PARTIAL, StorageError
    from datasets.spec import canonical

    limit_threads()
    task, dataset, out = request.task, request.dataset, request.out
    old = _earlier(out)
    new = Observations(task.label, canonical(task.name, task), dataset.label, canonical(dataset.name, dataset),
                       request.split, request.seed, request.limit, ())  # fmt: skip
    if old is not None and replace(old, images=()) != new:
        raise _other(out, old)
    entries, _, hashes, unread = images_of(task, dataset, request.split, request.limit, request.strict)
    made = out.with_name(f".{out.name}-{os.getpid()}{PARTIAL}")
    try:
        for kind in ("npy", "mat", "png", "mask"):
            (made / kind).mkdir(parents=True)
        images: list[Exported] = []
        with Live(len(entries), "exported") as live:
            for entry in entries:
                result = _result(entry.name, [image.result for image in images])
                images.append(_write(made, request, entry, result, hashes[entry.name]))
                live.count(1, entry.name)
        new = replace(new, images=tuple(images))
        if old is None:
            (made / MANIFEST).write_bytes(new.to_json())
            if not any((made / "mask").iterdir()):
                (made / "mask").rmdir()
            if out.exists():
                out.rmdir()
            made.rename(out)
        elif old != new:
            raise _other(out, old)
        elif lost := [file for image in old.images for file in image.files.values() if not (out / file).is_file()]:
            raise SuiteError(f"{out} has lost files, such as {lost[0]}: remove it and export again.")
    except OSError as error:
        raise StorageError(f"cannot write {out}: {error.strerror}. Nothing was exported.") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    _say(new, out, list(unread.values()))
    return 1 if unread else 0


def _earlier(out: Path) -> Observations | None:
    """Return what an earlier export wrote, or None if there is nothing.

    Raises:
        SuiteError: there is something else.
    """
    from datasets.exchange import MANIFEST, read_observations

    if out.is_dir() and not any(out.iterdir()):
        return None
    if out.is_dir() and (out / MANIFEST).is_file():
        return read_observations(out)
    if out.exists() or out.is_symlink():
        raise SuiteError(f"{out} holds something else: choose another --out, or remove it.")
    return None


def _other(out: Path, old: Observations) -> SuiteError:
    limit = "" if old.limit is None else f", --limit {old.limit}"
    return SuiteError(f"{out} holds other observations ({old.label}{limit}): choose another --out, or remove it.")


def _result(name: str, taken: Sequence[str]) -> str:
    """Return the name of an image's files, which differs from the others in more than capitals."""
    from benchmarks.folder.pictures import file_name

    result = ENDINGS.sub(r"%2E\1", file_name(name))
    if result.casefold() in map(str.casefold, taken):  # on many disks a and A are one file
        result += f"-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return result


def _write(folder: Path, request: Request, entry: Entry, result: str, clean_sha256: str) -> Exported:
    """Write the files of one image."""
    import cv2
    import numpy as np
    import scipy.io

    from benchmarks.folder.pictures import to_png
    from datasets.exchange import Exported, digests, holes, stored
    from datasets.task import Key

    observation = request.task.degrade(entry.load(), Key(request.seed, request.dataset.label, entry.name))
    y, mask = stored(observation.y[0]), holes(observation)
    sigma = None if observation.sigma is None else round(float(observation.sigma[0]) * 255, 4)
    files = {kind: f"{kind}/{result}.{kind}" for kind in ("npy", "mat", "png")}
    np.save(folder / files["npy"], y)
    told = np.zeros((0, 0)) if sigma is None else sigma
    scipy.io.savemat(folder / files["mat"], {"y": y, "mask": stored(observation.mask[0]), "sigma": told})
    deep = (y.clip(0, 1) * 65535).round().astype(np.uint16)
    (folder / files["png"]).write_bytes(cv2.imencode(".png", deep[..., ::-1] if deep.ndim == 3 else deep)[1].tobytes())
    if mask is not None:
        files["mask"] = f"mask/{result}.npy"
        np.save(folder / files["mask"], stored(mask))
        (folder / "mask" / f"{result}.png").write_bytes(to_png(mask))
    return Exported(entry.name, result, files, *digests(observation), y.shape, sigma, clean_sha256)


def _say(made: Observations, out: Path, unread: Sequence[str]) -> None:
    for reason in unread:
        print(f"  left out: {reason}", file=sys.stderr)
    print(f"{made.label}: {len(made.images)} images are in {out}")
    print("  npy: y as float32; mat: y, mask and sigma; png: to look at alone, clipped to [0,1] and rounded to 16 bit")
    print(f"  Save each restoration under its image's file name in a folder of its own, say RESULTS ({made.example}), "
          f"then: python -m benchmarks score RESULTS --as mine --observations {out}")  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks export",
        description="Write the observations of a task and a set of images to files, to be restored elsewhere.",
    )
    run.add_setting(p)
    p.add_argument("--out", type=Path, required=True, help="folder to write, or folder of folders if several settings "
                   "are asked for; one that holds something else is refused")  # fmt: skip
    asked = p.parse_args(argv)
    # The other options of a run have their defaults.
    arguments = run.parser().parse_args(["--task", asked.task, "--device", "cpu"], asked)
    run.check_names(arguments)
    from benchmarks.session import requests

    return max(export(request) for request in requests(arguments))


if __name__ == "__main__":
    sys.exit(guarded(main))

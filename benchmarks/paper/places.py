"""Where the study reads and where it writes: never into what it reads, unless that is asked for."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from benchmarks.folder.provenance import ROOT
from benchmarks.paper.experiments import Experiment
from benchmarks.paper.options import OUT
from benchmarks.regenerate import committed
from datasets.errors import SuiteError
from datasets.files import StorageError

COMMITTED = ROOT / "results" / "paper"
RUNS, DRAWS, CUDA = "runs", "draws", "cuda"


@dataclass(frozen=True)
class Places:
    """Where is read, and where is written.

    Attributes:
        inputs: folder with what is stored: draws, GPU runs, the reproduction, the released arrays. The committed runs
            in `results/` are read beside it.
        out: folder of tables and of all that is made. If it is `inputs`, runs are made in the committed folders.
    """

    inputs: Path
    out: Path

    @property
    def in_place(self) -> bool:
        """True if what is made goes where it is read."""
        return self.inputs == self.out

    def main(self, experiment: Experiment) -> list[Path]:
        """Folders that may hold the main run, the first preferred."""
        mine = [folder / CUDA / experiment.run for folder in dict.fromkeys((self.inputs, self.out))]
        return [committed(experiment.run), *mine, self.out / RUNS / experiment.run]

    def draws(self, experiment: Experiment, seed: int) -> list[Path]:
        """Folders that may hold a draw, made on the CPU, the first preferred."""
        if seed == 0:
            return [committed(experiment.run), self.out / RUNS / experiment.run]
        name = f"{experiment.run}-seed{seed}"
        return [folder / DRAWS / name for folder in dict.fromkeys((self.inputs, self.out))]

    def new_main(self, experiment: Experiment, device: str) -> Path:
        """Folder in which a main run is made."""
        if device.split(":")[0] == "cuda":
            return self.out / CUDA / experiment.run
        return committed(experiment.run) if self.in_place else self.out / RUNS / experiment.run


def places_of(arguments: Namespace) -> Places:
    """Return the places of a command line with the options of `add_places`, and make the folder that is written.

    Raises:
        SuiteError: the inputs are not there, or would be written to; or nothing can be written.
    """
    inputs = (COMMITTED if arguments.inputs is None else arguments.inputs).resolve()
    if not inputs.is_dir():
        raise SuiteError(f"--inputs {inputs} is not there: give the folder results/paper of a clone.")
    out = inputs if arguments.write_committed else (OUT if arguments.out is None else arguments.out).resolve()
    if out == inputs and not arguments.write_committed:
        raise SuiteError(f"--out {out} is where the inputs are: give another, or --write-committed to replace them.")
    return Places(inputs, made(out))


def out_of(arguments: Namespace) -> Path:
    """Return the folder that a command line with the options of `add_out` writes, made if it is not there.

    Raises:
        SuiteError: nothing can be written.
    """
    if arguments.write_committed:
        return made(COMMITTED)
    return made((OUT if arguments.out is None else arguments.out).resolve())


def made(folder: Path) -> Path:
    """Return a folder, made if it is not there.

    Raises:
        StorageError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write to {folder}: {error.strerror}.") from error
    return folder

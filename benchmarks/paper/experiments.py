"""The paper's 11 experiments: what they are called there, in its release and here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from datasets.errors import SuiteError

if TYPE_CHECKING:
    import pandas as pd

TABLES = ("I", "II", "III", "IV")
SETS = ("bedroom", "church", "conference")
MEAN_OF_3 = "lsun-mean-of-3"
OWN_DATA = "-igd"
"""Ending of a set's name in rows on images that the generator itself was trained on."""

BIGPRIOR, MGAN = "bigprior", "mgan-prior"
"""The published names of the paper's method and of its prior alone."""


@dataclass(frozen=True)
class Experiment:
    """One task on one set, 50 test images.

    Attributes:
        table: the paper's table that reports it.
        task: as the published file has it; our task and its arguments are those of the committed run.
        dataset: the set, here and in the published file.
        released: folder of its arrays in the release.
        run: our committed run of it, a folder in `results/`.
        headline: the metric that its differences are reported in.
        random: True if noise or masks are drawn, so that a seed matters.
    """

    table: str
    task: str
    dataset: str
    released: str
    run: str
    headline: str = "psnr"
    random: bool = True

    @property
    def short(self) -> str:
        """The set without its prefix: bedroom, church or conference."""
        return self.dataset.removeprefix("lsun-")


def _experiments() -> tuple[Experiment, ...]:
    found = []
    for s in SETS[:2]:
        found.append(Experiment("I", "colorize", f"lsun-{s}", f"col_{s}_1", f"colorize/lsun-{s}", "auc", False))
    for s in SETS:
        run = f"inpaint-center/lsun-{s}"
        found.append(Experiment("II", "inpaint-center", f"lsun-{s}", f"inpcrop_{s}_1", run, random=False))
    for s in SETS:
        found.append(Experiment("III", "inpaint-random", f"lsun-{s}", f"inpvar_{s}_1", f"inpaint-random/lsun-{s}"))
    for s in SETS:
        found.append(Experiment("IV", "denoise-5-50", f"lsun-{s}", f"denblind_{s}_1", f"denoise/lsun-{s}-sigma5-50"))
    return tuple(found)


EXPERIMENTS = _experiments()


def of_cell(task: str, dataset: str) -> list[Experiment]:
    """Return the experiments that a published cell is about: one, three (a mean over sets), or none (other images)."""
    wanted = [f"lsun-{s}" for s in SETS] if dataset == MEAN_OF_3 else [dataset]
    return [e for e in EXPERIMENTS if e.task == task and e.dataset in wanted]


def published(table: str) -> pd.DataFrame:
    """Return the published cells of a table: columns table, task, dataset, method, metric, value, note.

    Raises:
        SuiteError: the published figures are not there.
    """
    import pandas as pd  # takes long to load, and the command line reads the names above alone

    from benchmarks.tables.published import published_folder

    folder = published_folder()
    if folder is None:
        raise SuiteError("the published figures are not there: use a clone of the repository.")
    cells = pd.read_csv(folder / "bigprior_tables.csv")
    return cells[cells.table == table].reset_index(drop=True)

"""Run, measure, keep, tabulate and draw. Nothing is imported here but the check below."""

import importlib.util
from pathlib import Path


def _own_datasets() -> None:
    """Say in one line if `datasets` is another package's: it has the name of the suite's own.

    Raises:
        SystemExit: it is; nothing of the suite would work.
    """
    spec = importlib.util.find_spec("datasets")
    folder = Path(spec.origin).parent if spec is not None and spec.origin else Path("nowhere")
    if not (folder / "observation.py").is_file():
        raise SystemExit(
            f"error: the package 'datasets' in {folder} is not this suite's: another package of that name is installed "
            "here too. Install the suite into an environment of its own: python3 -m venv DIR && DIR/bin/pip install ."
        )


_own_datasets()

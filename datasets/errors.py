"""The one exception a user sees: a single line that says what is wrong and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SuiteError(Exception):
    """A mistake the user can mend. Command lines print it on one line and exit with status 2."""


def unknown(kind: str, name: str, valid: Iterable[str]) -> SuiteError:
    """Build the error for a name that does not exist: near matches first, then every valid name."""
    names = sorted(valid)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return SuiteError(f"unknown {kind} '{name}'.{hint} Valid: {', '.join(names) or 'none'}.")

"""Names of files and pages, made from names that others wrote."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

LONGEST = 80


def slugs(names: Iterable[str]) -> dict[str, str]:
    """Return name → what it is called in an address: letters, digits, dots and hyphens, no two alike in any case."""
    made: dict[str, str] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(names):
        letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        bare = re.sub(r"[^A-Za-z0-9.]+", "-", letters).strip("-.")[:LONGEST] or "unnamed"
        slug, count = bare, 1
        while slug.casefold() in taken:
            count += 1
            slug = f"{bare}-{count}"
        taken.add(slug.casefold())
        made[name] = slug
    return made

"""What is missing in a report, and how to get it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from benchmarks.report.merge import Merged
from benchmarks.report.pictures import CLEAN, MOST_READ, PHI, RESTORED, Shown


def notices_of(
    settings: Sequence[Merged], shown: Sequence[Sequence[Shown]], damaged: Sequence[Sequence[str]]
) -> list[str]:
    """Return sentences about what the settings lack; what holds for all of them alike is said once.

    That a setting has no picture at all is for the place where the pictures would be.

    Args:
        shown, damaged: for each setting its pictures, and what of them cannot be read.
    """
    labels: dict[str, list[str]] = {}
    for merged, pictures, broken in zip(settings, shown, damaged, strict=True):
        for notice in _of_setting(merged, pictures, broken):
            labels.setdefault(notice, []).append(merged.label)
    whole = len(settings)
    return [notice if len(of) == whole else f"{'; '.join(of)}: {notice}" for notice, of in labels.items()]


def _of_setting(merged: Merged, pictures: Sequence[Shown], damaged: Sequence[str]) -> list[str]:
    notices = []
    for run in merged.runs:
        asked, done = run.facts.counts.asked, len(run.finished)
        if done < asked:
            notices.append(f"{run.name} has {done} of {asked} results; the same command makes the rest.")
    if merged.uneven:
        notices.append(f"{', '.join(merged.uneven)}: measured with different code or files in different runs.")
    seen = {p.image: p.paths for p in pictures if CLEAN in p.paths}
    there = sum(merged.has_pictures(p.image) for p in pictures)
    if there > MOST_READ:
        notices.append(
            f"Pictures were kept of {there} images; the page has {MOST_READ} of them: the worst, the best, and an even "
            "sample of the others."
        )
    elif 0 < len(seen) < len(pictures):
        notices.append(
            f"Pictures were kept of {len(seen)} of the {len(pictures)} images; run again with --save-images to look at "
            "all of them."
        )
    finished = merged.records[merged.records.error == ""]
    pairs = zip(finished.method, finished.image, strict=True)
    absent = dict.fromkeys(m for m, image in pairs if RESTORED + m not in seen.get(image, {RESTORED + m}))
    if absent:
        notices.append(f"Some pictures of {', '.join(absent)} were not kept; run again with --save-images.")
    if seen and not any(key.startswith(PHI) for paths in seen.values() for key in paths):
        notices.append("No map of φ was kept: no method of this run has one per pixel, or its pictures are missing.")
    if damaged:
        notices.append(f"{len(damaged)} picture(s) are damaged and left out, for instance {damaged[0]}.")
    machines = {json.dumps(run.facts.hardware, sort_keys=True) for run in merged.runs}
    if len(machines) > 1:
        notices.append("The seconds were measured on different machines and do not compare.")
    return notices

"""The HTML report: what it embeds and says, which runs it merges, what it refuses, and what it does with gaps."""

from __future__ import annotations

import base64
import contextlib
import io
import itertools
import json
import os
import re
import resource
import struct
import subprocess
import sys
import zipfile
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.folder.pictures import CLEAN, Pictures, file_name
from benchmarks.folder.provenance import ROOT
from benchmarks.folder.run_folder import RunFolder
from benchmarks.plan import PREVIEW_PIXELS, _previews
from benchmarks.report.__main__ import main
from benchmarks.report.merge import merge
from benchmarks.report.page import build, to_bytes
from benchmarks.report.pictures import MOST_READ, Shown, embed, open_png, sample, telling
from benchmarks.report.sources import read_sources
from benchmarks.tables.published import published_psnr
from datasets.dataset import get_dataset
from datasets.errors import SuiteError
from tests.benchmarks.conftest import Runner
from tests.benchmarks.report_runs import (
    DISPUTED,
    FAILED,
    IMAGES,
    NOISE,
    OWN,
    pixels,
    run_facts,
    write_metrics,
    write_run,
)


class Page(HTMLParser):
    """What a browser would find in a report: JSON elements, tables as text, every address it may ask for."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.json: dict[str, Any] = {}
        self.addresses: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.notices: list[str] = []
        self.text = ""
        self._table: str | None = None
        self._script: str | None = None
        self._in_notices = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.addresses += [v for k, v in attrs if k in ("src", "href", "srcset", "action", "data", "poster") and v]
        self._script = given.get("id", "") if tag == "script" else None
        if tag == "table":
            self._table = str(given["id"])
            self.tables[self._table] = []
        if self._table and tag == "tr":
            self.tables[self._table].append([])
        if self._table and tag in ("td", "th"):
            self.tables[self._table][-1].append("")
        self._in_notices |= tag == "aside"
        if self._in_notices and tag == "li":
            self.notices.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._script = None
        if tag == "table":
            self._table = None
        if tag == "aside":
            self._in_notices = False

    def handle_data(self, data: str) -> None:
        if self._script:
            self.json[self._script] = json.loads(data)
        elif self._script is None:
            self.text += data
        if self._table and self.tables[self._table] and self.tables[self._table][-1]:
            self.tables[self._table][-1][-1] += data
        if self._in_notices and self.notices:
            self.notices[-1] += data

    def column(self, table: str, name: str) -> dict[str, str]:
        """First word of each cell of a column, by the name of the row."""
        head, *lines = self.tables[table]
        place = next(i for i, text in enumerate(head) if name in text)
        return {line[0].split()[0]: line[place].split()[0] for line in lines}


def page(*folders: Path, limit: float = 15e6) -> Page:
    sources, missing = read_sources(folders)
    return Page(build(merge(sources), missing, limit))


def test_nothing_outside_the_file_is_referred_to(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    sources, _ = read_sources([run])
    html = build(merge(sources), [], 15e6)
    found = Page(html)
    assert all(address.startswith(("#", "data:")) for address in found.addresses)
    assert "default-src 'none'" in html
    assert not re.search(r"@import|url\(|\bimport\(|fetch\(|XMLHttpRequest", html)
    assert str(tmp_path) not in html  # it is sent to others


def test_table_has_every_method_with_its_mean_and_signature(tmp_path: Path) -> None:
    found = page(write_run(tmp_path / "run"))
    head = " ".join(found.tables["summary-0"][0])
    assert "psnr|rgb|u8|crop0" in head
    assert "ssim|rgb|gauss11-valid|u8" in head
    psnr = {m: np.mean([_psnr(m, image) for image in IMAGES]) for m in NOISE}
    assert {m: float(text.rstrip("*+")) for m, text in found.column("summary-0", "PSNR").items()} == pytest.approx(
        psnr, abs=0.005
    )
    assert found.column("summary-0", "φ mean") == {
        "noisy": "0.000",
        "nlm": "0.500",
        "bm3d": "hidden",
        "unet-blind": "hidden",
    }


def _psnr(method: str, image: str) -> float:
    error = pixels(method, image, (40, 48)) - pixels("clean", image, (40, 48))
    return float(-10 * np.log10(np.mean(error.numpy().astype(float) ** 2)))


def test_pictures_that_fit_are_the_files_themselves(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    found = page(run)
    for place, image in enumerate(IMAGES):
        uris = found.json[f"pixels-0-{place}"]
        assert set(uris) == {"clean", "degraded", "g:nlm", "phi:nlm", *(f"x:{m}" for m in NOISE)}
        assert _decode(uris["x:bm3d"]) == (run / "images" / image / "bm3d.png").read_bytes()
        assert _decode(uris["phi:nlm"]) == (run / "images" / image / "nlm.phi.png").read_bytes()


def _decode(uri: str) -> bytes:
    return base64.b64decode(uri.partition(",")[2])


def test_differences_are_those_of_the_files(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    for image in page(run).json["data"]["settings"][0]["images"]:
        arrays = {
            key: np.asarray(Image.open(run / "images" / image["name"] / file), dtype=float)
            for key, file in [("x:bm3d", "bm3d.png"), ("x:unet-blind", "unet-blind.png"), ("clean", "clean.png")]
        }
        table = dict(zip(itertools.combinations(image["layers"], 2), image["differences"], strict=True))
        for one, other in itertools.combinations(arrays, 2):
            expected = np.sqrt(np.mean((arrays[one] - arrays[other]) ** 2))
            got = table[one, other] if (one, other) in table else table[other, one]
            assert got == pytest.approx(expected, abs=0.006)


def test_file_keeps_to_its_size_and_says_what_that_cost(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", side=(128, 160))
    sources, _ = read_sources([run])
    settings = merge(sources)
    whole = len(build(settings, [], 15e6))
    for limit in (0.75 * whole, 0.35 * whole):
        html = build(settings, [], limit)
        found = Page(html)
        assert len(html.encode()) <= limit
        kept = [key for key in found.json if key.startswith("pixels")]
        lossy = "JPEG of quality" in found.text
        assert lossy or len(kept) < len(IMAGES)
        if len(kept) < len(IMAGES):
            assert any(f"{len(kept)} of {len(IMAGES)} images fit" in notice for notice in found.notices)
            # the most disputed image stays
            assert f"pixels-0-{IMAGES.index(DISPUTED)}" in kept or not kept


def test_lossy_pictures_keep_their_colour_and_are_close(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2] = (255, 0, 0)
    stripes[:, 1::2] = (0, 0, 255)
    Image.fromarray(stripes).save(path)
    shown = Shown("x", paths={"clean": path}, layers=["clean"])
    room = path.stat().st_size * 4 / 3
    chosen, quality = embed([shown], room)
    assert quality is None
    path.write_bytes(path.read_bytes() + bytes(100_000))  # trailing bytes: too large to be kept as it is
    chosen, quality = embed([shown], 50_000)
    assert quality == 97
    decoded = np.asarray(Image.open(io.BytesIO(_decode(chosen[id(shown)]["clean"]))).convert("RGB"), dtype=float)
    assert np.abs(decoded - stripes).mean() < 12  # subsampled chroma would be off by some 60


def test_telling_images_come_first() -> None:
    def shown(name: str, spread: float) -> Shown:
        return Shown(name, layers=["clean", "x:a", "x:b"], differences=[99.0, 99.0, spread])

    pictures = [shown("plain", 1), shown("worst", 2), shown("best", 3), shown("disputed", 9), shown("other", 4)]
    scores = {"plain": 30.0, "worst": 20.0, "best": 40.0, "disputed": 31.0, "other": 29.0}
    assert [picture.image for picture in telling(pictures, scores)] == ["disputed", "worst", "best", "other", "plain"]


def test_of_many_images_the_worst_the_best_and_some_are_read() -> None:
    images = [f"{place:05d}" for place in range(5000)]
    scores = {image: float((7919 * place) % 5000) for place, image in enumerate(images) if place % 10}
    chosen = sample(images, scores)
    assert len(set(chosen)) == MOST_READ
    assert chosen == sorted(chosen)
    ranked = sorted(scores, key=lambda image: scores[image])
    ends = {*ranked[: MOST_READ // 4], *ranked[-(MOST_READ // 4) :]}
    assert ends <= set(chosen)
    others = np.array([int(image) for image in chosen if image not in ends])
    assert np.diff(others).max() <= 2 * np.diff(others).min()
    assert sample(images[:MOST_READ], scores) == images[:MOST_READ]
    assert len(sample(images, {})) == MOST_READ


def test_a_page_says_of_how_many_images_it_has_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pictures", "notices"):
        monkeypatch.setattr(f"benchmarks.report.{module}.MOST_READ", 2)
    folder = write_run(tmp_path / "run")
    assert main([str(folder)]) == 0
    page = Page((folder / "report.html").read_text("utf-8"))
    assert sum(bool(image["layers"]) for image in page.json["data"]["settings"][0]["images"]) == 2
    assert any(f"kept of {len(IMAGES)} images; the page has 2 of them" in notice for notice in page.notices)


@pytest.mark.slow  # of the CPU of a machine that does nothing else
def test_a_report_of_thousands_of_images_is_quick(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", ["noisy", "nlm"], [f"{place:04d}" for place in range(5000)], pictures=None)
    seconds = []
    for _ in range(2):  # the better of two: other work on the machine only ever adds
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-m", "benchmarks.report", str(folder)], cwd=ROOT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == 0
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 8
    assert (folder / "report.html").stat().st_size < 5e6


def test_error_messages_cannot_break_the_page(tmp_path: Path) -> None:
    message = "</script><script>alert(1)</script>"
    change = {("bm3d", "cat"): {"error": message, **FAILED}}
    found = page(write_run(tmp_path / "run", changes=change))
    records = found.json["data"]["settings"][0]["records"]
    assert message in records["error"]
    assert records["psnr"][records["error"].index(message)] is None
    assert any("19 of 20 results" in notice for notice in found.notices)


def test_runs_of_one_setting_share_a_table(tmp_path: Path) -> None:
    one = write_run(tmp_path / "one", methods=["noisy", "bm3d"])
    other = write_run(tmp_path / "other", methods=["bm3d", "nlm"], pictures="preview")
    found = page(one, other, one)
    assert {line[0].split()[0] for line in found.tables["summary-0"][1:]} == {"noisy", "bm3d", "nlm"}
    assert "summary-1" not in found.tables
    assert len(found.json["data"]["settings"][0]["records"]["image"]) == 3 * len(IMAGES)
    assert "x:nlm" in found.json["pixels-0-0"]


def test_runs_at_several_sigmas_stand_side_by_side(tmp_path: Path) -> None:
    one = write_run(tmp_path / "one")
    fifty = {(m, i): {"sigma": 50.0} for m in NOISE for i in IMAGES}
    other = write_run(tmp_path / "other", changes=fifty, task="denoise[sigma=50]")
    found = page(one, other)
    assert [s["label"] for s in found.json["data"]["settings"]] == [
        "denoise sigma=25 on photos (test), seed 0",
        "denoise sigma=50 on photos (test), seed 0",
    ]
    assert {"pixels-0-0", "pixels-1-0"} <= set(found.json)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"task": "colorize"}, "the task is denoise in the first, colorize in the second"),
        ({"protocol": "paper"}, "the protocol is standard in the first, paper in the second"),
        ({"metrics": "psnr=psnr[channel=y,crop=4]"}, r"psnr is psnr\|rgb\|u8\|crop0 in the first, psnr\|y601"),
        ({"methods": {"nlm": "nlm[patch=5]"}}, r"the row nlm is nlm in the first, nlm\[patch=5\] in the second"),
        ({"digest": "other"}, "image bridge is not the same file in both"),
        ({"images": ("cat", "tree")}, "their images are others, such as bridge in the first"),
        ({"changes": {("bm3d", "cat"): {"psnr": 1.0}}}, "psnr of bm3d on cat is .* in the first, 1.0 in the second"),
    ],
    ids=["task", "protocol", "signature", "row", "file", "images", "score"],
)
def test_runs_that_do_not_compare_are_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    one, other = write_run(tmp_path / "one", pictures=None), write_run(tmp_path / "other", pictures=None, **changes)
    with pytest.raises(SuiteError, match=reason):
        page(one, other)


def test_a_score_that_one_run_lacks_is_taken_from_the_other(tmp_path: Path) -> None:
    half = {(m, i): {"ssim": None} for m in NOISE for i in IMAGES}
    one = write_run(tmp_path / "one", pictures=None, metrics="psnr", changes=half)
    other = write_run(tmp_path / "other", pictures=None, metrics="ssim")
    whole = write_run(tmp_path / "whole", pictures=None)
    assert page(one, other).json["data"]["settings"] == page(whole).json["data"]["settings"]


def test_a_row_whose_code_changed_between_two_runs_is_named(tmp_path: Path) -> None:
    one, other = write_run(tmp_path / "one"), write_run(tmp_path / "other")
    facts = json.loads((other / "run.json").read_text())
    facts["rows"]["nlm"]["fingerprint"] = "1"
    (other / "run.json").write_text(json.dumps(facts))
    said = [notice.strip() for notice in page(one, other).notices]
    assert said == ["nlm: measured with different code or files in different runs."]


def test_timings_and_failures_are_no_contradiction(tmp_path: Path) -> None:
    failed = {("bm3d", "cat"): {"error": "out of memory", **FAILED}, ("nlm", "cat"): {"seconds": 9.0}}
    found = page(write_run(tmp_path / "one", changes=failed), write_run(tmp_path / "other"))
    assert not any(found.json["data"]["settings"][0]["records"]["error"])


def test_what_is_missing_is_said_and_the_rest_is_built(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", pictures=None)
    old = write_run(tmp_path / "old")
    (old / "run.json").write_text(json.dumps(json.loads((old / "run.json").read_text()) | {"version": 0}))
    empty = tmp_path / "empty"
    empty.mkdir()
    stopped = write_run(tmp_path / "stopped")
    (stopped / "records.csv").unlink()
    out = tmp_path / "report.html"
    folders = [run, old, empty, stopped, tmp_path / "nowhere"]
    assert main([*map(str, folders), "--out", str(out)]) == 1
    found = Page(out.read_text())
    said = " ".join(found.notices)
    assert "of version 0" in said
    assert "it has no run.json and no records.csv" in said
    assert "holds no records" in said
    assert "is not a folder" in said
    assert "ictures" not in said  # the section of images says so
    assert len(found.tables["summary-0"]) == 1 + len(NOISE)
    assert capsys.readouterr().err.count("warning: Left out") == 4


def test_damaged_and_absent_pictures_are_named(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    (run / "images" / "cat" / "bm3d.png").write_bytes(b"not a picture")
    (run / "images" / "house" / "nlm.png").unlink()
    (run / "images" / "lake" / "clean.png").unlink()
    found = page(run)
    said = " ".join(found.notices)
    assert "cat/bm3d.png" in said
    assert "Some pictures of bm3d, nlm were not kept" in said
    assert "Pictures were kept of 4 of the 5 images" in said
    assert "x:bm3d" not in found.json["pixels-0-1"]


def test_no_run_at_all_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "a", pictures=None)
    with pytest.raises(SuiteError, match=r"give the folder of a run, such as .*runs/a"):
        read_sources([tmp_path / "runs"])
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose" / "records.csv").write_text("x")
    with pytest.raises(SuiteError, match=r"no run\.json that says"):
        read_sources([tmp_path / "loose"])


def test_published_stands_beside_measured(tmp_path: Path) -> None:
    images = [entry.name for entry in get_dataset("set12").entries()]
    run = write_run(tmp_path / "run", methods=["noisy", "bm3d"], images=images, dataset="set12", pictures=None)
    found = page(run)
    value, source = published_psnr("denoise", "set12", "25")["bm3d"]
    line = next(line for line in found.tables["published-0"] if line[0].startswith("bm3d"))
    measured = np.mean([_psnr("bm3d", image) for image in images])
    assert [text.split()[0] for text in line[1:4]] == [f"{value:.2f}", f"{measured:.2f}", f"{measured - value:+.2f}"]
    assert line[4].strip() == source
    # Of a part of the set nothing was published.
    part = write_run(tmp_path / "part", methods=["bm3d"], images=images[:5], dataset="set12", pictures=None)
    assert "published-0" not in page(part).tables


def test_measured_reliance_has_a_column_and_a_map(tmp_path: Path) -> None:
    change = {("bm3d", image): {"phi_implied": 0.9, "phi_implied_se": 0.01} for image in IMAGES}
    run = write_run(tmp_path / "run", changes=change)
    (run / "reliance" / "cat").mkdir(parents=True)
    np.savez(run / "reliance" / "cat" / "bm3d.npz", implied=np.array([[0.0, 2.0]], dtype=np.float16))
    found = page(run)
    assert found.column("summary-0", "φ implied")["bm3d"] == "0.900"
    decoded = Image.open(io.BytesIO(_decode(found.json["pixels-0-1"]["implied:bm3d"])))
    assert np.asarray(decoded).tolist() == [[0, 255]]


def test_report_of_a_real_run(run_here: Runner, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_here("--methods", "noisy,nlm,tv", "--sigma", "10:40", out=tmp_path / "run")
    assert main([str(tmp_path / "run")]) == 0
    assert "report.html" in capsys.readouterr().out
    found = Page((tmp_path / "run" / "report.html").read_text())
    assert found.notices == []  # a small run keeps its pictures by itself
    assert len({*found.json["data"]["settings"][0]["records"]["sigma"]}) == 3


def test_small_runs_keep_the_pictures_of_every_image() -> None:
    def kept(shapes: dict[str, tuple[int, ...]], rows: int) -> set[str]:
        return set(_previews(SimpleNamespace(shapes=shapes, rows=range(rows))))

    five = {f"image{n}": (3, 256, 256) for n in range(5)}
    assert kept(five, rows=22) == set(five)
    many = {f"image{n}": (3, 481, 321) for n in range(68)}
    some = kept(many, rows=14)
    assert 2 <= len(some) < 68
    assert len(some) * 14 * 481 * 321 <= PREVIEW_PIXELS
    assert kept({f"image{n}": (3, 4000, 4000) for n in range(3)}, rows=20) == {"image0", "image1"}


@pytest.mark.parametrize("size", ["0", "-1", "nan"])
def test_size_must_be_positive(tmp_path: Path, size: str) -> None:
    with pytest.raises(SuiteError, match="out of range"):
        main([str(tmp_path), "--max-mb", size])


@pytest.fixture
def own_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A user's metrics; what is returned stands after --metrics."""
    monkeypatch.setenv("RESTORATION_PLUGINS", str(write_metrics(tmp_path / "mine")))
    return OWN


def test_a_users_metrics_arrive_in_tables_and_data(tmp_path: Path, own_metrics: str) -> None:
    rows = ("tv", "nlm[patch=5]")
    shift = {"tv": 0.25, "nlm[patch=5]": 0.125, CLEAN: 0.0}
    scores = {(m, i): {"worst": shift[m] + n / 10, "glow": 0.5 - shift[m]} for m in rows for n, i in enumerate(IMAGES)}
    parts = [
        write_run(tmp_path / row, methods=[row], changes=scores, metrics=own_metrics, pictures=None) for row in rows
    ]
    for part, row in zip(parts, rows, strict=True):
        for image in IMAGES:
            for label in (row, CLEAN):
                features = {"drift": torch.full((3,), 0.5 + shift[label], dtype=torch.float64)}
                Pictures(part).save_features(label, image, features)
    found = page(*parts)
    assert found.column("summary-0", "Worst pixel") == {"tv": "0.450", "nlm[patch=5]": "0.325*"}
    assert found.column("summary-0", "Glow") == {"tv": "0.250", "nlm[patch=5]": "0.375*"}
    drift = {row: shift[row] * 3**0.5 for row in rows}
    told = {row: float(text.rstrip("*")) for row, text in found.column("summary-0", "Drift").items()}
    assert told == pytest.approx(drift, abs=1e-4)
    assert {"worst|max-abs", "glow|mean", "drift|mean"} <= set(re.findall(r"[a-z]+\|[a-z-]+", found.text))
    setting = found.json["data"]["settings"][0]
    assert {m["name"]: m["of_set"] for m in setting["metrics"]} == {"worst": False, "glow": False, "drift": True}
    assert {m["name"]: m["scores"]["drift"] for m in setting["methods"]} == pytest.approx(drift, abs=1e-5)
    records, names = setting["records"], [method["name"] for method in setting["methods"]]
    places = [IMAGES.index(setting["images"][place]["name"]) for place in records["image"]]
    expected = [shift[names[row]] + n / 10 for row, n in zip(records["method"], places, strict=True)]
    assert records["worst"] == pytest.approx(expected)
    assert "drift" not in setting["records"]
    assert {pair[0] for pair in setting["pairs"]} == {"worst", "glow"}


def test_a_run_of_a_metric_of_sets_alone_has_a_report(tmp_path: Path, own_metrics: str) -> None:
    run = write_run(tmp_path / "run", methods=["tv"], images=["cat", "lake"], metrics="drift")
    for image in ("cat", "lake"):
        for label in ("tv", CLEAN):
            Pictures(run).save_features(label, image, {"drift": torch.zeros(3, dtype=torch.float64)})
    assert page(run).column("summary-0", "Drift")["tv"].startswith("0.0000")


def test_the_level_is_the_tasks(tmp_path: Path) -> None:
    level = page(write_run(tmp_path / "run")).json["data"]["settings"][0]["level"]
    assert level == {"name": "sigma", "title": "noise standard deviation σ, 0–255 scale"}
    hole = write_run(tmp_path / "hole", task="inpaint-center", methods=["tv"])
    assert page(hole).json["data"]["settings"][0]["level"] is None


def test_nothing_that_is_drawn_from_names_a_metric_or_a_level() -> None:
    folder = ROOT / "benchmarks" / "report"
    text = "".join(path.read_text().lower() for part in ("static", "templates") for path in (folder / part).iterdir())
    assert not re.search(r"psnr|ssim|lpips|sigma|σ", text)


LABELS = ("nlm[patch=5]", 'fill[file="a,b].pth"]', "mine=<b>&\"'", "bm3d[sigma=true]", "../../etc/passwd")
NAMES = ("a  b", "été.v2", "x[1],y", "蛇 & <i>", "C:")


def test_labels_with_brackets_and_names_with_blanks_arrive_whole(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", methods=dict.fromkeys(LABELS, "tv"), images=NAMES)
    found = page(run)
    assert [notice.partition(":")[0] for notice in found.notices] == ["No map of φ was kept"]
    setting = found.json["data"]["settings"][0]
    assert [image["name"] for image in setting["images"]] == list(NAMES)
    assert {method["name"] for method in setting["methods"]} == set(LABELS)
    for place, image in enumerate(NAMES):
        uris = found.json[f"pixels-0-{place}"]
        assert set(uris) == {"clean", "degraded", *(f"x:{label}" for label in LABELS)}
        for label in LABELS:
            assert _decode(uris[f"x:{label}"]) == (run / "images" / image / f"{file_name(label)}.png").read_bytes()


@pytest.mark.parametrize("image", ["../../etc/passwd", "/etc/passwd", "..", "a/b", "a\\b", "a\0b"])
def test_a_strangers_names_are_refused(tmp_path: Path, image: str) -> None:
    run = write_run(tmp_path / "run", pictures=None)
    text = (run / "records.csv").read_text()
    (run / "records.csv").write_text(text.replace(",cat,", f',"{image}",'))
    with pytest.raises(SuiteError, match=r"run: .* cannot be the name of an image"):
        page(run)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    mine = write_run(tmp_path / "mine", images=["cat"]) / "images" / "cat"
    run = write_run(tmp_path / "run", images=["cat", "lake"])
    (run / "images" / "lake" / "bm3d.png").unlink()
    (run / "images" / "lake" / "bm3d.png").symlink_to(mine / "bm3d.png")
    assert "x:bm3d" not in page(run).json["pixels-0-1"]
    (run / "images").rename(tmp_path / "elsewhere")
    (run / "images").symlink_to(tmp_path / "elsewhere")
    found = page(run)
    assert not any(name.startswith("pixels") for name in found.json)
    assert any("damaged" in notice for notice in found.notices)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, data: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(data)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 48 40\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.mark.parametrize(
    "content",
    [EPS, _png(60_000, 60_000), _png(10_000, 10_000), _png(70_000, 1), _png(48, 40), b"", b"\x89PNG\r\n\x1a\n"],
    ids=["eps", "huge", "large", "long", "short", "empty", "signature"],
)
def test_a_picture_that_is_none_is_damaged(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    run = write_run(tmp_path / "run")
    (run / "images" / "cat" / "bm3d.png").write_bytes(content)
    found = page(run)
    assert any("1 picture(s) are damaged and left out, for instance cat/bm3d.png" in said for said in found.notices)
    assert "x:bm3d" not in found.json["pixels-0-1"]
    assert "x:bm3d" in found.json["pixels-0-0"]


def test_no_damage_to_a_picture_is_a_traceback(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    path = tmp_path / "x.png"
    Image.fromarray(random.integers(0, 255, (9, 8, 3), dtype=np.uint8)).save(path, dpi=(72, 72))
    whole = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    read = 0
    for _ in range(400):
        broken = whole.copy()
        broken[random.integers(0, len(whole), 3)] = random.integers(0, 255, 3)
        path.write_bytes(broken[: random.integers(len(whole) // 2, len(whole) + 1)].tobytes())
        with contextlib.suppress(SuiteError):
            read += open_png(path).mode == "RGB"
    assert read < 400


def _npz(member: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr("implied.npy", member)
    return buffer.getvalue()


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _npy_header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize(
    "content",
    [
        _npz(_npy(np.zeros((2, 2, 3)))),
        _npz(_npy(np.array("text"))),
        _npz(_npy(np.zeros((2, 2), dtype=complex))),
        _npz(_npy(np.zeros((0, 2)))),
        _npz(_npy(np.zeros((3000, 3000))), zipfile.ZIP_DEFLATED),
        _npz(_npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (600000, 600000, 3)}\n")),
        _npz(_npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': ((((\n")),
        _npz(_npy(np.eye(9)), zipfile.ZIP_LZMA).replace(b"\x5d", b"\xff"),
        b"PK\x03\x04 no archive",
    ],
    ids=["shape", "text", "complex", "empty", "bomb", "huge", "header", "lzma", "garbage"],
)
def test_a_damaged_reliance_is_named(tmp_path: Path, content: bytes) -> None:
    run = write_run(tmp_path / "run")
    (run / "reliance" / "cat").mkdir(parents=True)
    (run / "reliance" / "cat" / "bm3d.npz").write_bytes(content)
    found = page(run)
    assert any("reliance of bm3d on cat" in notice for notice in found.notices)
    assert "implied:bm3d" not in found.json["pixels-0-1"]


def test_scores_of_another_protocol_have_the_pictures_of_their_run(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    again = write_run(run / "rescored-paper", protocol="paper", rescored_from="run", pictures=None)
    assert "x:bm3d" in page(again).json["pixels-0-0"]
    # Without a run above it, a folder that claims to be of one has none.
    (run / "run.json").unlink()
    assert "pixels-0-0" not in page(again).json


def test_a_report_is_not_written_through_a_link(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", pictures=None)
    target = tmp_path / "precious"
    target.write_text("mine")
    for link, more in ((run / "report.html", []), (tmp_path / "out.html", ["--out", str(tmp_path / "out.html")])):
        link.symlink_to(target)
        with pytest.raises(SuiteError, match="is a link and is not written through"):
            main([str(run), *more])
        assert link.is_symlink()
    assert target.read_text() == "mine"


def test_half_a_letter_is_no_traceback(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", pictures=None)
    facts = json.loads((run / "run.json").read_text()) | {"commit": "\ud800"}
    (run / "run.json").write_text(json.dumps(facts))
    assert RunFolder(run).facts.commit == "\ud800"
    assert b"commit ?" in to_bytes(build(merge([RunFolder(run)]), [], 15e6))


def test_help_is_light() -> None:
    code = "import sys; from benchmarks.report.__main__ import parser; parser(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env=os.environ)
    assert not {"torch", "pandas", "matplotlib", "PIL", "jinja2"} & set(done.stdout.split())


def test_several_settings_have_a_matrix_and_files_of_every_table(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / level, pictures=None, task=f"denoise[sigma={level}]") for level in ("25", "50")]
    found = page(*runs)
    means = found.column("matrix-0", "photos sigma=50")
    assert set(means) == set(NOISE)
    assert means["bm3d"].startswith(found.column("summary-1", "PSNR")["bm3d"].rstrip("*+"))
    files = found.json["data"]["files"]
    assert files["matrix-psnr.csv"].startswith("method,photos sigma=25 PSNR dB ↑,photos sigma=50 PSNR dB ↑\n")
    assert sum(name.endswith("summary.tex") for name in files) == 2
    assert "matrix-0" not in page(runs[0]).tables


def test_settings_that_differ_in_their_seed_alone_have_no_matrix_and_say_so(tmp_path: Path) -> None:
    facts = run_facts({label: label for label in NOISE}, IMAGES).setting
    other = write_run(tmp_path / "other", pictures=None, setting=replace(facts, seed=1))
    found = page(write_run(tmp_path / "run", pictures=None), other)
    assert "No matrix: two of the runs are of photos sigma=25" in found.text
    assert "matrix-0" not in found.tables


def test_what_all_settings_lack_is_said_once(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / level, task=f"denoise[sigma={level}]", methods=["bm3d"]) for level in ("25", "50")]
    assert [notice.partition(":")[0] for notice in page(*runs).notices] == ["No map of φ was kept"]

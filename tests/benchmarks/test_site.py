"""The site of many runs: its pages, their links, their downloads, and what it does with names that others wrote."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import matplotlib
import numpy as np
import pytest
from PIL import Image

from benchmarks.report.__main__ import main
from benchmarks.report.names import slugs
from benchmarks.tables.colours import PHI_COLOURS
from datasets.errors import SuiteError
from tests.benchmarks.report_runs import IMAGES, NOISE, write_run

PHOTOS = "settings/denoise-sigma-25-on-photos"


class Page(HTMLParser):
    """The addresses of a page, its identifiers, its pictures with what they say, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.text = ""
        self.pictures: dict[str, str] = {}
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "img":
            self.pictures[given["src"] or ""] = given["alt"] or ""
        self.addresses += [value for key, value in attrs if key in ("href", "src") and value]
        self.ids |= {value for key, value in attrs if key == "id" and value}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two levels of one set: one with pictures, one without."""
    parent = tmp_path_factory.mktemp("site")
    one = write_run(parent / "one")
    other = write_run(parent / "other", pictures=None, task="denoise[sigma=50]")
    hole = write_run(parent / "hole", methods=["tv"], pictures=None, task="inpaint-center")
    assert main([str(one), str(other), str(hole), "--site", str(parent / "out")]) == 0
    return parent / "out"


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_link_of_every_page_leads_to_a_file_of_the_site(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) == 1 + 2 + 5 + 2 * 3 + len(IMAGES)
    for path in pages:
        for address in Page(path).addresses:
            if address.startswith("data:"):
                continue
            name, _, part = address.partition("#")
            target = path if not name else (path.parent / unquote(name)).resolve()
            assert target.is_relative_to(site.resolve()), address
            assert target.is_file(), address
            assert not part or part in Page(target).ids, address


def test_a_site_asks_for_nothing_and_says_no_path_of_the_machine(site: Path) -> None:
    for name, content in _files(site).items():
        if name.endswith(".html"):
            assert b"default-src 'none'" in content
            assert not re.search(rb"@import|url\(|fetch\(", content)
        assert str(site.parent).encode() not in content, name


def test_a_setting_has_the_files_of_its_run(site: Path) -> None:
    run = site.parent / "one"
    for name in ("records.csv", "run.json"):
        assert (site / PHOTOS / name).read_bytes() == (run / name).read_bytes()
    for name in ("summary.csv", "summary.md", "summary.tex", "pairs.csv", "report.html"):
        assert (site / PHOTOS / name).stat().st_size > 100
    assert "No pictures were kept" in Page(site / "settings/denoise-sigma-50-on-photos/index.html").text


def test_a_task_has_its_matrix_over_levels_as_table_and_files(site: Path) -> None:
    text = Page(site / "tasks/denoise.html").text
    assert "photos sigma=25" in text
    assert "photos sigma=50" in text
    head, *lines = (site / "tasks/denoise-standard-psnr.csv").read_text().splitlines()
    assert head == "method,photos sigma=25 PSNR dB ↑,photos sigma=50 PSNR dB ↑"
    assert {line.split(",")[0] for line in lines} == set(NOISE)
    assert (site / "tasks/denoise-standard-ssim.tex").read_text().count("\\midrule") == 1


def test_a_method_has_its_source_its_phi_and_all_its_results(site: Path) -> None:
    page = Page(site / "methods/bm3d.html")
    assert "Dabov" in page.text
    assert "φ is hidden" in page.text
    assert "φ is known" in Page(site / "methods/nlm.html").text
    for setting in ("denoise sigma=25 on photos", "denoise sigma=50 on photos"):
        assert setting in page.text


def test_start_says_the_best_of_every_setting_and_whether_it_can_be_told(site: Path) -> None:
    page = Page(site / "index.html")
    assert page.text.count("5 images are too few to tell 6 pairs apart") == 2
    for task in ("denoise", "inpaint-center"):
        assert f"tasks/{task}.html" in page.addresses


def test_an_image_has_every_picture_that_was_kept(site: Path) -> None:
    page = Page(site / PHOTOS / "images/lake.html")
    assert len(page.pictures) == 2 + len(NOISE) + 2  # clean, degraded, restored; prior and φ of nlm
    pictures = _files(site / PHOTOS / "images")
    assert (site.parent / "one/images/lake/clean.png").read_bytes() in pictures.values()
    # φ from 0 at the left to 1 at the right, in the colours that it has in all figures.
    phi = next(pictures[name] for name, what in page.pictures.items() if what == "lake, φ of nlm")
    for side, value in ((0, 0.0), (-1, 1.0)):
        shade = np.asarray(Image.open(io.BytesIO(phi)))[0, side]
        assert shade == pytest.approx(255 * np.array(matplotlib.colormaps[PHI_COLOURS](value)[:3]), abs=1)


def test_pictures_keep_to_their_size_and_the_page_says_so(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", side=(64, 64))
    assert main([str(run), "--site", str(tmp_path / "out"), "--max-mb", "0.15"]) == 0
    pages = list((tmp_path / "out").rglob("images/*.html"))
    assert 0 < len(pages) < len(IMAGES)
    said = f"Pictures of {len(pages)} of {len(IMAGES)} images fit"
    assert said in Page(tmp_path / "out" / PHOTOS / "index.html").text


def test_two_sites_of_the_same_runs_are_the_same(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    for name in ("one", "two"):
        assert main([str(run), "--site", str(tmp_path / name)]) == 0
    assert _files(tmp_path / "one") == _files(tmp_path / "two")


def test_a_strangers_names_are_text_and_stay_in_the_site(tmp_path: Path) -> None:
    labels = {"<script>alert(1)</script>": "tv", "../../up": "no-such-method", "a#b?c%2e": "tv"}
    images = ("<b>x</b>", "a  b", "A  B", "#?%")
    run = write_run(tmp_path / "run", methods=labels, images=[name.replace("/", "") for name in images])
    assert main([str(run), "--site", str(tmp_path / "out")]) == 0
    for path in (tmp_path / "out").rglob("*.html"):
        assert "<script>alert" not in path.read_text("utf-8")
        for address in Page(path).addresses:
            name = address.partition("#")[0]
            assert address.startswith(("data:", "#")) or (path.parent / unquote(name)).is_file(), address
    assert {path.name for path in tmp_path.iterdir()} == {"run", "out"}


def test_names_of_files_are_plain_and_no_two_alike() -> None:
    made = slugs(["A b", "a-b", "été", "../..", "蛇", ""])
    assert list(made.values()) == ["A-b", "a-b-2", "ete", "unnamed", "unnamed-2", "unnamed-3"]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", pictures=None)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(SuiteError, match="is not empty: remove it, or give another"):
        main([str(run), "--site", str(tmp_path / "mine")])
    with pytest.raises(SuiteError, match="is no folder"):
        main([str(run), "--site", str(tmp_path / "mine" / "thesis.txt")])
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", pictures=None)
    assert main([str(run), str(tmp_path / "nowhere"), "--site", str(tmp_path / "out")]) == 1
    assert "warning: Left out" in capsys.readouterr().err
    assert "1 of the folders asked for could not be read" in Page(tmp_path / "out/index.html").text


@pytest.mark.parametrize("words", [[], ["run", "--site", "out", "--out", "x.html"]])
def test_neither_nothing_nor_two_places_to_write_to(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert "--site" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.slow
def test_the_committed_results_are_a_small_site(tmp_path: Path) -> None:
    assert main(["--site", str(tmp_path / "out")]) == 0
    assert sum(map(len, _files(tmp_path / "out").values())) < 25e6
    assert len(list((tmp_path / "out").glob("settings/*/report.html"))) >= 20

"""Observations go out, restorations made elsewhere come in as a row."""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import scipy.io
import torch
from PIL import Image
from scipy import ndimage
from skimage import data

from benchmarks.exchange import export, score
from benchmarks.folder.facts import read_facts
from datasets.errors import SuiteError
from datasets.exchange import MANIFEST, read_observations
from datasets.noise import Gaussian
from datasets.observation import Observation
from datasets.operators import Identity
from datasets.task import Key, get_task
from methods.adapters.folder import ResultsFolder
from methods.registry import get_method
from tests.benchmarks.conftest import Runner
from tests.benchmarks.test_main import QUICK, answer


@pytest.fixture
def out(folder: Path, tmp_path: Path) -> Path:
    """The observations of the three crops at σ = 25."""
    return write(folder, tmp_path / "export")


def write(folder: Path, out: Path, *extra: str, task: str = "denoise") -> Path:
    assert export.main(["--task", task, "--dataset", str(folder), "--out", str(out), *extra]) == 0
    return out


def images(out: Path) -> list[dict[str, object]]:
    return list(json.loads((out / MANIFEST).read_text())["images"])


def arrays(out: Path) -> dict[str, np.ndarray]:
    return {path.stem: np.load(path) for path in sorted((out / "npy").iterdir())}


def restored(y: np.ndarray, sigma: float = 25) -> dict[str, np.ndarray]:
    """What a method of the suite makes of an exported array: x̂, φ and g."""
    pixels = torch.from_numpy(np.atleast_3d(y).transpose(2, 0, 1).copy())[None]
    observation = Observation(pixels, Identity(), Gaussian(torch.tensor([sigma / 255])))
    made = get_method("nlm").restore(observation)
    parts = {"": made.image, ".phi": made.phi, ".g": made.prior}
    return {name: part[0].numpy().transpose(1, 2, 0) for name, part in parts.items() if part is not None}


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, pixels)
    elif path.suffix == ".mat":
        scipy.io.savemat(path, {"restored": pixels.astype(float), "y": pixels, "sigma": 25.0})
    else:
        cv2.imwrite(str(path), (pixels.clip(0, 1) * 255).round().astype(np.uint8)[..., ::-1])


def elsewhere(out: Path, results: Path, ending: str = ".npy") -> Path:
    """Restore all that was exported."""
    for name, y in arrays(out).items():
        save(results / f"{name}{ending}", restored(y)[""])
    return results


def row(results: Path, out: Path) -> str:
    return f"mine=folder[path={results},observations={out}]"


def records(run: Path) -> dict[tuple[str, str], dict[str, str]]:
    with open(run / "records.csv", newline="") as table:
        return {(line["image"], line["method"]): line for line in csv.DictReader(table)}


def test_what_is_written_is_what_methods_are_given(folder: Path, out: Path) -> None:
    from datasets.dataset import get_dataset

    dataset, task = get_dataset(str(folder)), get_task("denoise")
    for entry, told in zip(dataset.entries(), images(out), strict=True):
        y = np.load(out / f"npy/{entry.name}.npy")
        observation = task.degrade(entry.load(), Key(0, dataset.label, entry.name))
        np.testing.assert_array_equal(y, observation.y[0].permute(1, 2, 0).numpy())
        assert (told["sha256"], told["clean_sha256"]) == (hashlib.sha256(y.tobytes()).hexdigest(), entry.sha256())
        assert (told["sigma"], told["shape"], told["mask_sha256"]) == (25, [48, 40, 3], None)
        mat = scipy.io.loadmat(out / f"mat/{entry.name}.mat")
        assert {name for name in mat if name[0] != "_"} == {"y", "mask", "sigma"}
        np.testing.assert_array_equal(mat["y"], y)
        assert mat["sigma"].item() == 25
        picture = cv2.imread(str(out / f"png/{entry.name}.png"), cv2.IMREAD_UNCHANGED)
        assert picture is not None
        assert picture.dtype == np.uint16
        np.testing.assert_allclose(picture[..., ::-1] / 65535, y.clip(0, 1), atol=0.51 / 65535)
    assert not (out / "mask").exists()


def test_hidden_sigma_stays_hidden(folder: Path, tmp_path: Path) -> None:
    out = write(folder, tmp_path / "export", "--sigma", "5:50", "--limit", "1")
    assert images(out)[0]["sigma"] is None
    assert scipy.io.loadmat(out / "mat/crop0.mat")["sigma"].size == 0


@pytest.mark.parametrize(("ending", "tolerance"), [(".npy", 1e-6), (".mat", 1e-6), (".png", 0.01), (".tif", 0.01)])
def test_a_result_scores_as_the_row_itself(
    out: Path, tmp_path: Path, run_here: Runner, capsys: pytest.CaptureFixture[str], ending: str, tolerance: float
) -> None:
    results = elsewhere(out, tmp_path / "results", ending)
    assert run_here("--methods", f"nlm,{row(results, out)}") == 0
    found = records(tmp_path / "run")
    for name in arrays(out):
        for metric in ("psnr", "ssim"):
            ours, mine = (float(found[name, method][metric]) for method in ("nlm", "mine"))
            assert mine == pytest.approx(ours, abs=tolerance)
    assert ("rounded to 8 bit, ±0.5/255: crop0, crop1, crop2" in capsys.readouterr().out) == (tolerance > 1e-6)


def test_a_script_outside_the_suite(folder: Path, out: Path, tmp_path: Path, run_here: Runner) -> None:
    results = tmp_path / "results"
    results.mkdir()
    script = (
        "import sys, pathlib, scipy.io, scipy.ndimage\n"
        "for f in pathlib.Path(sys.argv[1], 'mat').glob('*.mat'):\n"
        "    y = scipy.io.loadmat(f)['y']\n"
        "    x = scipy.ndimage.gaussian_filter(y, (1, 1, 0))\n"
        "    scipy.io.savemat(pathlib.Path(sys.argv[2], f.name), {'x': x})\n"
    )
    subprocess.run([sys.executable, "-c", script, str(out), str(results)], check=True, cwd=tmp_path)
    assert run_here("--methods", row(results, out), "--metrics", "psnr") == 0
    for (name, _), record in records(tmp_path / "run").items():
        clean = np.asarray(Image.open(folder / f"{name}.png")) / 255
        x = scipy.io.loadmat(results / f"{name}.mat")["x"].clip(0, 1)
        error = ((x * 255).round() / 255 - clean) ** 2
        assert float(record["psnr"]) == pytest.approx(-10 * np.log10(error.mean()), abs=1e-4)


def test_floats_are_not_clipped_in_a_mat_of_version_73_either(out: Path, tmp_path: Path) -> None:
    """MATLAB writes version 7.3, which is HDF5 with reversed axes, when it is asked to."""
    y = arrays(out)["crop0"]
    (tmp_path / "results").mkdir()
    with h5py.File(tmp_path / "results" / "crop0.mat", "w", userblock_size=512) as file:
        file["image"] = (3 * y).astype(float).T
    image = observe(out, "crop0", ResultsFolder(tmp_path / "results", out))
    np.testing.assert_allclose(image, 3 * y, rtol=1e-6)


def observe(out: Path, name: str, method: ResultsFolder) -> np.ndarray:
    """Restore one exported image by a row; (H,W,3)."""
    y = torch.from_numpy(arrays(out)[name].transpose(2, 0, 1).copy())[None]
    image = method.restore(Observation(y, Identity(), None)).image
    assert image.dtype == y.dtype
    return image[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize(
    ("extra", "task"), [(("--seed", "1"), "denoise"), (("--sigma", "15"), "denoise"), ((), "inpaint-center")]
)
def test_another_setting_is_refused_in_one_line(
    out: Path, tmp_path: Path, run_here: Runner, extra: tuple[str, ...], task: str
) -> None:
    results = elsewhere(out, tmp_path / "results")
    told = r"were exported for denoise sigma=25 on folder:images \(test\), seed 0"
    with pytest.raises(SuiteError, match=told) as said:
        run_here(*extra, "--methods", row(results, out), task=task)
    assert "\n" not in str(said.value)
    assert not (tmp_path / "run").exists()


def test_another_set_is_refused(folder: Path, out: Path, tmp_path: Path, run_here: Runner) -> None:
    results = elsewhere(out, tmp_path / "results")
    with pytest.raises(SuiteError, match="were exported for denoise"):
        run_here("--methods", row(results, out), dataset=folder.rename(tmp_path / "others"))


def test_an_image_that_has_changed_is_never_given_the_old_result(
    folder: Path, out: Path, tmp_path: Path, run_here: Runner
) -> None:
    results = elsewhere(out, tmp_path / "results")
    Image.fromarray(data.astronaut()[:48, :40]).save(folder / "crop1.png")
    assert run_here("--methods", row(results, out)) == 1
    errors = {image: line["error"] for (image, _), line in records(tmp_path / "run").items()}
    assert "none of those exported" in errors.pop("crop1")
    assert set(errors.values()) == {""}


def test_missing_extra_and_resized_results_are_named(
    out: Path, tmp_path: Path, run_here: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    results = elsewhere(out, tmp_path / "results")
    (results / "crop1.npy").rename(results / "crop7.npy")
    save(results / "crop2.npy", np.zeros((24, 20, 3)))
    (results / "notes.txt").touch()
    assert run_here("--methods", row(results, out)) == 1
    said = capsys.readouterr().out
    assert "1 of 3 results are missing: crop1" in said
    assert "belong to no image or are not read: crop7.npy, notes.txt" in said
    found = records(tmp_path / "run")
    assert not found["crop0", "mine"]["error"]
    assert "no result for image 'crop1'" in found["crop1", "mine"]["error"]
    assert "is 20×24, colour and image 'crop2' is 40×48, colour" in found["crop2", "mine"]["error"]


def test_phi_and_g_make_the_row_decoupled(out: Path, tmp_path: Path, run_here: Runner) -> None:
    results = tmp_path / "results"
    for name, y in arrays(out).items():
        for part, pixels in restored(y).items():
            save(results / f"{name}{part}.npy", pixels)
    np.save(results / "crop1.g.npy", np.load(results / "crop1.g.npy") + 0.1)
    (results / "crop2.g.npy").unlink()
    assert run_here("--methods", f"nlm,{row(results, out)}") == 1
    found = records(tmp_path / "run")
    mine, ours = (float(found["crop0", method]["phi_mean"]) for method in ("mine", "nlm"))
    assert mine == pytest.approx(ours, abs=1e-6)
    assert "(1 − φ) f + φ g" in found["crop1", "mine"]["error"]
    assert "crop2.phi.npy is alone" in found["crop2", "mine"]["error"]


def test_draws_are_averaged_and_counted(out: Path, tmp_path: Path) -> None:
    results, y = tmp_path / "results", arrays(out)["crop0"]
    for number in (1, 2, 10):
        save(results / f"crop0.draw{number}.npy", y + number)
    method = ResultsFolder(results, out)
    np.testing.assert_allclose(observe(out, "crop0", method), y + 13 / 3, rtol=1e-5)
    assert "x̂ is the mean of 3 draws for 1 image(s)" in method.remarks()
    save(results / "crop0.npy", y)
    with pytest.raises(SuiteError, match="has draws beside it"):
        observe(out, "crop0", method)


def test_odd_file_names(folder: Path, tmp_path: Path, run_here: Runner) -> None:
    names = ["a", "a.png", "A", "été 1", "x.g", "x", "x.draw1", "x.phi", "50%"]
    for place, name in enumerate(names):
        Image.fromarray(data.astronaut()[place : place + 20, :20]).save(folder / f"{name}.png")
    out = write(folder, tmp_path / "export")
    results = elsewhere(out, tmp_path / "results")
    assert len({str(image["result"]).casefold() for image in images(out)}) == len(names) + 3
    assert run_here("--methods", f"nlm,{row(results, out)}") == 0
    found = records(tmp_path / "run")
    assert {name for name, _ in found} >= {"a", "A", "été 1", "x.g", "x", "x.draw1", "x.phi"}
    assert all(found[name, "mine"]["psnr"] == found[name, "nlm"]["psnr"] for name, _ in found)


@pytest.mark.parametrize("task", ["inpaint-random", "colorize"])
def test_other_tasks(folder: Path, tmp_path: Path, run_here: Runner, task: str) -> None:
    out = write(folder, tmp_path / "export", task=task)
    results = tmp_path / "results"
    for told in images(out):
        y = np.load(out / f"npy/{told['result']}.npy")
        assert y.shape == ((48, 40) if task == "colorize" else (48, 40, 3))
        if task == "inpaint-random":
            mask = np.load(out / f"mask/{told['result']}.npy")
            assert hashlib.sha256(mask.tobytes()).hexdigest() == told["mask_sha256"]
            np.testing.assert_array_equal(np.asarray(Image.open(out / f"mask/{told['result']}.png")), 255 * mask)
            assert not y[mask == 0].any()
        save(results / f"{told['result']}.npy", np.repeat(y[..., None], 3, axis=2) if y.ndim == 2 else y)
    assert run_here("--methods", row(results, out), task=task) == 0
    assert len(records(tmp_path / "run")) == 3


def test_no_seconds_and_no_reliance_and_nothing_twice(
    out: Path, tmp_path: Path, run_here: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    results = elsewhere(out, tmp_path / "results")
    arguments = ("--methods", f"noisy,{row(results, out)}", "--reliance", "--limit", "1")
    assert run_here(*arguments) == 0
    found = records(tmp_path / "run")
    empty = ("seconds", "peak_mb", "phi_implied", "sure")
    assert not any(found["crop0", "mine"][name] for name in empty)
    assert all(found["crop0", "noisy"][name] for name in ("seconds", "phi_implied"))
    assert "mine: made elsewhere: no seconds, no memory and no implied reliance." in capsys.readouterr().out
    assert read_facts(tmp_path / "run" / "run.json").rows["mine"].remarks
    assert run_here(*arguments) == 0
    assert "2 of 2 results are already" in capsys.readouterr().out


def test_a_result_that_changes_is_scored_again(out: Path, tmp_path: Path, run_here: Runner) -> None:
    results = elsewhere(out, tmp_path / "results")
    run_here("--methods", row(results, out))
    before = records(tmp_path / "run")["crop1", "mine"]["psnr"]
    save(results / "crop1.npy", arrays(out)["crop1"])
    run_here("--methods", row(results, out))
    assert float(records(tmp_path / "run")["crop1", "mine"]["psnr"]) < float(before)


def test_an_export_is_whole_and_never_written_over(folder: Path, out: Path, tmp_path: Path) -> None:
    before = (out / MANIFEST).read_bytes()
    write(folder, out)
    assert (out / MANIFEST).read_bytes() == before
    with pytest.raises(SuiteError, match=r"holds other observations \(denoise sigma=25 on folder:images"):
        write(folder, out, "--seed", "1")
    with pytest.raises(SuiteError, match="holds something else"):
        write(folder, folder)
    (folder / "crop1.png").write_bytes(b"broken")
    with pytest.raises(SuiteError, match=r"crop1\.png"):
        write(folder, tmp_path / "new", "--strict")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export", "images"]
    assert export.main(["--task", "denoise", "--dataset", str(folder), "--out", str(tmp_path / "new")]) == 1
    assert len(images(tmp_path / "new")) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [("version", 2), ("images", []), ("images", [{"name": "a"}]), ("seed", "0"), ("task", None), ("images", "../")],
)
def test_a_damaged_manifest_is_one_line(out: Path, name: str, value: object) -> None:
    values = json.loads((out / MANIFEST).read_text())
    if value == "../":
        values["images"][0]["result"] = "../crop0"
    else:
        values[name] = value
    (out / MANIFEST).write_text(json.dumps(values))
    with pytest.raises(SuiteError, match="cannot be read") as said:
        read_observations(out)
    assert "\n" not in str(said.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"a": np.zeros((48, 40, 3)), "b": np.zeros((48, 40, 3))}, "2 image arrays"),
        ({"a": 1.0}, "no image array"),
        ({"x": np.zeros((48, 40, 3), np.int32)}, "int32 numbers"),
        ({"x": np.full((48, 40, 3), np.nan)}, "NaN"),
        (None, "cannot be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_a_result_is_named(out: Path, tmp_path: Path, content: dict[str, object], said: str) -> None:
    path = tmp_path / "crop0.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file, cut off" * 9)
    if content is not None:
        scipy.io.savemat(path, content)
    with pytest.raises(SuiteError, match=said) as error:
        observe(out, "crop0", ResultsFolder(tmp_path, out))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_score_runs_what_was_exported(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = write(folder, tmp_path / "export", "--sigma", "15,25", "--limit", "2", "--seed", "3")
    names = sorted(path.name for path in out.iterdir())
    for name in names:
        elsewhere(out / name, tmp_path / name)
    asked = argparse.Namespace(
        folder=tmp_path, row="mine", observations=out, out=Path("runs"), protocol=None, metrics="psnr", device="cpu",
        methods=None,
    )  # fmt: skip
    made = score.commands(asked)
    for words, name, sigma in zip(made, names, ("sigma=15", ""), strict=True):
        assert f"--task=denoise[{sigma}]" in words or (not sigma and "--task=denoise" in words)
        assert {f"--dataset=folder[path={folder}]", "--seed=3", "--limit=2", f"--out=runs/{name}"} <= set(words)
        assert f"--methods=mine=folder[path={tmp_path / name},observations={out / name}]" in words
    with pytest.raises(SuiteError, match="cannot be the name of a row"):
        score.commands(argparse.Namespace(**{**vars(asked), "row": "a=b"}))
    with pytest.raises(SuiteError, match="is no folder: put the results for denoise sigma=15"):
        score.commands(argparse.Namespace(**{**vars(asked), "folder": folder}))
    with pytest.raises(SuiteError, match="with --observations"):
        score.commands(argparse.Namespace(**{**vars(asked), "folder": folder, "observations": None}))
    with pytest.raises(SuiteError, match="as in --as mine"):
        score.main([str(out / names[0])])


@pytest.mark.slow
def test_a_students_table_of_four_sets_and_three_levels_by_three_commands(tmp_path: Path) -> None:
    """An own checkpoint and a folder of PNGs beside classic rows, and what is committed; pasted as LaTeX."""
    for number, crop in enumerate(("A", "B", "C", "D")):
        (tmp_path / crop).mkdir()
        for part in range(2):
            pixels = data.astronaut()[64 * number : 64 * number + 48, 64 * part : 64 * part + 48]
            Image.fromarray(pixels).save(tmp_path / crop / f"{part}.png")
    torch.jit.script(Halved()).save(str(tmp_path / "own.pt"))
    sets = [word for crop in "ABCD" for word in ("--dataset", f"./{crop}")]
    done, _ = answer(
        "benchmarks", "export", "--task", "denoise", "--sigma", "15,25,50", *sets, "--out", "F", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    for folder in (tmp_path / "F").iterdir():  # the student's own program
        (tmp_path / "R" / folder.name).mkdir(parents=True)
        for file in (folder / "npy").glob("*.npy"):
            pixels = np.clip(ndimage.gaussian_filter(np.load(file), (0.7, 0.7, 0)), 0, 1)
            Image.fromarray(np.rint(255 * pixels).astype(np.uint8)).save(
                tmp_path / "R" / folder.name / f"{file.stem}.png"
            )
    rows = "noisy,bilateral,own=checkpoint[file=own.pt]"
    words = ["--as", "matlab", "--observations", "F", "--methods", rows, "--metrics", "psnr,ssim", "--out", "runs"]
    done, _ = answer("benchmarks", "score", "R", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    words = ["--layout", "paper", "--metrics", "psnr,ssim", "--rows", "noisy,bilateral,matlab,own", "--format", "tex"]
    done, _ = answer("benchmarks", "table", "runs", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(r"\multicolumn{2}{c}") == 12
    lines = [line for line in done.stdout.splitlines() if line.startswith(("noisy", "bilateral", "matlab", "own"))]
    assert [line.count(" & ") for line in lines] == [24] * 4
    assert "rounded to 8 bit" in done.stdout
    assert "made elsewhere: no seconds" in done.stdout


class Halved(torch.nn.Module):
    """A network: the mean of each pixel and its neighbour to the right."""

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        return 0.5 * (y + torch.roll(y, 1, 3))


@pytest.mark.slow
def test_the_three_commands(tmp_path: Path) -> None:
    done, _ = answer("benchmarks", "export", "--task", "denoise", "--limit", "1", "--out", "F", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    elsewhere(tmp_path / "F", tmp_path / "R")
    (tmp_path / "R" / MANIFEST).write_bytes((tmp_path / "F" / MANIFEST).read_bytes())
    done, _ = answer("benchmarks", "score", "R", "--as", "mine", "--metrics", "psnr", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert ("astronaut", "mine") in records(tmp_path / "results/runs/denoise-25-photos")


def test_a_mistyped_name_does_not_wait_for_torch(tmp_path: Path) -> None:
    done, seconds = answer("benchmarks", "export", "--task", "denoize", "--out", str(tmp_path / "F"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "Did you mean denoise" in done.stderr
    assert seconds < QUICK

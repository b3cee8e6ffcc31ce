"""Training of φ: what it reads, what it learns, and that it can be killed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from skimage.io import imsave
from torch import Tensor

from bigprior.fusion import fuse
from bigprior.phi.network import PhiConfig, load_phi
from bigprior.phi.train import (
    Cached,
    Files,
    FromSource,
    Pair,
    PhiProblem,
    Source,
    evaluate,
    lifted,
    named_prior,
    read_pairs,
)
from bigprior.priors.base import GenerativePrior, Inversion, Progress
from bigprior.train import main
from bigprior.training import LOG, WEIGHTS, Recipe, train
from datasets.dataset import Dataset, Entry, RegisteredImage, get_dataset
from datasets.errors import SuiteError
from datasets.observation import Observation
from datasets.task import get_task
from datasets.training_images import HELD_OUT

SIDE = 32


class Drawn(Entry):
    """A smooth colour picture drawn from its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def load(self) -> Tensor:
        coarse = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(int(self.name)))
        return torch.nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic")[0].clamp(0, 1)

    def sha256(self) -> str:
        return self.name

    def where(self) -> str | None:
        return "embedded"

    def check(self) -> None: ...


class Toy(Dataset):
    """12 training images; whoever asks for the test images fails the test."""

    name = "toy"  # type: ignore[misc]
    colour = True  # type: ignore[misc]
    splits = ("train", "test")  # type: ignore[misc]

    def entries(self, split: str = "test") -> list[Entry]:
        self.check_split(split)
        assert split == "train", "a test split was read"
        return [Drawn(f"{number:03}") for number in range(12)]


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("bigprior.phi.train.get_dataset", lambda name: Toy())
    return


def half_right(source: Source, observation: Observation) -> Tensor:
    """g: the truth on the right half, gray noise on the left."""
    clean = Drawn(source.image).load()[None]
    noise = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(source.number))
    return torch.cat([noise[..., : SIDE // 2], clean[..., SIDE // 2 :]], dim=-1)


@pytest.mark.usefixtures("toy")
def test_the_last_images_validate_and_no_test_image_is_read() -> None:
    seen: list[Source] = []

    def prior(source: Source, observation: Observation) -> Tensor:
        seen.append(source)
        assert observation.truth is None, "a prior must not see the truth"
        return half_right(source, observation)

    fit, held_out = read_pairs(get_task("denoise", sigma="5:50"), ["toy"], prior, draws=3, held_out=4)
    assert len(fit) == 8 * 3
    assert len(held_out) == 4
    assert {s.number for s in seen} == set(range(12))
    assert all(s.draw == 0 for s in seen if s.number >= 8)
    assert len({float(p.sigma) for p in fit}) > 10, "every draw has its own noise level"
    for truth, pair in zip(range(8, 12), held_out, strict=True):
        assert torch.equal(pair.clean[0], Drawn(f"{truth:03}").load())
    for pair in fit[:3]:
        assert float((pair.fidelity - pair.clean).std()) == pytest.approx(float(pair.sigma), rel=0.1)
        errors = [float((part - pair.clean).square().mean()) for part in (pair.fidelity, pair.prior)]
        assert float(pair.better) == pytest.approx(min(errors), rel=1e-5)


@pytest.mark.realdata
def test_the_papers_test_images_are_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    test = {entry.name for entry in get_dataset("lsun-bedroom").entries("test")}
    loaded: list[str] = []

    def load(self: RegisteredImage) -> Tensor:
        loaded.append(self.name)
        return torch.rand(3, 16, 16)

    monkeypatch.setattr(RegisteredImage, "load", load)
    read_pairs(get_task("colorize"), ["lsun-bedroom"], lifted)
    assert len(set(loaded)) == 250
    assert len(test) == 50
    assert not test & set(loaded)
    loaded.clear()
    fit, held_out = read_pairs(get_task("colorize"), ["lsun-bedroom"], lifted, held_out=6, unseen=True)
    assert (len(fit), len(held_out)) == (14, 6)
    assert not set(loaded) & {e.name for e in get_dataset("lsun-bedroom").entries("train")[:-HELD_OUT]}


def test_images_of_a_prior_are_found_by_number_name_or_pattern(tmp_path: Path) -> None:
    observation = get_task("colorize").degrade(Drawn("001").load(), None)  # type: ignore[arg-type]
    for level, name in enumerate(["5.png", "abc.png", "deep/abc/it.png"]):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        imsave(tmp_path / name, np.full((SIDE, SIDE, 3), 50 * level, np.uint8), check_contrast=False)
    folder = Files(str(tmp_path))
    assert float(folder(Source("toy", "abc", 5, 0), observation).max()) == 0, "the number is first"
    assert float(folder(Source("toy", "abc", 6, 0), observation).max()) == pytest.approx(50 / 255)
    pattern = Files(str(tmp_path / "deep/{name}/it.png"))
    assert float(pattern(Source("toy", "abc", 6, 0), observation).max()) == pytest.approx(100 / 255)
    with pytest.raises(SuiteError, match=r"7\.png.* cannot be read"):
        folder(Source("toy", "none", 7, 0), observation)
    imsave(tmp_path / "8.png", np.zeros((20, 20, 3), np.uint8), check_contrast=False)
    with pytest.raises(SuiteError, match="is 3x20x20, the observation 3x32x32"):
        folder(Source("toy", "none", 8, 0), observation)


def test_a_prior_is_asked_once(tmp_path: Path) -> None:
    calls = []

    def slow(source: Source, observation: Observation) -> Tensor:
        calls.append(source)
        return half_right(source, observation)

    observation = get_task("colorize").degrade(Drawn("001").load(), None)  # type: ignore[arg-type]
    cached, source = Cached(slow, tmp_path), Source("toy", "001", 1, 0)
    first, second = cached(source, observation), cached(source, observation)
    assert len(calls) == 1
    torch.testing.assert_close(first, second, rtol=0, atol=1e-3)
    cached(Source("toy", "001", 1, 1), observation)
    assert len(calls) == 2, "another draw is another observation"


def halved(observation: Observation) -> Tensor:
    """A prior that is a function."""
    return observation.fidelity / 2


class Halving(GenerativePrior):
    """A prior that is one."""

    def decode(self, latents: Sequence[Tensor]) -> Tensor:
        return latents[0]

    def invert(self, observation: Observation, progress: Progress | None = None) -> Inversion:
        image = halved(observation)
        return Inversion(image, torch.zeros(0, len(image)), torch.zeros(len(image), dtype=torch.int64), (image,))


class Numbering(FromSource):
    """A prior that knows which image it is asked about."""

    def __call__(self, source: Source, observation: Observation) -> Tensor:
        return observation.fidelity + source.number


def test_a_prior_may_ask_which_image_it_is() -> None:
    observation = get_task("colorize").degrade(Drawn("001").load(), None)  # type: ignore[arg-type]
    image = named_prior(f"{__name__}:Numbering")(Source("toy", "007", 6, 0), observation)
    assert torch.equal(image, observation.fidelity + 6)


def test_a_prior_is_found_by_its_name() -> None:
    observation = get_task("colorize").degrade(Drawn("001").load(), None)  # type: ignore[arg-type]
    for name in ("halved", "Halving"):
        image = named_prior(f"{__name__}:{name}")(Source("toy", "001", 1, 0), observation)
        assert torch.equal(image, observation.fidelity / 2)
    for name in ("none", f"{__name__}:none", "no.such.module:x"):
        with pytest.raises(SuiteError, match=r"no prior .*: give MODULE:NAME"):
            named_prior(name)


RECIPE = Recipe(steps=6, batch=2, size=16, rate=0.005, warm_up=2, ema=0.9, validate=2, save=0)


def problem(loss: str = "relative", scale: int = 1) -> PhiProblem:
    pairs = read_pairs(get_task("colorize"), ["toy"], half_right, held_out=4)
    return PhiProblem(PhiConfig("colorize", (16, 16), scale), pairs, loss)


class Killed(PhiProblem):
    """Is killed in the batch of a step."""

    steps = 0

    def batch(self, random: np.random.Generator, recipe: Recipe) -> Pair:
        self.steps += 1
        if self.steps == 4:
            raise KeyboardInterrupt
        return super().batch(random, recipe)


@pytest.mark.usefixtures("toy")
def test_killed_and_resumed_equals_undisturbed(tmp_path: Path) -> None:
    train(problem(), RECIPE, tmp_path / "whole", say=lambda _: None)
    pairs = read_pairs(get_task("colorize"), ["toy"], half_right, held_out=4)
    with pytest.raises(KeyboardInterrupt):
        train(Killed(PhiConfig("colorize", (16, 16)), pairs), RECIPE, tmp_path / "killed", say=lambda _: None)
    train(problem(), RECIPE, tmp_path / "killed", resume=True, say=lambda _: None)
    whole, resumed = (load_file(tmp_path / name / WEIGHTS) for name in ("whole", "killed"))
    for name in whole:
        assert torch.equal(whole[name], resumed[name]), name


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize("loss", ["relative", "gain", "paper"])
def test_learns_where_the_prior_is_right(tmp_path: Path, loss: str) -> None:
    """f is gray and wrong in colour everywhere; g is right on one half and noise on the other."""
    p = problem(loss)
    before = evaluate(p.at_work(p.network()), p.held_out)
    recipe = Recipe(steps=150, batch=4, size=SIDE, rate=0.05, warm_up=5, ema=0.9, validate=150)
    network = p.at_work(train(p, recipe, tmp_path, say=lambda _: None))
    after = evaluate(network, p.held_out)
    assert before["gain"] < 1
    assert after["gain"] > before["gain"] + 1
    pair = p.held_out[0]
    phi = network(pair.fidelity, pair.prior, pair.mask, pair.sigma)
    assert phi[..., SIDE // 2 + 4 :].mean() > phi[..., : SIDE // 2 - 4].mean() + 0.3


@pytest.mark.usefixtures("toy")
def test_a_network_of_means_is_trained_on_reduced_images(tmp_path: Path) -> None:
    p = problem(scale=2)
    batch = p.batch(np.random.default_rng(0), RECIPE)
    assert batch.clean.shape == (2, 3, 16, 16)
    assert p.held_out[0].clean.shape == (1, 3, SIDE // 2, SIDE // 2)
    network = p.at_work(p.network())
    assert network.config.scale == 2
    assert network(*(torch.rand(1, c, 35, 41) for c in (3, 3, 1)), torch.zeros(1)).shape == (1, 1, 35, 41)


@pytest.mark.usefixtures("toy")
def test_crops_are_of_one_piece() -> None:
    """x, f, g and the mask are cut, mirrored and turned together."""
    task = get_task("inpaint-center")
    pairs = read_pairs(task, ["toy"], lambda s, o: Drawn(s.image).load()[None] / 2, held_out=4)
    batch = PhiProblem(PhiConfig(task.name, (16, 16), hole_only=True), pairs).batch(np.random.default_rng(1), RECIPE)
    torch.testing.assert_close(batch.prior, batch.clean / 2, rtol=0, atol=1e-3)
    torch.testing.assert_close(batch.fidelity, batch.clean * batch.mask, rtol=0, atol=1e-3)
    assert 0 < batch.mask.mean() < 1


@pytest.mark.usefixtures("toy")
def test_the_command_line_leaves_weights_log_figure_and_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, out = tmp_path / "g", tmp_path / "out"
    images.mkdir()
    for number in range(12):
        picture = Drawn(f"{number:03}").load().permute(1, 2, 0).numpy()
        imsave(images / f"{number}.png", (255 * picture).astype(np.uint8), check_contrast=False)
    words = ["phi", "--task", "colorize", "--set", "toy", "--prior-images", str(images), "--out", str(out)]
    words += ["--name", "p", "--steps", "4", "--batch", "2", "--size", "16", "--validate", "2"]
    words += ["--held-out", "4", "--widths", "16", "16"]
    assert main(words) == 0
    network = load_phi(out / "p.safetensors")
    card = json.loads((out / "p.json").read_text())
    assert card["parameters"] == sum(p.numel() for p in network.parameters())
    assert card["command"] == f"python -m bigprior.train {' '.join(words)}".replace(str(out), "DIR")
    assert "8 pairs to fit" in card["images"]
    assert f"PSNR of the fusion {card['validation']['psnr']:.2f} dB" in (out / "p.md").read_text()
    assert (out / LOG).read_text().count("\n") == 3
    assert (out / "curve.png").stat().st_size > 1000
    with pytest.raises(SuiteError, match="add --resume"):
        main(words)
    weights = (out / "p.safetensors").read_bytes()
    assert main([*words, "--resume"]) == 0
    assert (out / "p.safetensors").read_bytes() == weights
    assert "step 4/4" in capsys.readouterr().out


def test_fusing_is_what_is_evaluated() -> None:
    clean, f, g = (torch.rand(1, 3, 16, 16) for _ in range(3))
    pair = Pair(clean, f, g, torch.ones(1, 1, 16, 16), torch.zeros(1), torch.ones(1))
    network = PhiProblem(PhiConfig("colorize", (16, 16)), ([pair], [pair])).network()
    found = evaluate(network, [pair])
    mse = float((fuse(f, g, torch.tensor(0.5)) - clean).square().mean())
    assert found["psnr"] == pytest.approx(-10 * np.log10(mse), abs=1e-4)
    assert found["phi_mean"] == 0.5

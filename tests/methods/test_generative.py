"""The rows of generative priors alone: what they keep of the data, what they need, and when `all` leaves them out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.rows import Row, select
from bigprior.priors import pggan
from bigprior.priors.deep_image_prior import Settings
from bigprior.priors.pggan import PGGAN, Layout
from datasets.errors import SuiteError
from datasets.operators import Luma
from datasets.task import get_task
from methods.fusion import inversion
from methods.fusion.deep_image_prior import DeepImagePriorAlone
from methods.fusion.inversion import FeatureMaps, Mgan, PgganInversion
from methods.registry import get_method
from tests.bigprior.generators import official_state
from tests.methods.test_contract import channels_of, observe
from tests.methods.test_contract import rows as names

QUICK = DeepImagePriorAlone(
    denoising=Settings(channels=(8, 8), skips=(2, 2), inputs=4),
    inpainting=Settings(channels=(8, 8), skips=(0, 0), upsampling="nearest", inputs=0, average=None),
    iterations=30,
)
TASKS = ["denoise", "inpaint-center", "inpaint-random", "colorize"]
PGGAN_ROWS = [f"{kind}-{s}" for kind in ("mgan", "feature-map") for s in ("bedroom", "church", "conference")]


@pytest.mark.parametrize("name", TASKS)
def test_the_untrained_network_is_a_fusion(name: str) -> None:
    task = get_task(name)
    for channels in channels_of(task):
        observation = observe(task, (33, 47), channels).without_truth()
        before = observation.y.clone()
        restoration = QUICK.restore(observation)
        assert torch.equal(observation.y, before)
        assert restoration.image.shape == observation.fidelity.shape
        assert restoration.phi is not None
        assert set(restoration.phi.unique().tolist()) <= {0.0, 1.0}
        torch.testing.assert_close(restoration.recompose(), restoration.image, rtol=0, atol=1e-5)
        pixel = restoration.phi_map()
        assert pixel is not None
        assert pixel.shape == (1, 1, 33, 47)
        seen = observation.mask.bool().expand_as(observation.y)
        if name.startswith("inpaint"):
            assert torch.equal(restoration.image[seen], observation.y[seen])
        if name == "colorize":
            torch.testing.assert_close(Luma().forward(restoration.image), observation.y, rtol=0, atol=1e-5)


def test_without_noise_the_data_are_kept_and_a_blind_sigma_is_estimated() -> None:
    clean = observe(get_task("denoise", sigma="0"), (33, 47), 3).without_truth()
    assert torch.equal(QUICK.restore(clean).image, clean.y)
    blind = observe(get_task("denoise", sigma="5:50"), (33, 47), 3).without_truth()
    mean = QUICK.restore(blind).phi_mean()
    assert mean is not None
    assert float(mean) == 1.0


def test_only_on_request_on_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pggan.FOLDER, str(tmp_path))
    task = get_task("denoise")
    rows, reasons = select(task, "all", "cpu")
    assert "deep-image-prior" not in {row.label for row in rows}
    assert "CPU" in reasons["deep-image-prior"]
    assert "--methods" in reasons["deep-image-prior"]
    made_for_it = {name for name in names() if task.problem in get_method(name).problems}
    assert {row.label for row in rows} | set(reasons) == made_for_it
    assert Row.parse("deep-image-prior") in select(task, "all", "cuda:0")[0]
    assert select(task, "deep-image-prior", "cpu") == ([Row.parse("deep-image-prior")], {})


@pytest.mark.parametrize("name", PGGAN_ROWS)
def test_without_weights_there_is_a_reason_and_a_remedy(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(pggan.FOLDER, str(tmp_path))
    method = get_method(name)
    assert isinstance(method, PgganInversion)
    for task in TASKS:
        reason = method.supports(get_task(task))
        assert reason is not None
        assert f"pggan_{method.checkpoint}_generator.pth" in reason
        assert pggan.FOLDER in reason
    with pytest.raises(SuiteError, match=f"method '{name}' cannot run on .*weights are not on this machine"):
        select(get_task("denoise"), name, "cpu")
    method.weights()[0].write_bytes(b"any")
    assert method.supports(get_task("denoise")) is None
    assert method.weights() == (tmp_path / f"pggan_{method.checkpoint}_generator.pth",)


@pytest.mark.parametrize(
    "method", [Mgan("bedroom", iterations=2), FeatureMaps("bedroom", iterations=2)], ids=lambda m: m.name
)
@pytest.mark.parametrize("name", TASKS)
def test_inversion_alone(name: str, method: PgganInversion, monkeypatch: pytest.MonkeyPatch) -> None:
    """g as it is; in colorization with the luma of y. With a small generator and simple features."""
    layout = Layout(64, 16, 256, 16)
    small = PGGAN(official_state(layout), layout)
    monkeypatch.setattr(inversion, "_generator", lambda name, path, device: small)
    monkeypatch.setattr(inversion, "vgg16", lambda device, dtype: lambda image: image)
    task = get_task(name)
    for channels in channels_of(task):
        observation = observe(task, (33, 47), channels).without_truth()
        restoration = method.restore(observation)
        assert restoration.image.shape == observation.fidelity.shape
        assert not restoration.decoupled
        if name == "colorize":
            torch.testing.assert_close(Luma().forward(restoration.image), observation.y, rtol=0, atol=1e-5)
            assert not torch.allclose(restoration.image[:, 0], restoration.image[:, 1], atol=1e-3)
        else:
            assert 0 <= restoration.image.min() <= restoration.image.max() <= 1


def test_features_of_vgg16_are_those_of_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    """With random weights in both."""
    from torchvision.models.vgg import cfgs, make_layers

    from bigprior.priors import perceptual

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = make_layers(cfgs["D"])
    state = {f"features.{name}": tensor for name, tensor in network.state_dict().items()}
    monkeypatch.setattr(perceptual, "ensure_features", lambda name: state)
    image = torch.rand(2, 3, 16, 12, generator=torch.Generator().manual_seed(0))
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = network[:16]((image - mean[:, None, None]) / deviation[:, None, None])
    # Past the caches: they must not keep these weights.
    monkeypatch.setattr(perceptual, "vgg16_layers", perceptual.vgg16_layers.__wrapped__)
    found = perceptual.vgg16.__wrapped__(torch.device("cpu"), torch.float32)(image)
    assert found.shape == (2, 256, 4, 3)
    torch.testing.assert_close(found, expected)

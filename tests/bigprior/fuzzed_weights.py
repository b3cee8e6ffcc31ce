"""Read files of weights that were spoiled by a seed: `python -m tests.bigprior.fuzzed_weights FOLDER FIRST COUNT`.

The seed is printed before its file is read, so that the last line names the one that crashed or hung. What is wrong
otherwise is printed as `seed N: ...`, and the exit status is then 1.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import re
import resource
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.io
import torch
from safetensors.torch import save
from torch.optim.swa_utils import AveragedModel

from bigprior.checkpoints import read_safetensors, read_state_dict
from bigprior.frozen import frozen
from bigprior.imagenet_features import Refused, from_cache
from bigprior.muon import Muon
from bigprior.phi import least_squares
from bigprior.phi.network import PhiConfig, PhiNetwork, load_phi, to_bytes
from bigprior.phi.paper_backbone import PaperBackbone, load_released
from bigprior.priors import pggan
from bigprior.priors.compact import prior
from bigprior.priors.compact.means import untrained
from bigprior.resume import restore
from bigprior.training import CHECKPOINT, comparable, train
from datasets.errors import SuiteError
from methods.supervised._matconvnet import read_matconvnet
from tests.bigprior.generators import SMALL, official_state
from tests.bigprior.test_training import RECIPE, Smoothing, quiet
from tests.methods.test_matconvnet import layers
from tests.methods.test_published_networks import write_matconvnet

SECONDS, MEMORY = 5, 1 << 30
HANGS = 60
"""Seconds after which a file is given up, and with it the process."""


class Kind(NamedTuple):
    """A whole file and what reads it."""

    content: bytes
    read: Callable[[Path], object]


def resumed(file: Path) -> object:
    network = Smoothing().network()
    state = comparable(RECIPE)
    return restore(file, state, Smoothing.selection, network, AveragedModel(network), Muon(network.parameters()))


def generator(file: Path) -> object:
    os.environ[pggan.FOLDER] = str(file.parent)
    file.replace(pggan.checkpoint("fuzzed"))
    return pggan.load("fuzzed", SMALL)


def network_of_means(file: Path) -> object:
    frozen.cache_clear()  # every file is another one, and the networks add up
    return prior.load_prior(file)


def features(file: Path) -> object:
    try:
        return from_cache(file)
    except Refused as error:
        raise SuiteError(str(error)) from error


def pickled(state: object, archive: bool = True) -> bytes:
    stream = io.BytesIO()
    torch.save(state, stream, _use_new_zipfile_serialization=archive)
    return stream.getvalue()


def kinds(folder: Path) -> dict[str, Kind]:
    """Every kind of file, small and whole."""
    state = {"a.weight": torch.ones(4, 3, 3, 3), "a.bias": torch.zeros(4), "b": torch.tensor(3)}
    backbone = {f"module.backbone.{name}": value for name, value in PaperBackbone(1).state_dict().items()}
    write_matconvnet(folder / "net.mat", layers())
    old = io.BytesIO()
    scipy.io.savemat(old, {"net": {"layers": np.zeros((3, 3))}})
    with contextlib.suppress(KeyboardInterrupt):
        train(Smoothing(killed_at=3), RECIPE, folder / "training", say=quiet)
    linear = {name: value + 0.5 for name, value in least_squares.LinearPhi().state_dict().items()}
    means = {name: value.half() for name, value in untrained().state_dict().items()}
    return {
        "archive": Kind(pickled(state), read_state_dict),
        "legacy": Kind(pickled(state, archive=False), read_state_dict),
        "safetensors": Kind(save(state), read_safetensors),
        "features": Kind(save(state), features),
        "phi": Kind(to_bytes(PhiNetwork(PhiConfig("denoise", (4, 4)))), load_phi),
        "linear": Kind(save(linear), least_squares.load_linear),
        "released": Kind(pickled(backbone, archive=False), load_released),
        "pggan": Kind(pickled(official_state()), generator),
        "prior": Kind(save(means), network_of_means),
        "matlab 7.3": Kind((folder / "net.mat").read_bytes(), read_matconvnet),
        "matlab 5": Kind(old.getvalue(), read_matconvnet),
        "checkpoint": Kind((folder / "training" / CHECKPOINT).read_bytes(), resumed),
    }


# Each takes the bytes of a file and the seed's generator.


def place(content: bytes, random: np.random.Generator) -> int:
    """Anywhere, or near one of the ends, where files say what is in them."""
    size = max(len(content), 1)
    near = int(random.integers(min(size, 1500)))
    return [int(random.integers(size)), near, near, size - 1 - near][random.integers(4)]


def flipped(content: bytes, random: np.random.Generator) -> bytes:
    spoiled = bytearray(content)
    for _ in range(random.integers(1, 9) if content else 0):
        spoiled[place(content, random)] ^= int(random.integers(1, 256))
    return bytes(spoiled)


def cut(content: bytes, random: np.random.Generator) -> bytes:
    return content[: place(content, random)]


def blocked(content: bytes, random: np.random.Generator) -> bytes:
    begin, size = place(content, random), int(2 ** random.uniform(0, 12))
    block = bytes([random.choice([0, 255])]) * size
    return content[:begin] + block + content[begin + size * int(random.integers(2)) :]


def extreme(content: bytes, random: np.random.Generator) -> bytes:
    begin, bits = place(content, random), int(random.choice([8, 16, 32, 64]))
    values = [0, 1, 1 << bits // 2, (1 << bits - 1) - 1, 1 << bits - 1, (1 << bits) - 1]
    value = values[random.integers(len(values))].to_bytes(bits // 8, random.choice(["little", "big"]))
    return content[:begin] + value + content[begin + len(value) :]


def written(content: bytes, random: np.random.Generator) -> bytes:
    """Another number, or a word in its place, in what is text: headers of safetensors, their configurations."""
    numbers = list(re.finditer(rb"\d+|true|false|F32|F16", content[:60_000]))
    if not numbers:
        return flipped(content, random)
    found = numbers[random.integers(len(numbers))]
    other = random.choice([b"0", b"-1", b"99999999999", b"18446744073709551615", b"1e999", b"null", b"[[]]", b'"x"',
                           b"C64", b"F8_E4M3", b"U16", b"16000", b"\x1b[31m"])  # fmt: skip
    return content[: found.start()] + bytes(other) + content[found.end() :]


def inside(content: bytes, random: np.random.Generator) -> bytes:
    """An archive that is whole, but for one of its entries, or for all being compressed."""
    if content[:2] != b"PK":
        return extreme(content, random)
    packed = io.BytesIO()
    compressed = zipfile.ZIP_DEFLATED if random.integers(8) == 0 else zipfile.ZIP_STORED
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w", compressed) as new:
        chosen = random.choice([old.namelist()[0], *old.namelist()])
        for name in old.namelist():
            entry = old.read(name)
            new.writestr(name, random.choice(PLAIN)(entry, random) if name == chosen else entry)
    return packed.getvalue()


PLAIN = np.array([flipped, cut, blocked, extreme, written])
HOW = np.array([*PLAIN, inside, inside, inside])


def main(folder: Path, first: int, count: int) -> int:
    """Return 1 if anything but a `SuiteError` came out of a reader, or it took too long or too much."""
    every = kinds(folder)
    names = list(every)
    for kind in every.values():  # whole files are read; and what is imported late is not counted
        (folder / "whole").write_bytes(kind.content)
        if kind.content is not every["matlab 5"].content:
            kind.read(folder / "whole")
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    wrong = 0
    for seed in range(first, first + count):
        random = np.random.default_rng(seed)
        name = names[seed % len(names)]
        reader = name if random.integers(6) else str(random.choice(names))
        how = HOW[random.integers(len(HOW))]
        file = folder / f"{seed}"
        file.write_bytes(how(every[name].content, random))
        print(f"{seed}: {name}, {how.__name__}, read as {reader}", flush=True)
        faulthandler.dump_traceback_later(HANGS, exit=True)
        began = time.process_time()
        said = ""
        try:
            every[reader].read(file)
        except SuiteError as error:
            said = "" if str(error).isprintable() else f"not one line: {error!r}"
        except BaseException as error:
            said = f"{type(error).__module__}.{type(error).__name__}: {error}"
        if time.process_time() - began > SECONDS:
            said += f" took {time.process_time() - began:.1f} s"
        faulthandler.cancel_dump_traceback_later()
        file.unlink(missing_ok=True)
        if said:
            wrong += 1
            print(f"seed {seed}: {said!r}", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))

"""Networks in files: weights whose architecture is recognised, TorchScript, and ONNX."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from bigprior.checkpoints import plain, read_safetensors
from bigprior.pickled import load_pickled
from bigprior.weight_files import Refusal, reading, size_of
from datasets.errors import SuiteError
from methods.adapters.own_network import Opened
from methods.adapters.words import one_line, required

EXTRA = "checkpoints"
FACTORY = "write python[target=FILE.py:NAME,file=…] with the code of the network"
ABSENT = "give the path of a network's file"
REMEDY = "Save network.state_dict(), or export the network to .onnx."
INSIDE = ("model_state_dict", "state_dict", "params_ema", "params-ema", "params", "model", "net")
"""Where training scripts keep the weights beside other things, in the order in which they are looked for."""
TYPES = {"tensor(float)": torch.float32, "tensor(double)": torch.float64, "tensor(float16)": torch.float16}


def open_file(file: Path) -> Opened:
    """Open a network by the content of its file.

    - `.onnx`: a graph for ONNX Runtime, on the CPU, on one thread.
    - An archive of `torch.jit.save`: TorchScript. Its graph is a program and is executed.
    - Anything else: weights, a safetensors file or what `torch.save` wrote; nothing in it is executed. spandrel
      recognises the architecture by the names and shapes.

    Raises:
        SuiteError: the file is none of these, no image comes out of it, or a package is not installed.
    """
    if not file.is_file():
        raise SuiteError(f"{file} is not there: {ABSENT}.")
    if file.suffix.lower() == ".onnx":
        return _onnx(file)
    return _torchscript(file) if _is_torchscript(file) else _recognised(file)


def files_of(file: Path) -> tuple[Path, ...]:
    """Return the file and, of an ONNX graph, those beside it that it names: they may hold its weights."""
    if file.suffix.lower() != ".onnx" or not file.is_file():
        return (file,) if file.is_file() else ()
    stat = file.stat()
    return (file, *_named_beside(file, stat.st_size, stat.st_mtime_ns))


@cache
def _named_beside(file: Path, size: int, modified: int) -> tuple[Path, ...]:
    data = file.read_bytes()
    others = sorted(each for each in file.parent.iterdir() if each.is_file() and each.name != file.name)
    return tuple(each for each in others if each.name.encode() in data)


def of_module(module: nn.Module, what: str) -> Opened:
    """Return a network of PyTorch, evaluating, in single precision."""
    module.float().eval()

    def call(*inputs: Tensor) -> Tensor:
        with torch.no_grad():
            return _image(module.to(inputs[0].device)(*inputs))

    return Opened(what, call)


def read_weights(file: Path) -> dict[str, Tensor]:
    """Return the weights of a file by name, also of one that keeps them beside the state of a training.

    A prefix `module.` that all names share is left out.

    Raises:
        SuiteError: there is no such file, it holds no weights by name, or asks for more than tensors and plain values;
            then nothing in it has been executed.
    """
    if file.suffix.lower() == ".safetensors":
        found: object = read_safetensors(file, ABSENT)
    else:
        found = load_pickled(file, ABSENT, "file of weights, TorchScript or ONNX", REMEDY)
    for key in INSIDE:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
            break
    with reading(file, "file of weights", REMEDY):
        weights = plain(found, size_of(file))
        if not weights:
            raise Refusal("it holds no tensors")
    prefix = "module." if all(name.startswith("module.") for name in weights) else ""
    return {name.removeprefix(prefix): each for name, each in weights.items()}


def _recognised(file: Path) -> Opened:
    weights = read_weights(file)
    spandrel = required("spandrel", EXTRA, f"{file}, a file of weights,")
    try:
        known = spandrel.MAIN_REGISTRY.load(weights)
    except spandrel.UnsupportedModelError as error:
        reason = f"is of no architecture that spandrel {spandrel.__version__} knows"
        raise SuiteError(
            f"{file} {reason} ({len(weights)} tensors, first '{next(iter(weights))}'): {FACTORY}."
        ) from error
    except Exception as error:  # names like those of a known architecture, but not its shapes
        reason = "looks like a network that spandrel knows, but is not"
        raise SuiteError(f"{file} {reason} ({one_line(error)}): {FACTORY}.") from error
    name = known.architecture.name
    if known.scale != 1:
        raise SuiteError(f"{file}: {name} enlarges an image by {known.scale}; a row gives an image of the same size.")
    if not isinstance(known, spandrel.ImageModelDescriptor):
        raise SuiteError(f"{file}: {name} wants a mask beside the image, which this row does not give: {FACTORY}.")
    return of_module(known.model, f"{file.name} ({name}, by spandrel {spandrel.__version__})")


def _is_torchscript(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return any("/code/" in name for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def _torchscript(file: Path) -> Opened:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # files of it are there all the same
            module = torch.jit.load(str(file), map_location="cpu")
    except Exception as error:  # whatever the bytes are
        raise SuiteError(f"{file} cannot be read as TorchScript ({one_line(error)}): save it again.") from error
    opened = of_module(module, f"{file.name} (TorchScript)")

    def call(*inputs: Tensor) -> Tensor:
        try:  # its optimised runs, from the second on, differ in the last bits
            with torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
                return opened.call(*inputs)
        except torch.jit.Error as error:  # the last line says what is wrong, those before it where
            raise RuntimeError(one_line(error, -1)) from error

    return Opened(opened.what, call)


def _onnx(file: Path) -> Opened:
    ort = required("onnxruntime", EXTRA, f"{file}, an ONNX graph,")
    options, quiet = ort.SessionOptions(), ort.RunOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = quiet.log_severity_level = 4
    try:
        session = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # whatever the bytes are
        said = re.sub(r"^\w+: \[ONNXRuntimeError\] : \d+ : ", "", one_line(error))
        raise SuiteError(f"{file}: ONNX Runtime {ort.__version__} cannot use it ({said}): export it again.") from error
    wanted = session.get_inputs()
    types = [TYPES.get(each.type) for each in wanted]
    if not wanted or None in types:
        found = ", ".join(each.type for each in wanted) or "no input"
        raise SuiteError(f"{file} takes {found}: export a network that takes an image of floating-point numbers.")
    _check_sizes(file, wanted[0].shape)

    def call(*inputs: Tensor) -> Tensor:
        named = zip(wanted, types, inputs, strict=True)
        given = {each.name: x.to("cpu", kind).numpy() for each, kind, x in named}
        return torch.from_numpy(session.run(None, given, quiet)[0]).to(inputs[0])

    return Opened(f"{file.name} (ONNX)", call)


def _check_sizes(file: Path, shape: list[int | str | None]) -> None:
    fixed = [each for each in shape[2:] if isinstance(each, int)]
    if len(shape) != 4:
        raise SuiteError(f"{file} takes an input of {len(shape)} axes: export a network that takes (N,C,H,W).")
    if fixed:
        sides = "×".join(str(each) if isinstance(each, int) else "any" for each in shape[2:])
        raise SuiteError(f"{file} takes images of {sides} pixels alone: export it with dynamic height and width.")
    if isinstance(shape[0], int) and shape[0] != 1:
        raise SuiteError(f"{file} takes {shape[0]} images at once alone: export it with a dynamic batch, or one of 1.")


def _image(output: object) -> Tensor:
    """The output, or the first of several."""
    first = output[0] if isinstance(output, list | tuple) and output else output
    if not isinstance(first, Tensor):
        raise TypeError(f"the output is no tensor but {type(first).__name__}")
    return first

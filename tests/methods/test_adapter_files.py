"""Networks of the user's own from files and code: the same numbers from every kind of file, and what is refused."""

from __future__ import annotations

import os
import pickle
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from benchmarks.rows import Row, available, every_row, select
from datasets import fetch
from datasets.catalog import METHODS
from datasets.errors import SuiteError
from datasets.fingerprint import fingerprint
from datasets.task import get_task
from methods.__main__ import main
from methods.adapters.factory import arguments
from methods.adapters.words import required
from methods.registry import get_method
from tests.methods.denoising import observe, photograph, psnr
from tests.methods.networks import CODE, LAYERS, WithSigma, save_onnx, smoother

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:FutureWarning")
DENOISE = get_task("denoise", sigma="25")


def score(spec: str, channels: int = 1) -> float:
    observation = observe(photograph(41, 38, channels).float(), 25)
    assert observation.truth is not None
    return psnr(get_method(spec).restore(observation.without_truth()).image, observation.truth.clean)


def refused(spec: str) -> str:
    """The one line that a row is refused with on the command line."""
    with pytest.raises(SuiteError) as caught:
        select(DENOISE, spec)
    text = str(caught.value)
    assert text.isprintable(), text
    assert len(text) < 700
    return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One network in every kind of file."""
    made, network = tmp_path_factory.mktemp("made"), smoother()
    torch.save(network.state_dict(), made / "tiny.pth")
    save_file(network.state_dict(), made / "tiny.safetensors")
    beside = {"epoch": 3, "params": {f"module.{name}": each for name, each in network.state_dict().items()}}
    torch.save(beside, made / "training.ckpt")
    torch.jit.script(network).save(made / "scripted.pt")
    torch.jit.trace(network, torch.rand(1, 1, 16, 16)).save(made / "traced.pt")
    save_onnx(network, made / "tiny.onnx")
    (made / "net.py").write_text(CODE)
    return made


@pytest.fixture
def here(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a copy of those files."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


KINDS = [
    *[f"checkpoint[file={name}]" for name in ("tiny.safetensors", "training.ckpt", "scripted.pt", "traced.pt")],
    "checkpoint[file=tiny.onnx]",
    f'python[target=net.py:TinyDnCNN,file=tiny.pth,args="depth={LAYERS},width=4"]',
]


@pytest.mark.parametrize("spec", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_one_network_gives_one_number(spec: str, channels: int, here: Path) -> None:
    by_spandrel = score("checkpoint[file=tiny.pth]", channels)
    assert by_spandrel > score("noisy", channels), "it removes noise"
    assert score(spec, channels) == pytest.approx(by_spandrel, abs=1e-4)


@pytest.mark.realdata
@pytest.mark.parametrize("channels", [1, 3])
def test_the_published_file_gives_the_number_of_our_row(channels: int) -> None:
    found = fetch.locate("cszn-KAIR/model_zoo/dncnn_25.pth")
    assert found is not None
    assert score(f'checkpoint[file="{found[1]}"]', channels) == pytest.approx(
        score("dncnn-gray-25", channels), abs=1e-4
    )


# What is refused


class Payload:
    """A pickle that makes a file when it is read without care."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("executed",)


@pytest.mark.parametrize("name", ["net.pth", "net.pt", "net.ckpt", "net.bin"])
def test_a_pickle_is_not_executed(name: str, here: Path) -> None:
    torch.save({"state_dict": smoother().state_dict(), "more": Payload()}, name)
    said = refused(f"checkpoint[file={name}]")
    assert "posix.mkdir" in said or "nt.mkdir" in said
    assert "nothing was executed" in said
    assert "weights_only" not in said
    Path("plain").write_bytes(pickle.dumps(Payload()))
    refused("checkpoint[file=plain]")
    refused("python[target=net.py:TinyDnCNN,file=plain]")
    assert not Path("executed").exists()
    torch.load(name, weights_only=False)
    assert Path("executed").exists(), "the payload is harmless: the test shows nothing"


def test_a_whole_module_is_refused_with_the_way_out(here: Path) -> None:
    torch.save(nn.Conv2d(1, 1, 3), "module.pth")
    assert "torch.nn.modules.conv.Conv2d" in refused("checkpoint[file=module.pth]")


def broken_archive(name: str) -> None:
    with zipfile.ZipFile(name, "w") as archive:
        archive.writestr("net/code/__torch__.py", "garbage")


def test_files_that_hold_no_network(here: Path) -> None:
    for name in ("garbage.pth", "garbage.safetensors", "garbage.onnx", "garbage.pt"):
        Path(name).write_bytes(bytes(range(256)) * 3)
        assert name in refused(f"checkpoint[file={name}]")
        Path(name).write_bytes(b"")
        assert name in refused(f"checkpoint[file={name}]")
    broken_archive("archive.pt")
    assert "TorchScript" in refused("checkpoint[file=archive.pt]")
    torch.save([1, 2], "list.pth")
    assert "more than tensors by name" in refused("checkpoint[file=list.pth]")
    torch.save({"my.weight": torch.zeros(3)}, "own.pth")
    said = refused("checkpoint[file=own.pth]")
    assert "'my.weight'" in said
    assert "python[target=FILE.py:NAME,file=…]" in said
    torch.save(dict.fromkeys(smoother().state_dict(), torch.zeros(2, 2)), "shapes.pth")
    assert "looks like a network that spandrel knows" in refused("checkpoint[file=shapes.pth]")
    assert "nowhere.pth is not there" in refused("checkpoint[file=nowhere.pth]")
    assert "is not there" in refused(f"checkpoint[file={here}]")


def test_onnx_graphs_that_cannot_be_run(here: Path) -> None:
    save_onnx(smoother(), Path("future.onnx"), opset=99)
    assert "future.onnx: ONNX Runtime" in refused("checkpoint[file=future.onnx]")
    save_onnx(smoother(), Path("fixed.onnx"), sides=(64, 64))
    assert "64×64 pixels alone: export it with dynamic" in refused("checkpoint[file=fixed.onnx]")


def test_an_extra_that_is_absent_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, here: Path) -> None:
    for package, name in (("spandrel", "tiny.pth"), ("onnxruntime", "tiny.onnx")):
        monkeypatch.setitem(sys.modules, package, None)
        assert "pip install 'restoration-benchmarks[checkpoints]'" in refused(f"checkpoint[file={name}]")
    assert score("checkpoint[file=scripted.pt]") > 20, "TorchScript needs neither"
    assert required("torch", "checkpoints", "this") is torch


# Code


def test_arguments() -> None:
    text = 'depth=17,widths=32:64,rate=0.5,norm=false,first=none,mode="CBR",kind=R'
    read = {"depth": 17, "widths": (32, 64), "rate": 0.5, "norm": False, "first": None, "mode": "CBR", "kind": "R"}
    assert arguments(text) == read
    assert arguments("") == {}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("python[target=net.py]", "write FILE.py:NAME or module:NAME"),
        ("python[target=nowhere.py:Net]", "nowhere.py is not there"),
        ("python[target=no.such.module:Net]", "no.such.module cannot be imported"),
        ("python[target=net.py:Tiny]", "no class or function Tiny: those that are made in it are TinyDnCNN"),
        ('python[target=net.py:TinyDnCNN,args="deep=3"]', "unexpected keyword argument 'deep'"),
        ('python[target=net.py:TinyDnCNN,args="depth"]', "'depth' is not key=value"),
        ('python[target=net.py:TinyDnCNN,file=tiny.pth,args="width=8"]', "'model.0.weight' has the shape (4, 1, 3, 3)"),
        ("python[target=net.py:TinyDnCNN,file=nowhere.pth]", "nowhere.pth is not there"),
        ("python[target=broken.py:Net]", "broken.py, line 2 cannot be imported (SyntaxError"),
        ("python[target=leaving.py:Net]", "leaving.py cannot be imported (SystemExit"),
        ("python[target=number.py:make]", "makes int: it must make a torch.nn.Module"),
    ],
)
def test_code_that_does_not_work(spec: str, said: str, here: Path) -> None:
    Path("broken.py").write_text("x = 1\nclass Net(:\n")
    Path("leaving.py").write_text("import sys\nsys.exit(3)\n")
    Path("number.py").write_text("def make():\n    return 3\n")
    assert said in refused(spec)


def test_code_may_import_what_lies_beside_it(here: Path) -> None:
    """Two folders have a `blocks.py` each, and a change in one of them makes its row another."""
    rows = []
    for number in (1, 2):
        folder = here / f"net{number}"
        folder.mkdir()
        (folder / "blocks.py").write_text(f"import torch\nSCALE = {number}\n")
        (folder / "net.py").write_text(
            "from torch import nn\nfrom blocks import SCALE\nclass Net(nn.Module):\n"
            "    def forward(self, x):\n        return SCALE * x\n"
        )
        rows.append(get_method(f"python[target=net{number}/net.py:Net,range=1,residual=false]"))
    y = observe(photograph(20, 21).float(), 25)
    for number, row in enumerate(rows, 1):
        torch.testing.assert_close(row.restore(y).image, number * y.y)
    assert "blocks" not in sys.modules
    before = [fingerprint(row) for row in rows]
    Path("net2/blocks.py").write_text("SCALE = 3\n")
    assert [fingerprint(row) == old for row, old in zip(rows, before, strict=True)] == [True, False]
    torch.testing.assert_close(rows[1].restore(y).image, 3 * y.y)


def test_a_module_is_a_target_too(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = get_method("python[target=torch.nn:Identity]")
    assert row.supports(DENOISE) is None
    assert [file.parent.name for file in row.weights()] == ["nn"]
    folder = here / "nets"
    folder.mkdir()
    for name, text in {"__init__": "", "parts": "SCALE = 2\n", "net": "from .parts import SCALE\n"}.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(here))
    found = get_method("python[target=nets.net:Net]").weights()
    assert {file.name for file in found} == {"__init__.py", "parts.py", "net.py"}


# The row


@pytest.mark.parametrize("spec", ["checkpoint[file=tiny.pth]", "checkpoint[file=tiny.onnx]", KINDS[-1]])
def test_a_changed_file_or_parameter_is_another_row(spec: str, here: Path) -> None:
    made = Row.parse(spec).method
    before = fingerprint(made)
    assert fingerprint(Row.parse(spec).method) == before
    assert fingerprint(get_method(spec[:-1] + ",residual=true]")) != before
    y = observe(photograph(20, 21, 1).float(), 25)
    image = made.restore(y).image
    other = smoother()
    nn.init.zeros_(next(other.parameters()))
    torch.save(other.state_dict(), "tiny.pth")
    save_onnx(other, Path("tiny.onnx"))
    assert fingerprint(made) != before
    assert not torch.equal(made.restore(y).image, image), "no old network is kept"


def test_weights_beside_an_onnx_graph_count(here: Path) -> None:
    Path("tiny.onnx.data").write_bytes(b"weights")
    Path("other.data").write_bytes(b"nothing")
    with open("tiny.onnx", "ab") as stream:
        stream.write(b"tiny.onnx.data")
    assert [file.name for file in get_method("checkpoint[file=tiny.onnx]").weights()] == ["tiny.onnx", "tiny.onnx.data"]


def test_code_counts_for_the_fingerprint(here: Path) -> None:
    made = get_method(KINDS[-1])
    assert [file.name for file in made.weights()] == ["net.py", "tiny.pth"]
    before = fingerprint(made)
    Path("net.py").write_text(CODE.replace("x - self", "x - 0.9 * self"))
    assert fingerprint(made) != before


def test_sigma_of_a_row(here: Path) -> None:
    """A network that is told σ runs blind with an estimate, and a second time with the true one."""
    Path("told.py").write_text(Path(sys.modules[WithSigma.__module__].__file__ or "").read_text())
    blind = get_task("denoise", sigma="5:50")
    told = 'python[target=told.py:WithSigma,args="way=channel"]'
    labels = [row.label for row in select(blind, f"mine={told},checkpoint[file=tiny.pth]")[0]]
    assert labels == ["mine", "mine[sigma=true]", "checkpoint[file=tiny.pth]"]
    with pytest.raises(SuiteError, match="reads no σ"):
        select(DENOISE, "checkpoint[file=tiny.pth,sigma=30]")


def test_own_networks_run_only_if_they_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    own = {"checkpoint", "python", "deepinv"}
    assert own <= set(METHODS.index())
    rows, reasons = available(DENOISE)
    assert not own & ({row.label for row in rows} | set(reasons) | {row.label for row in every_row()[0]})
    assert main(["list"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "only if it is named: checkpoint[file=…]" in said
    assert "cannot be used" not in said
    assert main(["show", "checkpoint"]) == 0
    assert "file must be given (a path)" in " ".join(capsys.readouterr().out.split())


def test_what_was_found_is_shown(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "checkpoint[file=tiny.pth,multiple=4]"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "tiny.pth (DnCNN, by spandrel" in said
    assert "range=1, channels=1, residual=false, level=none found by trying it" in said
    assert "multiple=4 as given" in said

"""``ipmdae export``: what it writes, and what it refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from command_line import run
from networks import TINY, model_of

from ipmdae.engine import open_engine, write_model

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from ipmdae.engine.onnx_export import to_onnx  # noqa: E402


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model file in the folder that the command runs in."""
    monkeypatch.chdir(tmp_path)
    write_model("tiny.safetensors", model_of(TINY))
    return Path("tiny.safetensors")


def test_export_writes_what_it_checked(file: Path) -> None:
    done = run("export", file, "--to", "onnx", "-o", "new/tiny.onnx")
    assert done.exit_code == 0, done.output
    assert "standard deviations of the original" in done.stdout
    assert "written to new/tiny.onnx" in done.stdout
    assert Path("new/tiny.onnx").read_bytes() == to_onnx(model_of(TINY)).SerializeToString()


def test_export_replaces_a_file_only_when_asked(file: Path) -> None:
    command = ("export", file, "--to", "onnx", "-o", "tiny.onnx")
    Path("tiny.onnx").write_text("precious")
    assert "tiny.onnx exists: choose another name, or add --overwrite" in run(*command).stderr
    assert Path("tiny.onnx").read_text() == "precious"
    assert run(*command, "--overwrite").exit_code == 0
    onnx.checker.check_model("tiny.onnx")


@pytest.mark.parametrize("output", ["tiny.safetensors", "."])
def test_export_replaces_neither_its_model_nor_a_folder(file: Path, output: str) -> None:
    done = run("export", file, "--to", "onnx", "-o", output, "--overwrite")
    assert done.exit_code == 1
    assert done.stderr.startswith(f"ipmdae: error: {output} ")


def test_export_names_what_it_does_not_know(file: Path) -> None:
    done = run("export", file, "--to", "abacus", "-o", "tiny.abacus")
    assert done.exit_code == 2
    assert "'abacus' is not" in done.stderr
    assert "no-such-model" in run("export", "no-such-model", "--to", "onnx", "-o", "x").stderr
    assert "none.safetensors" in run("export", "none.safetensors", "--to", "onnx", "-o", "x").stderr
    assert list(Path().iterdir()) == [file]


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_extra_is_told_with_the_command_that_installs_it(
    file: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    for module in ("onnx", "onnx_export", "onnx_layers", "onnx_graph"):
        monkeypatch.delitem(sys.modules, f"ipmdae.engine.{module}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    command = f"{package} is not installed: pip install 'ultralight-ipm-dae[onnx]'"
    with pytest.raises(ModuleNotFoundError) as caught:
        open_engine(model_of(TINY), "onnx")
    assert command in str(caught.value)
    done = run("export", file, "--to", "onnx", "-o", "tiny.onnx")
    assert done.exit_code == 1
    assert command in done.stderr
    assert not Path("tiny.onnx").exists()

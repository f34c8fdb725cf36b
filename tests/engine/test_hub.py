"""``ipmdae export --to hub``: a folder that a model hub can read, and that works by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from networks import TINY, model_of
from typer.testing import CliRunner, Result

import ipmdae
from ipmdae import cards, cli, hub
from ipmdae.engine import model_path, read_model, write_model

pytestmark = pytest.mark.slow

pytest.importorskip("onnxruntime")
huggingface_hub = pytest.importorskip("huggingface_hub")


def export(model: object, folder: Path, *more: str) -> Result:
    command = ["export", str(model), "--to", "hub", "-o", str(folder), *more]
    return CliRunner().invoke(cli.app, command)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that ships."""
    folder = tmp_path_factory.mktemp("hub") / "new" / "ipmdae-nano"
    done = export("ipmdae-nano", folder)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in folder.iterdir()) == sorted(hub.FILES)
    return folder


def test_a_hub_reads_licence_databases_and_scores(folder: Path) -> None:
    head = huggingface_hub.ModelCard.load(folder / "README.md").data
    assert (head.license, head.library_name) == ("mit", "ipmdae")
    assert head.datasets[:2] == ["qt-database-1.0.0", "mit-bih-noise-stress-test-database-1.0.0"]
    assert head.model_name == "ipmdae-nano"
    scores = cards.read_card(model_path("ipmdae-nano"))["scores"][cards.CLINIC]
    found = {result.metric_name: result.metric_value for result in head.eval_results}
    assert {cards.GAIN, cards.KEPT} <= found.keys()
    assert found == {name: scores[name]["mean"] for name in found}


def test_the_files_are_the_model(folder: Path) -> None:
    source, copy = model_path("ipmdae-nano"), folder / "model.safetensors"
    assert copy.read_bytes() == source.read_bytes()
    assert cards.read_card(copy) == cards.read_card(source)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["architecture"]["channels"] == list(read_model(source).architecture.channels)
    onnx = pytest.importorskip("onnx")
    onnx.checker.check_model(str(folder / "model.onnx"))


def test_the_example_denoises_with_the_model_in_its_folder(folder: Path, tmp_path: Path) -> None:
    page = (folder / "README.md").read_text(encoding="utf-8")
    example = folder / "example.py"
    assert f"```python\n{example.read_text(encoding='utf-8')}```" in page
    work, recording = tmp_path / "work", ipmdae.examples.path("118e24_excerpt")
    work.mkdir()
    path = os.pathsep.join([str(Path(hub.__file__).parents[2]), *sys.path])
    done = subprocess.run(
        [sys.executable, example, recording],
        cwd=work,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    cleaned = ipmdae.read(work / "cleaned.edf").signal
    expected = ipmdae.Denoiser("ipmdae-nano").denoise(recording).signal
    assert abs(cleaned - expected).max() < 0.01


def test_a_model_without_scores_states_none(tmp_path: Path) -> None:
    write_model(tmp_path / "tiny.safetensors", model_of(TINY))
    assert export(tmp_path / "tiny.safetensors", tmp_path / "out").exit_code == 0
    head = huggingface_hub.ModelCard.load(tmp_path / "out" / "README.md").data
    assert head.license == "unknown"
    assert head.eval_results is None
    assert head.datasets is None


def test_nothing_is_replaced_unasked(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("precious")
    (tmp_path / "notes.txt").write_text("mine")
    assert "--overwrite" in export("ipmdae-nano", tmp_path).stderr
    assert (tmp_path / "README.md").read_text() == "precious"
    assert export("ipmdae-nano", tmp_path, "--overwrite").exit_code == 0
    assert (tmp_path / "notes.txt").read_text() == "mine"
    file = tmp_path / "notes.txt"
    assert f"{file} is a file: name a folder" in export("ipmdae-nano", file).stderr
    own = export(folder / "model.safetensors", folder, "--overwrite")
    assert own.stderr.startswith(f"ipmdae: error: {folder / 'model.safetensors'} exists")

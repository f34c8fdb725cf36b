"""The paper's four commands, word for word, on the excerpts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from excerpts import DATASETS, NSTDB, QTDB, needs_full
from networks import reference_tensors

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A folder as the root of the repository, with the excerpts as its data sets."""
    (tmp_path / "config.yaml").write_text((ROOT / "config.yaml").read_text(encoding="utf-8"))
    (tmp_path / "datasets").symlink_to(DATASETS, target_is_directory=True)
    return tmp_path


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "MPLBACKEND": "agg"}
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def output(folder: Path, *words: str) -> str:
    done = command(folder, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_png(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG")


def test_load_qtdb(workplace: Path) -> None:
    printed = output(workplace, "tools.load_qtdb")
    assert "records    5, 5.0 min together" in printed
    assert "250 Hz (5)" in printed
    assert "training" in printed
    assert is_png(workplace / "load_qtdb.png")


def test_load_qtdb_options(workplace: Path) -> None:
    output(
        workplace, "tools.load_qtdb", "--path", str(QTDB), "--record=sel52", "--save=a/strip.png"
    )
    assert is_png(workplace / "a" / "strip.png")
    done = command(workplace, "tools.load_qtdb", "--record", "sel1")
    assert done.returncode == 1
    assert "sel100, sel36" in done.stderr


def test_load_nstdb(workplace: Path) -> None:
    printed = output(workplace, "tools.load_nstdb")
    assert "baseline wander" in printed
    assert "12 windows of 5 s of each kind (channel 0)" in printed
    assert is_png(workplace / "load_nstdb.png")
    output(workplace, "tools.load_nstdb", f"--path={NSTDB}", "--record=ma", "--save=ma.svg")
    assert (workplace / "ma.svg").read_text(encoding="utf-8").startswith("<?xml")


@pytest.mark.parametrize("name", ["tools.load_qtdb", "tools.load_nstdb", "main"])
def test_without_the_databases_the_command_that_fetches_them_is_named(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text((ROOT / "config.yaml").read_text(encoding="utf-8"))
    done = command(tmp_path, name)
    assert done.returncode == 1
    last_line = done.stderr.splitlines()[-1]
    assert last_line.startswith("error: the ")
    assert "ipmdae download qtdb nstdb --to datasets" in last_line
    assert [path for path in tmp_path.rglob("*") if path.suffix in (".png", ".ckpt", ".json")] == []


@pytest.mark.timeout(280)
def test_main_and_test_as_written(workplace: Path) -> None:
    """The excerpt has 5 of the 105 records, so a smaller split; otherwise as in the README."""
    trained = output(workplace, "main", "--use_model=Ultralight_IPM_DAE", "--split_idx=4",
                     "--max_epochs=1", "--num_workers=1", "--use_gpu=False")  # fmt: skip
    run = Path("results", "Ultralight_IPM_DAE", "version_0")
    assert f"results: {run}" in trained
    folder = workplace / run
    assert (folder / "checkpoints" / "last.ckpt").is_file()
    assert len(list((folder / "checkpoints").glob("valid_monitor-*.ckpt"))) == 1
    assert is_png(folder / "results" / "train_valid_loss_epoch_avg.png")
    assert list(folder.glob("events.out.tfevents.*"))
    settings = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert settings["recipe"]["name"] == "paper"
    assert settings["recipe"]["learning_rate"] == 1e-5

    printed = output(workplace, "test", "--use_model=Ultralight_IPM_DAE", "--version=0")
    assert "1,266,950" in printed
    assert "107.6 M" in printed
    assert "windows tested         12" in printed
    report = json.loads((folder / "results" / "test_best.json").read_text(encoding="utf-8"))
    before = report["report"]["scores"]["SNR (dB)"]["total"]["before"]
    assert before["mean"] == pytest.approx(0, abs=1e-3)
    other = output(workplace, "test", "--use_model=Ultralight_IPM_DAE", "--version=0",
                   "--test_mode=last", "--snr=-2.5", "--get_mode=train")  # fmt: skip
    assert "-2.500 (0.000)" in other
    assert "windows tested         48" in other


def test_checkpoint_of_the_public_implementation(workplace: Path) -> None:
    state = {f"model.{k}": torch.from_numpy(np.array(t)) for k, t in reference_tensors().items()}
    torch.save({"state_dict": state}, workplace / "theirs.ckpt")
    printed = output(workplace, "test", "--use_model=Ultralight_IPM_DAE", "--split_idx=4",
                     "--checkpoint=theirs.ckpt")  # fmt: skip
    assert "1,279,238" in printed


def test_unknown_names_are_refused_with_those_that_exist(workplace: Path) -> None:
    done = command(workplace, "main", "--use_model=nothing")
    assert done.returncode == 1
    assert "Ultralight_IPM_DAE, ipmdae-base" in done.stderr
    done = command(workplace, "main", "--split=nothing")
    assert done.returncode == 1
    assert "random-1, random-2" in done.stderr
    done = command(workplace, "test", "--use_model=Ultralight_IPM_DAE", "--version=7")
    assert done.returncode == 1
    assert "no training run in" in done.stderr


@needs_full
def test_reference_protocol_on_the_full_databases() -> None:
    from excerpts import FULL

    from ipmdae.lab.data import nstdb, qtdb
    from ipmdae.lab.evaluation.metrics import snr
    from ipmdae.lab.protocols.reference import Reference

    assert FULL is not None
    protocol = Reference(qtdb_folder=FULL / qtdb.FOLDER, nstdb_folder=FULL / nstdb.FOLDER)
    assert [len(side) for side in protocol.records] == [91, 14]
    pairs = protocol.validation()
    assert len(pairs) == 2520
    np.testing.assert_allclose(snr(pairs.clean, pairs.noisy), 0, atol=1e-4)

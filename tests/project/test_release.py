"""From a run on protocol clinic to a model that cleans, and the tables made from runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from excerpts import DATASETS, FULL, NSTDB, needs_full

import main as train
from ipmdae import examples, formats
from ipmdae.denoiser import Denoiser
from ipmdae.engine import ModelFile, model_names, model_path, read_model
from ipmdae.lab.data import nstdb
from ipmdae.lab.data.download import DatasetNotFoundError
from ipmdae.lab.evaluation.noise_stress import improvement, noisy_segments
from ipmdae.methods.network import Network
from ipmdae.safeguards import safeguards
from tools import noise_stress, release_model, report_training

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.filterwarnings("ignore:100 of the 105 records:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*num_workers.*"),
]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config.yaml").write_text((ROOT / "config.yaml").read_text(encoding="utf-8"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trained(*flags: str) -> Path:
    return train.main(["--use_model=ipmdae-small", f"--dataset_root_path={DATASETS}",
                       "--max_epochs=1", "--num_workers=0", "--use_gpu=False", "--recipe=modern",
                       *flags])  # fmt: skip


@pytest.mark.slow
def test_a_clinic_run_becomes_a_model_that_cleans(workplace: Path) -> None:
    trained("--protocol=clinic", "--time_win=2")
    release_model.main(["--use_model=ipmdae-small", "--version=0", "--to=weights", "--overlap=0.5"])
    model = read_model(workplace / "weights" / "ipmdae-small.safetensors")
    assert model.architecture.leads == 1
    assert (model.preprocessing.window, model.preprocessing.overlap) == (500, 125)
    assert model.card["trained"]["split"]["validation"] == ["sel36"]
    assert "diagnosis" in model.card["limits"]
    noisy = formats.read(NSTDB / "118e06")
    cleaned = Denoiser(model).denoise(noisy)
    assert np.isfinite(cleaned.signal).all()
    assert not np.array_equal(cleaned.signal, noisy.signal)


@pytest.mark.slow
def test_a_reference_run_is_not_released(workplace: Path) -> None:
    trained("--split_idx=3", "--time_win=1")
    with pytest.raises(ValueError, match="train with --protocol clinic"):
        release_model.main(["--use_model=ipmdae-small", "--version=0"])


def write_run(folder: Path, split: str, losses: list[float]) -> None:
    """What a run and its test leave behind."""
    (folder / "results").mkdir(parents=True)
    settings = {
        "model": "Ultralight_IPM_DAE",
        "protocol": "reference",
        "protocol_settings": {"split": split},
        "recipe": {"name": "modern", "optimizer": "adamw", "learning_rate": 0.002, "epochs": 2},
        "seed": 0,
        "precision": "32-true",
    }
    (folder / "run.json").write_text(json.dumps(settings), encoding="utf-8")
    rows = [f"{i + 1},0.1,{loss},0.001,60" for i, loss in enumerate(losses)]
    table = "\n".join(["epoch,train_loss,valid_loss,learning_rate,seconds", *rows])
    (folder / "results" / "train_valid_loss_epoch_avg.csv").write_text(table, encoding="utf-8")
    score = {"before": {"mean": 0, "sd": 0}, "after": {"mean": 12.5, "sd": 1.25}}
    names = ("SNR (dB)", "RMSE", "CosSim", "PRD (%)")
    scores = {name: {"total": score, "centred": score} for name in names}
    content = json.dumps({"report": {"scores": scores}})
    (folder / "results" / "test_best.json").write_text(content, encoding="utf-8")


def test_the_table_of_runs_has_their_mean_and_spread(workplace: Path) -> None:
    runs = workplace / "results" / "Ultralight_IPM_DAE"
    write_run(runs / "version_0", "sorted", [0.009, 0.006, 0.008])
    write_run(runs / "version_1", "random-1", [0.009, 0.008])
    report_training.main(["--versions", "0", "1"])
    page = (workplace / "docs" / "results" / "training.md").read_text(encoding="utf-8")
    assert "**0.00700** ± 0.00141" in page
    assert "| sorted | 3 | 2 | 3 | 0.00600 | 12.500 (1.250) |" in page
    assert "--split random-1" in page


def test_scored_noise_is_none_that_was_trained_on() -> None:
    assert list(noisy_segments(1805)) == [(1020, 1140), (1260, 1380), (1500, 1620), (1740, 1805)]


def test_noise_stress_needs_whole_records(tiny_model: ModelFile, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no noise after its first 15 min"):
        improvement(NSTDB, Network(tiny_model), "118e06", "118e24")
    with pytest.raises(DatasetNotFoundError, match="ipmdae download"):
        improvement(tmp_path, Network(tiny_model), "118e06", "118e24")


@pytest.mark.slow
@needs_full
@pytest.mark.parametrize("name", model_names())
def test_a_shipped_model_improves_a_real_record(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert FULL is not None
    limits = safeguards(unreadable="network")
    method = Network(name, limits=limits)
    result = improvement(FULL / nstdb.FOLDER, method, "118e06", "118e24")
    decibels, share = (8, 0.5) if name.startswith("ipmdae-") else (6, 0.6)
    assert np.all(result.snr_after.mean(axis=0) > result.snr_before.mean(axis=0) + decibels)
    assert np.all(result.rmse_after.mean(axis=0) < share * result.rmse_before.mean(axis=0))
    noise_stress.main([f"--path={FULL / nstdb.FOLDER}", f"--model={name}"])
    assert "MLII" in capsys.readouterr().out


@pytest.mark.parametrize("name", model_names())
def test_a_shipped_model_improves_the_shipped_example(name: str) -> None:
    noisy, twin = (formats.read(NSTDB / name).signal for name in ("118e06", "118e24"))
    model = read_model(model_path(name))
    network, usual = (
        Denoiser(Network(model, limits=safeguards(unreadable=kind))).denoise(noisy, 360)
        for kind in ("network", "classical")
    )

    def error(x: np.ndarray) -> float:
        difference = x - twin
        return float((difference - difference.mean(axis=0)).std())

    assert error(network) < (0.5 if name.startswith("ipmdae-") else 0.6) * error(noisy)
    # Where the network is not trusted a filter keeps more noise, and every beat.
    assert error(usual) < error(noisy)


@pytest.mark.slow
@pytest.mark.parametrize("name", model_names())
@pytest.mark.parametrize(("record", "bound"), [("118e06_excerpt", 0.55), ("118e24_excerpt", 0.11)])
def test_how_much_it_matters_where_windows_are_cut(name: str, record: str, bound: float) -> None:
    """The network sees whole windows, so the cuts matter: little for a nearly clean recording.

    At an SNR of -6 dB, where most seconds are unusable and a filter may replace it, more.
    """
    noisy = formats.read(examples.path(record)).signal
    denoiser, shift, edge = Network(name), 3 * 360, 12 * 360
    whole = Denoiser(denoiser).denoise(noisy, 360)[shift:]
    difference = whole - Denoiser(denoiser).denoise(noisy[shift:], 360)
    assert np.all(difference[edge:-edge].std(axis=0) < bound * whole.std(axis=0))

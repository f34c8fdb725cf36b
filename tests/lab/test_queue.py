"""The queue of training runs: resumed, skipped, told; and its networks as rivals."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from excerpts import DATASETS
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from typer.testing import CliRunner

from ipmdae.cli import app
from ipmdae.lab.data import mitdb
from ipmdae.lab.evaluation import candidates
from ipmdae.lab.evaluation.trained_network import TrainedNetwork
from ipmdae.lab.networks import registry
from ipmdae.lab.networks.base import LeadNetwork
from ipmdae.lab.training import queue, run, summary
from ipmdae.lab.training.callbacks import LAST_CHECKPOINT, OutOfTimeError, callbacks
from ipmdae.lab.training.module import DenoisingModule
from ipmdae.lab.training.queue import Budget, Job
from ipmdae.lab.training.recipe import Recipe
from ipmdae.pipeline.window import robust_scale

pytestmark = [
    pytest.mark.filterwarnings("ignore:100 of the 105 records:UserWarning"),
    pytest.mark.filterwarnings("ignore:4 of the 14 records:UserWarning"),
]
CPU = run.machine(gpu=None, devices=1, workers=0)


def jobs(results: Path, *methods: str, protocol: str = "deepfilter", epochs: int = 2) -> list[Job]:
    budget = Budget(epochs=epochs, batch_size=16)
    return queue.plan(protocol, methods, budget, DATASETS, results)


class Tiny(LeadNetwork):
    """Quick, and its dropout draws in each step."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(1, 4, 9, padding=4),
            nn.Dropout(0.3),
            nn.ReLU(),
            nn.Conv1d(4, 1, 9, padding=4),
        )

    def clean(self, noisy: Tensor) -> Tensor:
        cleaned: Tensor = self.layers(noisy)
        return cleaned


class Broken(Tiny):
    """Its loss is never a number."""

    def loss(self, noisy: Tensor, clean: Tensor) -> Tensor:
        return super().loss(noisy, clean) * torch.nan


class Killer(Callback):
    """Ends the second epoch of a run as a crash does, at its fourth batch."""

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        if trainer.current_epoch == 1 and args[-1] == 3:
            raise RuntimeError("killed")


def out_of_time(
    recipe: Recipe, folder: Path, seed: int, *_: object, **__: object
) -> list[Callback]:
    """Callbacks that end the run after a step."""
    return callbacks(recipe, folder, seed, -1.0)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    content = torch.load(folder / LAST_CHECKPOINT, weights_only=True)
    state: dict[str, torch.Tensor] = content["state_dict"]
    return state


@pytest.mark.slow
@pytest.mark.parametrize("save_every", [120.0, 0.0])  # in s: at the end of an epoch, each batch
def test_a_killed_run_goes_on_as_if_it_had_not_been_and_a_finished_one_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save_every: float
) -> None:
    monkeypatch.setattr("ipmdae.lab.training.callbacks.SAVE_EVERY", save_every)
    monkeypatch.setattr(registry, "build", lambda name, leads: Tiny())
    whole = jobs(tmp_path / "whole", "deepfilter")[0]
    killed = jobs(tmp_path / "killed", "deepfilter")[0]
    expected, _ = queue.work(whole, CPU)
    with monkeypatch.context() as patched:
        patched.setattr(run, "callbacks", lambda *args, **kw: [*callbacks(*args, **kw), Killer()])
        with pytest.raises(RuntimeError, match="killed"):
            queue.work(killed, CPU)
    with pytest.raises(FileNotFoundError, match="--protocol deepfilter --methods deepfilter"):
        queue.finished_run(tmp_path / "killed", "deepfilter", "deepfilter", "noise-1")

    resumed, trained = queue.work(killed, CPU)
    assert trained
    assert replace(resumed, seconds=0) == replace(expected, seconds=0)
    folders = [job.log_dir / "version_0" for job in (whole, killed)]
    ours, theirs = (weights(folder) for folder in folders)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())
    curves = [[row | {"seconds": 0} for row in queue.read_curves(folder)] for folder in folders]
    assert curves[0] == curves[1]

    last = folders[1] / LAST_CHECKPOINT
    before = last.stat().st_mtime_ns
    assert queue.work(killed, CPU) == (resumed, False)
    assert last.stat().st_mtime_ns == before
    assert [path.name for path in killed.log_dir.iterdir()] == ["version_0"]

    assert (resumed.epochs, resumed.seed, resumed.accelerator) == (2, 0, "cpu")
    assert resumed.loss == "mse"
    assert resumed.parameters == 2 * 4 * 9 + 5
    windows = len(killed.settings.open_protocol().training(fresh=False))
    assert resumed.windows_seen == 2 * windows
    assert resumed.best_valid_loss is not None
    assert not resumed.diverged


def test_a_run_out_of_time_goes_on_elsewhere_by_whole_steps_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step of a GPU, operation by operation; half of it after the folder was moved."""
    monkeypatch.setattr(registry, "build", lambda name, leads: Tiny())
    expected, _ = queue.work(jobs(tmp_path / "whole", "unet")[0], CPU)
    monkeypatch.setattr(
        run, "DenoisingModule", lambda *args, **_: DenoisingModule(*args, captured=True)
    )
    stopped = jobs(tmp_path / "stopped", "unet")[0]
    assert "not begun" in queue.progress(stopped)
    with pytest.raises(OutOfTimeError, match="no time left"):
        queue.work(stopped, CPU, deadline=0)
    with monkeypatch.context() as patched:
        patched.setattr("time.time", lambda: 0.0)
        patched.setattr(run, "callbacks", out_of_time)
        with pytest.raises(OutOfTimeError, match="after 1 steps"):
            queue.work(stopped, CPU, deadline=1)
    assert "0 of 2 epochs" in queue.progress(stopped)
    (tmp_path / "stopped").rename(tmp_path / "moved")
    moved, _ = queue.work(jobs(tmp_path / "moved", "unet")[0], CPU)
    assert replace(moved, seconds=0) == replace(expected, seconds=0)
    found = [tmp_path / name / "deepfilter/unet/noise-1/version_0" for name in ("whole", "moved")]
    ours, theirs = (weights(folder) for folder in found)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


@pytest.mark.slow
def test_a_run_that_diverges_ends_and_is_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "build", lambda name, leads: Broken())
    job = jobs(tmp_path, "unet", epochs=1)[0]
    told, _ = queue.work(job, CPU)
    assert told.diverged
    assert told.best_valid_loss is told.best_epoch is None
    assert str(told).endswith("diverged")
    assert summary.read_summary(job.log_dir / "version_0") == told
    assert queue.seeds(tmp_path, "deepfilter", "unet") == []  # of its two models one is there


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with a finished run of fcn-dae on protocol clinic, made by the command."""
    results = tmp_path_factory.mktemp("results")
    told = CliRunner().invoke(
        app,
        [
            *("benchmark", "train", "--protocol", "clinic", "--methods", "fcn-dae,fcn-dae"),
            *("--epochs", "1", "--datasets", str(DATASETS), "--results", str(results)),
            *("--no-gpu", "--workers", "0"),
        ],
    )
    assert told.exit_code == 0, told.output
    assert "fcn-dae: 1 epochs" in told.output
    assert "not converged" in told.output
    return results


@pytest.mark.slow
def test_the_command_trains_what_is_asked_for(clinic: Path) -> None:
    folder = queue.finished_run(clinic, "clinic", "fcn-dae")
    assert folder == clinic / "clinic" / "fcn-dae" / "version_0"
    told = summary.read_summary(folder)
    assert told.fresh_noise
    assert not told.converged
    assert queue.seeds(clinic, "clinic", "fcn-dae") == [0]


def rival(results: Path) -> TrainedNetwork:
    found = candidates.get("fcn-dae")
    assert isinstance(found, TrainedNetwork)
    return found.trained("clinic", results=results)


@pytest.mark.slow
def test_a_trained_network_is_a_rival_that_cleans_windows_at_once(clinic: Path) -> None:
    windows = np.random.default_rng(0).standard_normal((70, 2500)) * 3 + 5
    cleaned = rival(clinic).denoise_batch(windows, 250.0)
    network = run.load_network(queue.finished_run(clinic, "clinic", "fcn-dae"), "best").eval()
    scaled, offset, scale = robust_scale(windows[..., None])
    with torch.inference_mode():
        expected = network(torch.from_numpy(scaled.astype(np.float32))).numpy() * scale + offset
    np.testing.assert_allclose(cleaned, expected[..., 0], rtol=1e-4, atol=1e-4)


def test_a_recording_is_cut_into_the_windows_of_the_protocol(clinic: Path) -> None:
    lead = np.random.default_rng(0).standard_normal(6000).cumsum() / 50
    method = rival(clinic)
    assert candidates.is_network(method)
    cleaned = method.denoise(lead, 250.0)
    assert cleaned.shape == lead.shape
    first = method.denoise_batch(lead[np.newaxis, :2500], 250.0)[0]
    np.testing.assert_allclose(cleaned[:1500], first[:1500], rtol=1e-5, atol=1e-5)
    assert method.denoise(lead[:7], 250.0).shape == (7,)
    assert len(method.version) == 64


def test_what_a_rival_cannot_do_is_told(clinic: Path) -> None:
    with pytest.raises(ValueError, match="trained at 250 Hz, this has 360 Hz"):
        rival(clinic).denoise(np.zeros(100), 360.0)
    with pytest.raises(RuntimeError, match="fcn-dae has no weights"):
        candidates.get("fcn-dae").denoise(np.zeros(100), 250.0)
    with pytest.raises(FileNotFoundError, match="train --protocol clinic --methods drnn"):
        TrainedNetwork("drnn").trained("clinic", results=clinic)


def test_a_network_that_knows_windows_scaled_by_the_clean_signal_refuses_a_recording(
    clinic: Path, tmp_path: Path
) -> None:
    job = jobs(tmp_path, "fcn-dae", protocol="reference", epochs=1)[0]
    assert job.log_dir == tmp_path / "reference" / "fcn-dae"
    source = queue.finished_run(clinic, "clinic", "fcn-dae")
    folder = job.log_dir / "version_0"
    (folder / "checkpoints").mkdir(parents=True)
    for path in [source / summary.SUMMARY_FILE, *(source / "checkpoints").iterdir()]:
        (folder / path.relative_to(source)).write_bytes(path.read_bytes())
    few = job.settings.protocol_settings | {"split_idx": 3}
    run.write_settings(folder, replace(job.settings, protocol_settings=few), windows=1)
    found = TrainedNetwork("fcn-dae").trained("reference", results=tmp_path)
    assert found.denoise_batch(np.zeros((2, 1250)), 250.0).shape == (2, 1250)
    with pytest.raises(ValueError, match="scaled by the clean signal"):
        found.denoise(np.zeros(100), 250.0)


def test_deepfilter_asks_for_a_model_for_each_version_of_the_noise(tmp_path: Path) -> None:
    planned = jobs(tmp_path, "unet", "Ultralight_IPM_DAE")
    assert [job.name for job in planned] == [
        "unet noise-1",
        "unet noise-2",
        "Ultralight_IPM_DAE noise-1",
        "Ultralight_IPM_DAE noise-2",
    ]
    assert [job.settings.protocol_settings["version"] for job in planned] == [1, 2, 1, 2]
    assert len({job.log_dir for job in planned}) == 4
    recipes = {job.settings.recipe for job in planned}
    assert len(recipes) == 1
    assert not recipes.pop().fresh_noise


def test_a_suffix_chooses_the_pairs_and_the_folder(tmp_path: Path) -> None:
    published, augmented, fresh = (
        jobs(tmp_path, method)[0] for method in ("unet", "unet+augmented", "unet+open")
    )
    assert [job.settings.model for job in (published, augmented, fresh)] == ["unet"] * 3
    assert [job.settings.recipe.fresh_noise for job in (published, augmented, fresh)] == [
        *(False, True, True)
    ]
    assert augmented.settings.protocol_settings["augmented"]
    assert "augmented" not in fresh.settings.protocol_settings
    assert fresh.log_dir == tmp_path / "deepfilter/unet+open/noise-1"
    alike = jobs(tmp_path, "unet+augmented", protocol="clinic")[0].settings
    assert alike.protocol_settings["augment"]
    assert alike.protocol_settings["mitdb_folder"] == str(DATASETS / mitdb.FOLDER)
    run.write_settings(tmp_path, alike, windows=10)
    assert run.same(run.read_settings(tmp_path), alike)
    with pytest.raises(ValueError, match=r"unknown pairs 'new'; .*deepfilter has: augmented, open"):
        jobs(tmp_path, "unet+new")
    with pytest.raises(ValueError, match="unknown pairs 'open'; protocol clinic has: augmented"):
        jobs(tmp_path, "unet+open", protocol="clinic")


def test_another_budget_is_another_run_but_not_another_place_of_the_databases(
    tmp_path: Path,
) -> None:
    job = jobs(tmp_path, "unet")[0]
    moved = {"qtdb_folder": "elsewhere"}
    settings = replace(job.settings, protocol_settings=job.settings.protocol_settings | moved)
    assert run.same(settings, job.settings)
    assert not run.same(jobs(tmp_path, "unet", epochs=3)[0].settings, job.settings)
    assert not run.same(replace(job.settings, seed=1), job.settings)


def test_unknown_names_are_refused_with_those_that_exist(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown network 'dae'; .*fcn-dae, drnn.*mecg-e"):
        jobs(tmp_path, "dae")
    with pytest.raises(ValueError, match=r"unknown protocol 'p4'; .*deepfilter, clinic, reference"):
        jobs(tmp_path, "unet", protocol="p4")
    with pytest.raises(ValueError, match=r"lmmse-fresh, Ultralight_IPM_DAE.*descod-10"):
        candidates.get("dae")
    told = CliRunner().invoke(app, ["benchmark", "train", "--methods", "dae"])
    assert told.exit_code == 1


def test_the_names_of_networks_can_be_had_without_torch() -> None:
    assert set(candidates.NETWORKS) == {*registry.names(), "descod-10"}
    shots = candidates.get("descod-10")
    assert isinstance(shots, TrainedNetwork)
    assert (shots.name, shots.shots) == ("descod", 10)


@pytest.mark.slow
def test_complexity_counts_all_shots_and_needs_no_weights() -> None:
    one, ten = (TrainedNetwork("descod", shots=shots).complexity(16) for shots in (1, 10))
    assert ten.multiply_accumulates == 10 * one.multiply_accumulates
    assert one.parameters == ten.parameters == 1_593_041
    assert TrainedNetwork("Ultralight_IPM_DAE").complexity(512).parameters > 1_200_000


@pytest.mark.parametrize(
    ("losses", "converged"),
    [
        ([1.0], False),
        ([1.0, 0.99], True),
        ([1.0, 0.97], False),
        ([*range(20, 2, -1), 2.99, 2.95], True),
        ([*range(20, 2, -1), 2.99, 2.9], False),
        ([1.0] * 9 + [1.5], True),
        ([1.0, nan], False),
        ([inf, 1.0], False),
    ],
)
def test_converged_means_that_the_last_tenth_brought_two_percent_at_most(
    losses: list[float], converged: bool
) -> None:
    assert summary.has_converged(losses) is converged


def test_a_damaged_summary_is_told(tmp_path: Path) -> None:
    (tmp_path / summary.SUMMARY_FILE).write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match=r"training\.json is damaged"):
        summary.read_summary(tmp_path)

"""Training: the recipes' schedules, the order of the data, and a killed run that goes on."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from excerpts import DATASETS, NSTDB, QTDB
from networks import TINY

from ipmdae.engine import find_model, read_model
from ipmdae.lab.networks import registry
from ipmdae.lab.nn import checkpoints
from ipmdae.lab.nn.ipm_dae import UltralightIPMDAE
from ipmdae.lab.protocols.reference import Reference
from ipmdae.lab.training import recipe as recipes
from ipmdae.lab.training import run
from ipmdae.lab.training.callbacks import callbacks
from ipmdae.lab.training.loaders import EpochSampler, loader
from ipmdae.lab.training.module import DenoisingModule, learning_rate_factor

ROOT = Path(__file__).parents[2]


def test_paper_recipe_is_the_published_one() -> None:
    paper = recipes.get("paper")
    assert (paper.optimizer, paper.learning_rate) == ("adam", 1e-5)
    assert (paper.epochs, paper.batch_size, paper.fresh_noise) == (600, 64, False)
    assert {learning_rate_factor(step, 100, paper) for step in range(101)} == {1.0}


def test_modern_schedule_warms_up_and_ends_as_a_cosine() -> None:
    modern = recipes.get("modern")
    factors = [learning_rate_factor(step, 1000, modern) for step in range(1001)]
    peak = int(np.argmax(factors))
    assert factors[0] < 0.05
    assert peak == pytest.approx(1000 * modern.warmup, abs=1)
    assert np.all(np.diff(factors[peak:]) <= 0)
    assert factors[-1] == pytest.approx(modern.final_rate)


def test_unknown_recipe_is_refused() -> None:
    with pytest.raises(ValueError, match="paper, modern"):
        recipes.get("nothing")


def test_state_matrices_and_biases_do_not_decay() -> None:
    module = DenoisingModule(UltralightIPMDAE(TINY), recipes.get("modern"))
    groups = module.parameter_groups()
    names = {id(p): name for name, p in module.model.named_parameters()}
    decaying = {names[id(p)] for p in groups[0]["params"]}
    assert "encoder.0.weight" in decaying
    assert not any("A_log" in name or name.endswith(("bias", ".D")) for name in decaying)
    assert sum(len(group["params"]) for group in groups) == len(names)


def test_sampler_shuffles_by_seed_and_epoch_and_shares_between_replicas() -> None:
    def order(epoch: int, **options: int) -> list[tuple[int, int]]:
        sampler = EpochSampler(11, seed=3, shuffle=True, **options)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert sorted(order(2)) == [(2, index) for index in range(11)]
    assert order(2) == order(2) != [(2, index) for _, index in order(1)]
    halves = [order(2, rank=rank, replicas=2) for rank in (0, 1)]
    assert [len(half) for half in halves] == [6, 6]
    assert {index for half in halves for _, index in half} == set(range(11))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:100 of the 105 records:UserWarning")
def test_batches_do_not_depend_on_the_number_of_workers() -> None:
    protocol = Reference(qtdb_folder=QTDB, nstdb_folder=NSTDB, split_idx=3, time_win=1)
    pairs = protocol.training(fresh=True)
    alone, together = (
        list(loader(pairs, batch_size=16, shuffle=True, seed=1, workers=workers))
        for workers in (0, 2)
    )
    assert len(alone) == len(together)
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])


def command(*flags: str) -> list[str]:
    return [
        sys.executable, "-W", "ignore", "-m", "main", "--use_model=ipmdae-small",
        "--recipe=modern", f"--dataset_root_path={DATASETS}", "--split_idx=3", "--time_win=1",
        "--num_workers=0", "--max_epochs=3", "--batch_size=16", "--use_gpu=False", *flags,
    ]  # fmt: skip


def train(folder: Path, *flags: str) -> None:
    done = subprocess.run(
        command(*flags), cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def environment() -> dict[str, str]:
    """The commands of the repository, from anywhere."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def weights(version: Path) -> dict[str, torch.Tensor]:
    content = torch.load(version / "checkpoints" / "last.ckpt", weights_only=True)
    state: dict[str, torch.Tensor] = content["state_dict"]
    return state


def curve(version: Path) -> list[dict[str, str]]:
    path = version / "results" / "train_valid_loss_epoch_avg.csv"
    with path.open(encoding="utf-8") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_a_killed_run_resumes_to_the_result_of_an_unkilled_one(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        prepare(folder)
    runs = "results/ipmdae-small/version_0"
    process = at_work(killed)
    process.kill()
    process.wait()

    train(whole)
    train(killed, "--resume")
    expected, resumed = weights(whole / runs), weights(killed / runs)
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in expected.items())
    assert curve(whole / runs) == curve(killed / runs)
    assert len(curve(killed / runs)) == 3
    content = json.loads((killed / runs / "run.json").read_text(encoding="utf-8"))
    assert content["split"]["validation"] == ["sele0121", "sele0122"]
    assert {"torch", "python"} <= set(content["versions"])
    assert run.read_settings(killed / runs).recipe.epochs == 3


class AfterTheFirstEpoch(pl.Callback):
    """Interrupts a run before its second epoch."""

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == 1:
            raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:100 of the 105 records:UserWarning")
@pytest.mark.parametrize(("workers", "steps"), [(1, None), (0, 2), (1, 2)])
def test_a_run_interrupted_between_epochs_goes_on_with_the_next_ones_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, steps: int | None
) -> None:
    own = {"qtdb_folder": str(QTDB), "nstdb_folder": str(NSTDB), "split_idx": 3, "time_win": 1}
    recipe = replace(recipes.get("modern"), epochs=2, batch_size=16, steps=steps)
    settings = run.Settings(
        model="ipmdae-nano", protocol="reference", protocol_settings=own, recipe=recipe
    )
    machine = run.machine(None, 1, workers, quiet=True)
    whole = run.train(settings, tmp_path / "whole", machine)
    with monkeypatch.context() as patch:
        patch.setattr(run, "callbacks", lambda *a, **k: [*callbacks(*a, **k), AfterTheFirstEpoch()])
        with pytest.raises(KeyboardInterrupt):
            run.train(settings, tmp_path / "parted", machine)
    parted = run.train(settings, tmp_path / "parted", machine, resume=0)
    expected, resumed = weights(whole), weights(parted)
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in expected.items())
    assert curve(whole) == curve(parted)


def prepare(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text((ROOT / "config.yaml").read_text(encoding="utf-8"))


def at_work(folder: Path) -> subprocess.Popen[bytes]:
    """A training run that has an epoch behind it."""
    with (folder / "stderr.txt").open("w", encoding="utf-8") as complaints:
        process = subprocess.Popen(
            command(),
            cwd=folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=complaints,
        )
    last = folder / "results/ipmdae-small/version_0/checkpoints/last.ckpt"
    while not last.is_file():
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.01)
    return process


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM cannot be handled")
def test_sigterm_ends_a_run_that_resumes_and_executes_nothing(tmp_path: Path) -> None:
    prepare(tmp_path)
    process = at_work(tmp_path)
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    complaint = (tmp_path / "stderr.txt").read_text(encoding="utf-8")
    assert process.returncode == 143, complaint
    assert complaint.splitlines()[-1] == "interrupted: no file is partly written"
    folder = tmp_path / "results/ipmdae-small/version_0"
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")]
    last = folder / "checkpoints" / "last.ckpt"
    content = torch.load(last, weights_only=True)
    assert content["epoch"] == 0

    content["hidden"] = Code(tmp_path / "executed")
    torch.save(content, last)
    settings = run.read_settings(folder)
    machine = run.machine(None, 1, 0)
    with pytest.raises(ValueError, match=r"last\.ckpt is not a checkpoint of tensors"):
        run.train(settings, folder.parent, machine, resume=0)
    last.write_bytes(b"no checkpoint")
    with pytest.raises(ValueError, match=r"last\.ckpt is "):
        run.train(settings, folder.parent, machine, resume=0)
    assert not (tmp_path / "executed").exists()


class Code:
    """What pickle would execute on loading: it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"recipe": {"name": 1}}', '{"recipe": 5}', "\xff", "[" * 100_000]
)
def test_broken_settings_of_a_run_are_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r"run\.json"):
        run.read_settings(tmp_path)


def test_a_run_starts_from_the_weights_of_a_model() -> None:
    network = registry.build("ipmdae-small", 1)
    run.start(network, "ipmdae-small")
    expected = read_model(find_model("ipmdae-small")).tensors
    for name, tensor in checkpoints.tensors_of(network).items():
        np.testing.assert_array_equal(tensor, expected[name])


def test_a_model_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    network = registry.build("ipmdae-small", 1)
    with pytest.raises(ValueError, match="ipmdae-base does not fit the network"):
        run.start(network, "ipmdae-base")
    with pytest.raises(ValueError, match="ipmdae-base, "):
        run.start(network, "ipmdae-huge")
    with pytest.raises(FileNotFoundError, match="absent"):
        run.start(network, str(tmp_path / "absent.safetensors"))


def test_nothing_to_resume_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="train a network first"):
        run.latest_version(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"run\.json is missing"):
        run.read_settings(tmp_path)

"""A training run: from its settings to ``results/<model>/version_<n>``."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from torch import nn

from ipmdae import __version__
from ipmdae.engine import find_model, read_model
from ipmdae.files import replacing
from ipmdae.lab.networks import registry
from ipmdae.lab.nn import checkpoints
from ipmdae.lab.protocols import Pairs, TrainingProtocol
from ipmdae.lab.protocols.registry import open_protocol
from ipmdae.lab.training import recipe as recipes
from ipmdae.lab.training.callbacks import LAST_CHECKPOINT, callbacks
from ipmdae.lab.training.loaders import Loader, loader
from ipmdae.lab.training.module import DenoisingModule
from ipmdae.lab.training.recipe import Recipe
from ipmdae.native import processors
from ipmdae.termination import end_with_parent

Build = Callable[[str, int], nn.Module]
"""Creates a network with random weights by name, for a number of leads."""

_NODE = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK")
"""Environment variables by which the machines of a run find each other."""

SETTINGS_FILE = "run.json"

RELEASED_WEIGHTS = "weights.safetensors"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings that determine the result of a run, stored with it.

    Attributes:
        model: name in :mod:`ipmdae.lab.networks.registry`.
        protocol: name in :mod:`ipmdae.lab.protocols.registry`, and its own settings.
        protocol_settings: arguments of the protocol, folders included.
        recipe: settings of the training.
        seed: of the weights and of the order of the windows (the protocol has its own).
        precision: of Lightning's trainer, such as ``32-true`` or ``bf16-mixed``.
        start_from: name or path of a model to fine-tune; by default random weights.
        start_sha256: digest of that model's file.
    """

    model: str
    protocol: str
    protocol_settings: dict[str, Any]
    recipe: Recipe
    seed: int = 0
    precision: str = "32-true"
    start_from: str | None = None
    start_sha256: str | None = None

    def open_protocol(self) -> TrainingProtocol:
        """The protocol with its settings."""
        return open_protocol(self.protocol, **self.protocol_settings)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Hardware used by the run; on one device it changes the rounding of the result only.

    Attributes:
        accelerator, devices: of each machine.
        workers: processes of each device that prepare batches.
        nodes: number of machines.
        tf32: on a GPU, round the factors of matrix products to 10 bits of mantissa, which is
            several times as fast; convolutions are computed so in any case.
        quiet: no progress bar.
    """

    accelerator: str
    devices: int | list[int]
    workers: int
    nodes: int = 1
    tf32: bool = False
    quiet: bool = False


def machine(
    gpu: int | None,
    devices: int,
    workers: int | None = None,
    nodes: int = 1,
    *,
    tf32: bool = False,
    quiet: bool = False,
) -> Machine:
    """The GPU number ``gpu`` (or ``devices`` of them) if there is one, else the CPU.

    Args:
        workers: by default as many as there are processors for each device.

    Raises:
        ValueError: of several machines, this one does not know its number or the first one.
    """
    missing = [name for name in _NODE if name not in os.environ] if nodes > 1 else []
    if missing:
        raise ValueError(f"with --num_nodes, set {', '.join(missing)} on each machine")
    if workers is None:
        workers = max(processors() // devices, 1)
    others: dict[str, Any] = {"workers": workers, "nodes": nodes, "quiet": quiet}
    if gpu is None or not torch.cuda.is_available():
        return Machine(accelerator="cpu", devices=devices, **others)
    chosen: int | list[int] = devices if devices > 1 else [gpu]
    return Machine(accelerator="gpu", devices=chosen, tf32=tf32, **others)


def train(
    settings: Settings,
    log_dir: Path,
    machine: Machine,
    resume: int | None = None,
    build: Build | None = None,
    deadline: float | None = None,
) -> Path:
    """Train and return the folder of the run.

    Args:
        log_dir: folder of the model's runs; the run gets the next free ``version_<n>``.
        resume: number of a version to continue from its last checkpoint, on one device of the same
            kind with the same result as an uninterrupted run; ``settings`` must be its own.
        build: builds the network, if it is not the registry's.
        deadline: time since the epoch in s at which the run saves its checkpoint and ends.

    Raises:
        FileNotFoundError: the version to resume has no checkpoint.
        ValueError: its checkpoint is damaged, or has more than tensors and plain values: nothing
            in the folder of a run is executed.
        OutOfTimeError: the deadline has come.
        KeyboardInterrupt: Ctrl-C, or a signal that is handled like it; the checkpoints of
            the epochs before stay, or one of this epoch that is a few minutes old.
    """
    pl.seed_everything(settings.seed, verbose=False)
    logger = TensorBoardLogger(log_dir, name="", version=resume)
    folder = Path(logger.log_dir)
    checkpoint = folder / LAST_CHECKPOINT if resume is not None else None
    if checkpoint is not None and not checkpoint.is_file():
        raise FileNotFoundError(f"nothing to resume: {checkpoint} does not exist")
    epoch, done = (0, 0) if checkpoint is None else _progress(checkpoint)
    if os.environ.get("LOCAL_RANK", "0") != "0":
        end_with_parent()

    protocol = settings.open_protocol()
    trainer = _trainer(settings, machine, logger, deadline)
    pairs = protocol.training(fresh=settings.recipe.fresh_noise)
    size = max(settings.recipe.batch_size // trainer.world_size, 1)
    training, validation = _loaders(settings, machine, trainer, size, pairs, protocol.validation())
    # Lightning saves an epoch's checkpoint before it counts the epoch, and starts the workers of
    # the next one before it sets the sampler's epoch.
    ended = done >= min(len(training), settings.recipe.steps or len(training))
    training.sampler.epoch, training.sampler.skip = (
        (epoch + 1, 0) if ended else (epoch, size * done)
    )
    if trainer.is_global_zero and resume is None:
        write_settings(folder, settings, windows=len(pairs), tf32=machine.tf32)
    network = (build or registry.build)(settings.model, protocol.leads)
    if settings.start_from is not None and resume is None:
        start(network, settings.start_from)
    alone = trainer.world_size == 1 and settings.precision == "32-true"
    captured = machine.accelerator == "gpu" and alone
    module = DenoisingModule(network, settings.recipe, captured=captured)
    try:
        trainer.fit(module, training, validation, ckpt_path=checkpoint, weights_only=True)
    except SystemExit as ended:  # Lightning's response to an interruption
        if isinstance(ended.__context__, KeyboardInterrupt):
            raise ended.__context__ from None
        raise
    return folder


def _trainer(
    settings: Settings, machine: Machine, logger: TensorBoardLogger, deadline: float | None
) -> pl.Trainer:
    """Lightning's trainer of a run on a machine; see :func:`train`."""
    torch.set_float32_matmul_precision("high" if machine.tf32 else "highest")
    recipe, folder = settings.recipe, Path(logger.log_dir)
    return pl.Trainer(
        max_epochs=recipe.epochs,
        accelerator=machine.accelerator,
        devices=machine.devices,
        num_nodes=machine.nodes,
        precision=settings.precision,  # type: ignore[arg-type]
        gradient_clip_val=recipe.clip_norm,
        limit_train_batches=recipe.steps,
        callbacks=callbacks(
            recipe, folder, settings.seed, deadline, progress_bar=not machine.quiet
        ),
        logger=logger,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_model_summary=False,
        log_every_n_steps=10,
        enable_progress_bar=not machine.quiet,
        # Windows are of one length: the fastest convolutions are searched once.
        benchmark=machine.accelerator == "gpu",
    )


def _loaders(
    settings: Settings,
    machine: Machine,
    trainer: pl.Trainer,
    size: int,
    pairs: Pairs,
    validation: Pairs,
) -> tuple[Loader, Loader]:
    """This process's batches of ``size`` training pairs, and those of the validation pairs."""
    recipe = settings.recipe
    batches: dict[str, Any] = {
        "workers": machine.workers,
        "rank": trainer.global_rank,
        "replicas": trainer.world_size,
        "device": trainer.strategy.root_device,
    }
    training = loader(
        pairs,
        batch_size=size,
        shuffle=True,
        seed=settings.seed,
        held=not recipe.fresh_noise and recipe.steps is None,
        **batches,
    )
    # Without gradients, larger batches fit into the memory of a GPU.
    larger = size * (8 if machine.accelerator == "gpu" else 1)
    return training, loader(validation, batch_size=larger, shuffle=False, held=True, **batches)


def _progress(checkpoint: Path) -> tuple[int, int]:
    """Epoch of a checkpoint and number of its batches that are done.

    Raises:
        ValueError: the checkpoint is damaged.
    """
    content = checkpoints.read_checkpoint(checkpoint)
    try:
        batches = content["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]
        return int(content["epoch"]), int(batches["processed"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{checkpoint} is not a checkpoint of a training run") from error


def start(network: nn.Module, model: str) -> None:
    """Load the weights of a shipped model, or of a model file, into a network.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the name is unknown, or the architecture differs.
    """
    content = read_model(find_model(model))
    try:
        checkpoints.load_tensors(network, content.tensors)
    except RuntimeError as error:
        raise ValueError(f"{model} does not fit the network that is to start from it") from error


@rank_zero_only
def announce(folder: Path) -> None:
    """Print the folder of the results, once for all processes."""
    print(f"results: {folder}")


def write_settings(folder: Path, settings: Settings, *, windows: int, tf32: bool = False) -> None:
    """Store the settings of a run in ``folder``/run.json.

    With them: the split by name, the number of training windows, whether matrix products are in
    TF32 (see :class:`Machine`), and versions.
    """
    training, validation = settings.open_protocol().records
    content = {
        **asdict(settings),
        "split": {"training": training, "validation": validation},
        "windows": windows,
        "tf32": tf32,
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "lightning", "numpy", "soxr")},
            "ultralight-ipm-dae": __version__,
        },
    }
    with replacing(folder / SETTINGS_FILE) as path:
        path.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")


def read_settings(folder: Path) -> Settings:
    """Read the settings of the run in ``folder``.

    Raises:
        FileNotFoundError: there is no run in the folder.
        ValueError: its settings are damaged.
    """
    path = folder / SETTINGS_FILE
    if not path.is_file():
        raise FileNotFoundError(f"no training run in {folder}: {path.name} is missing")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Settings(
            recipe=Recipe(**content["recipe"]),
            **{
                name: content[name]
                for name in ("model", "protocol", "protocol_settings", "seed", "precision")
            },
            **{name: content.get(name) for name in ("start_from", "start_sha256")},
        )
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} holds no settings of a training run: {error!r}") from error


def same(one: Settings, other: Settings) -> bool:
    """True if the settings are equal but for the folders of the databases."""

    def content(settings: Settings) -> dict[str, Any]:
        given = settings.protocol_settings.items()
        own = {key: value for key, value in given if not key.endswith("_folder")}
        return asdict(settings) | {"protocol_settings": own}

    return content(one) == content(other)


def checkpoint_path(folder: Path, which: str) -> Path:
    """Path of the ``last`` or ``best`` (by validation loss) checkpoint of the run in ``folder``.

    A released run has no checkpoint but its best weights, which then are both.

    Raises:
        FileNotFoundError: the run has none yet.
    """
    released = folder / RELEASED_WEIGHTS
    if released.is_file():
        return released
    last = folder / LAST_CHECKPOINT
    found = [last] if which == "last" else sorted(last.parent.glob("valid_monitor-*.ckpt"))
    if not found or not found[0].is_file():
        raise FileNotFoundError(f"no {which} checkpoint in {last.parent}: train the network first")
    return found[0]


def load_network(folder: Path, which: str) -> nn.Module:
    """Network of the run in ``folder``, with the weights of its ``last`` or ``best`` epoch."""
    settings = read_settings(folder)
    network = registry.build(settings.model, settings.open_protocol().leads)
    checkpoints.load_weights(network, checkpoint_path(folder, which))
    return network


def recipe_with(
    name: str,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
) -> Recipe:
    """Recipe ``name``, with other epochs, batch size and learning rate if given."""
    recipe = recipes.get(name)
    return replace(
        recipe,
        epochs=epochs or recipe.epochs,
        batch_size=batch_size or recipe.batch_size,
        learning_rate=learning_rate or recipe.learning_rate,
    )


def versions(log_dir: Path) -> list[int]:
    """Numbers of the folders ``version_<n>`` in ``log_dir``, newest first."""
    numbers = (path.name.removeprefix("version_") for path in log_dir.glob("version_*"))
    return sorted((int(number) for number in numbers if number.isdigit()), reverse=True)


def latest_version(log_dir: Path) -> int:
    """Highest number of a ``version_<n>`` in ``log_dir``.

    Raises:
        FileNotFoundError: there is no run.
    """
    numbers = versions(log_dir)
    if not numbers:
        raise FileNotFoundError(f"no version_<n> in {log_dir}: train a network first")
    return numbers[0]

"""The command ``ipmdae benchmark train``."""

from __future__ import annotations

import logging
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ipmdae.console import err, out, warnings_in_one_line
from ipmdae.lab.commands.benchmark import processes

if TYPE_CHECKING:
    from ipmdae.lab.training.queue import Job
    from ipmdae.lab.training.run import Machine


def train(
    protocol: Annotated[
        str, typer.Option(help="Protocol: deepfilter, clinic or reference.")
    ] = "deepfilter",
    methods: Annotated[
        str,
        typer.Option(
            help="Networks, comma-separated; by default all. With +open they are trained on pairs "
            "drawn anew in each epoch; with +augmented on transformed published pairs (deepfilter) "
            "or on the windows of the models that ship (clinic)."
        ),
    ] = "",
    epochs: Annotated[
        int, typer.Option(min=1, help="Training budget: passes over the training windows.")
    ] = 30,
    batch_size: Annotated[int, typer.Option(min=1, help="Windows per step.")] = 64,
    recipe: Annotated[
        str,
        typer.Option(help="Recipe: rival, beats, leads, modern, release, tune, hearts or paper."),
    ] = "rival",
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, order and noise.")] = 0,
    datasets: Annotated[Path, typer.Option(help="Folder that holds the databases.")] = Path(
        "datasets"
    ),
    results: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("results"),
    gpu: Annotated[bool, typer.Option(help="Use a GPU if available.")] = True,
    tf32: Annotated[
        bool, typer.Option(help="On a GPU, multiply matrices in TF32: faster, rounded.")
    ] = True,
    precision: Annotated[
        Literal["32-true", "bf16-mixed"],
        typer.Option(
            help="bf16-mixed trains networks of convolutions twice as fast on a CPU with AMX."
        ),
    ] = "32-true",
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Processes that prepare batches; by default one a processor."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Networks that are trained at once.")] = 1,
    minutes: Annotated[
        float | None,
        typer.Option(min=0, help="Stop after this time, to be continued by the same command."),
    ] = None,
    unpack: Annotated[
        Path | None, typer.Option(help="Before, restore the runs of this archive.")
    ] = None,
    pack: Annotated[
        Path | None, typer.Option(help="At the end, write these runs to this archive.")
    ] = None,
) -> None:
    """Train networks in the same loop and for the same epochs, one by one or several at once.

    Repeat the command to resume: finished runs are skipped, others continue from their last
    checkpoint, which is at most a few minutes old.
    """
    started = time.time()
    for package in ("torch", "lightning"):
        if find_spec(package) is None:
            raise ModuleNotFoundError(
                f"training needs {package}: pip install 'ultralight-ipm-dae[train]'"
            )
    _quieten()
    from ipmdae.lab.networks import registry
    from ipmdae.lab.training import archive, queue, run
    from ipmdae.lab.training import recipe as recipes
    from ipmdae.native import processors

    chosen = [name.strip() for name in methods.split(",") if name.strip()] or registry.names()
    budget = queue.Budget(
        epochs=epochs,
        seed=seed,
        batch_size=batch_size,
        recipe=recipes.get(recipe),
        precision=precision,
    )
    planned = queue.plan(protocol, list(dict.fromkeys(chosen)), budget, datasets, results)
    if unpack is not None:
        for name, restored in archive.unpack(unpack, results).items():
            state = "restored" if restored else "kept: the archive has not come further"
            err.print(f"{name}: {state}", markup=False)
    if workers is None:
        workers = max(processors() // jobs, 1)
    machine = run.machine(
        gpu=0 if gpu else None, devices=1, workers=workers, tf32=tf32, quiet=jobs > 1
    )
    deadline = None if minutes is None else started + 60 * minutes
    try:
        failed, left = _work_through(planned, machine, deadline, jobs)
    finally:
        if pack is not None:
            count = archive.pack(queue.folders(planned), results, pack)
            out.print(f"{count} runs packed in {pack}", markup=False)
    if left:
        out.print(
            f"out of time: {len(planned) - len(left) - len(failed)} of {len(planned)} runs are "
            f"done; left: {', '.join(left)}. The same command continues.",
            markup=False,
        )
    if failed:
        raise RuntimeError(f"could not be trained: {'; '.join(failed)}")


def _work_through(
    planned: list[Job], machine: Machine, deadline: float | None, jobs: int
) -> tuple[list[str], list[str]]:
    """Train; what failed, and what is left when the time is over."""
    failed, left = [], []
    with processes(jobs) as mapper:
        trained = mapper(
            partial(_train_one, machine=machine, deadline=deadline, jobs=jobs), planned
        )
        for number, (name, state, text) in enumerate(trained, 1):
            if state == "left":
                left.append(text)
            elif state == "failed":
                failed.append(f"{name} ({text})")
            else:
                out.print(f"{number} of {len(planned)}: {name}: {text}", markup=False)
    return failed, left


def _train_one(
    job: Job, *, machine: Machine, deadline: float | None, jobs: int
) -> tuple[str, Literal["done", "failed", "left"], str]:
    """Finish one run of the queue: its name, its state and what there is to say about it."""
    from ipmdae.lab.training import queue
    from ipmdae.lab.training.callbacks import OutOfTimeError

    if jobs > 1:  # in a process of its own
        import torch

        from ipmdae.native import processors

        _quieten()
        torch.set_num_threads(max(processors() // jobs, 1))
    try:
        with warnings_in_one_line():
            summary, trained = queue.work(job, machine, deadline)
    except OutOfTimeError:
        return job.name, "left", queue.progress(job)
    except (ValueError, RuntimeError, ArithmeticError) as error:
        return job.name, "failed", str(error)
    return job.name, "done", f"{summary}{'' if trained else ' (already)'}"


def _quieten() -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)

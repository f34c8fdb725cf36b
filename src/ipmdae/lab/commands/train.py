"""The command ``ipmdae benchmark train``."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from ipmdae.console import err, out, warnings_in_one_line


def train(
    protocol: Annotated[
        str, typer.Option(help="Protocol: deepfilter, clinic or reference.")
    ] = "deepfilter",
    methods: Annotated[str, typer.Option(help="Networks, comma-separated; by default all.")] = "",
    epochs: Annotated[
        int, typer.Option(min=1, help="Training budget: passes over the training windows.")
    ] = 30,
    batch_size: Annotated[int, typer.Option(min=1, help="Windows per step.")] = 64,
    recipe: Annotated[
        str, typer.Option(help="Training recipe: rival, modern, release or beats.")
    ] = "rival",
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, order and noise.")] = 0,
    fresh_noise: Annotated[
        bool | None,
        typer.Option(help="Draw noise anew in each epoch, or once; by default as published."),
    ] = None,
    datasets: Annotated[Path, typer.Option(help="Folder that holds the databases.")] = Path(
        "datasets"
    ),
    results: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("results"),
    gpu: Annotated[bool, typer.Option(help="Use a GPU if available.")] = True,
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare batches.")] = 2,
) -> None:
    """Train networks, one after another, in the same loop and for the same epochs.

    Repeat the command to resume: finished runs are skipped, killed runs continue.
    """
    for package in ("torch", "lightning"):
        if find_spec(package) is None:
            raise ModuleNotFoundError(
                f"training needs {package}: pip install 'ultralight-ipm-dae[train]'"
            )
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    from ipmdae.lab.networks import registry
    from ipmdae.lab.training import queue, run
    from ipmdae.lab.training import recipe as recipes

    chosen = [name.strip() for name in methods.split(",") if name.strip()] or registry.names()
    budget = queue.Budget(
        epochs=epochs,
        seed=seed,
        fresh_noise=fresh_noise,
        batch_size=batch_size,
        recipe=recipes.get(recipe),
    )
    jobs = queue.plan(protocol, list(dict.fromkeys(chosen)), budget, datasets, results)
    machine = run.machine(gpu=0 if gpu else None, devices=1, workers=workers)
    failed = []
    for number, job in enumerate(jobs, 1):
        err.print(f"{number} of {len(jobs)}: {job.name}", markup=False)
        try:
            with warnings_in_one_line():
                summary, trained = queue.work(job, machine)
        except (ValueError, RuntimeError, ArithmeticError) as error:
            failed.append(f"{job.name} ({error})")
            continue
        out.print(f"{job.name}: {summary}{'' if trained else ' (already)'}", markup=False)
    if failed:
        raise RuntimeError(f"could not be trained: {'; '.join(failed)}")

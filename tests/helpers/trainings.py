"""Finished training runs without the training: fresh weights, settings, curves and a summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from excerpts import DATASETS

from ipmdae.lab.networks import registry
from ipmdae.lab.training import queue, run
from ipmdae.lab.training.callbacks import CURVES
from ipmdae.lab.training.queue import Budget
from ipmdae.lab.training.summary import Summary, has_converged, write_summary


def finish(
    results: Path,
    protocol: str,
    method: str,
    *,
    losses: Sequence[float] = (0.5,),
    seed: int = 0,
    version: int = 0,
    **settings: Any,
) -> list[Path]:
    """Leave a run of each model that a protocol asks for, as the queue does.

    Args:
        results: folder of the results.
        protocol: name of the protocol.
        method: name of the method.
        losses: validation loss of each epoch.
        seed: of the run, and of its weights.
        version: number of the run.
        settings: of the protocol.

    Returns:
        The folders of the runs.
    """
    jobs = queue.plan(protocol, [method], Budget(epochs=len(losses), seed=seed), DATASETS, results)
    for model, job in enumerate(jobs):
        folder = job.log_dir / f"version_{version}"
        for part in ("checkpoints", "results"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        own = job.settings.protocol_settings | settings
        run.write_settings(folder, replace(job.settings, protocol_settings=own), windows=10)
        torch.manual_seed(10 * seed + model)
        network = registry.build(job.settings.model, job.settings.open_protocol().leads)
        state = {f"model.{name}": tensor for name, tensor in network.state_dict().items()}
        torch.save({"state_dict": state}, folder / "checkpoints" / "valid_monitor-epoch=0.ckpt")
        rows = [f"{epoch},1,{loss},1,60" for epoch, loss in enumerate(losses, 1)]
        curves = "\n".join(["epoch,train_loss,valid_loss,learning_rate,seconds", *rows])
        (folder / "results" / f"{CURVES}.csv").write_text(curves + "\n", encoding="utf-8")
        write_summary(folder, summary(protocol, method, losses, seed))
    return [job.log_dir / f"version_{version}" for job in jobs]


def summary(protocol: str, method: str, losses: Sequence[float], seed: int = 0) -> Summary:
    """The summary of a run with these validation losses, one for each epoch."""
    return Summary(
        method=method,
        protocol=protocol,
        parameters=1,
        epochs=len(losses),
        windows_seen=10 * len(losses),
        batch_size=64,
        fresh_noise=False,
        seed=seed,
        loss="own",
        seconds=60.0 * len(losses),
        accelerator="cpu",
        best_valid_loss=min(losses),
        best_epoch=1,
        converged=has_converged(losses),
        diverged=False,
    )

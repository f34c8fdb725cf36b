"""Results of a network on two single beats, as trained with some seed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ipmdae.lab.evaluation.results import Result
from ipmdae.lab.evaluation.training_budget import Network, Training
from ipmdae.lab.training.summary import Summary


def seeded(
    method: str, values: Mapping[str, float], *, seed: int, epochs: int = 6, done: int = 2
) -> Result:
    """A result that protocol deepfilter could have stored.

    Args:
        method: name of the network; it is called by its name alone for seed 0.
        values: mean of each measure; one beat has 0.01 less, one as much more.
        seed: of the training.
        epochs: of the training.
        done: how many of the two beats of the test it says to be of.
    """
    summary = Summary(
        method=method,
        protocol="deepfilter",
        parameters=1,
        epochs=epochs,
        windows_seen=10 * epochs,
        batch_size=64,
        fresh_noise=True,
        seed=seed,
        loss="own",
        seconds=60.0 * (1 + seed),
        accelerator="cpu",
        best_valid_loss=0.5,
        best_epoch=1,
        converged=True,
        diverged=False,
    )
    training = Training(summary, "beats", 0.01)
    return Result(
        method=f"{method}@{seed}" if seed else method,
        version=str(seed),
        network=Network(parameters=1, multiply_accumulates=2**26, trainings=(training, training)),
        total=2,
        done=done,
        diverged=0,
        table=pd.DataFrame(
            {
                "item": [0, 1],
                "record": ["a", "b"],
                "factor": [0.3, 1.2],
                **{name: value + np.array([-0.01, 0.01]) for name, value in values.items()},
            }
        ),
        examples={
            "factor": np.array([0.3]),
            **{name: np.zeros((1, 512)) for name in ("clean", "noisy", "cleaned")},
        },
    )

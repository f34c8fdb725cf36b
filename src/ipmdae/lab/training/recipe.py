"""Recipes: settings of a training, as frozen values that are stored with its weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of a training.

    Attributes:
        name: value of ``--recipe``.
        optimizer: ``adam`` or ``adamw``.
        learning_rate: peak learning rate.
        epochs: passes over the training windows.
        batch_size: windows per step, over all devices.
        weight_decay: decoupled weight decay of ``adamw``.
        warmup: share of all steps over which the learning rate rises to its peak.
        final_rate: share of the peak at which the cosine ends; 1 keeps the rate constant.
        fresh_noise: draw windows and noise anew in each epoch.
        ema: decay of the exponential moving average of the weights that is validated and kept.
        clip_norm: largest norm of the gradient.
        loss: ``mse``, ``relative`` or ``local``, see :mod:`ipmdae.lab.training.losses`.
        steps: largest number of steps per epoch, for short studies; by default all windows.
    """

    name: str
    optimizer: Literal["adam", "adamw"]
    learning_rate: float
    epochs: int
    batch_size: int = 64
    weight_decay: float = 0.0
    warmup: float = 0.0
    final_rate: float = 1.0
    fresh_noise: bool = False
    ema: float | None = None
    clip_norm: float | None = None
    loss: Literal["mse", "relative", "local"] = "mse"
    steps: int | None = None


#: Recipe of the paper's public implementation.
PAPER = Recipe(name="paper", optimizer="adam", learning_rate=1e-5, epochs=600)

MODERN = Recipe(
    name="modern",
    optimizer="adamw",
    learning_rate=2e-3,
    epochs=7,
    batch_size=32,
    weight_decay=0.01,
    warmup=0.05,
    final_rate=0.01,
    fresh_noise=True,
    ema=0.998,
    clip_norm=1.0,
)

#: For models that ship: long, with a loss that gives every window equal weight.
RELEASE = replace(MODERN, name="release", epochs=28, warmup=0.03, ema=0.999, loss="relative")

#: For fine-tuning; for windows twice as long.
TUNE = replace(RELEASE, name="tune", learning_rate=1e-3, epochs=30, batch_size=16)

#: For rhythms: small waves between the beats count.
HEARTS = replace(TUNE, name="hearts", epochs=20, loss="local")

#: For the project's network for single beats, of which an epoch has many.
BEATS = replace(RELEASE, name="beats", learning_rate=4e-3, epochs=10, batch_size=64)

#: For comparisons on whole leads, from random weights.
LEADS = replace(HEARTS, name="leads", learning_rate=2e-3, epochs=8, batch_size=32)

#: For comparisons: the same for every network, since their papers train with different budgets, and
#: without averaged weights, as in these papers.
RIVAL = Recipe(
    name="rival",
    optimizer="adamw",
    learning_rate=1e-3,
    epochs=30,
    batch_size=64,
    weight_decay=0.01,
    warmup=0.03,
    final_rate=0.01,
    clip_norm=1.0,
)

RECIPES = {
    recipe.name: recipe for recipe in (PAPER, MODERN, RELEASE, TUNE, HEARTS, BEATS, LEADS, RIVAL)
}


def get(name: str) -> Recipe:
    """Return the recipe ``name``.

    Raises:
        ValueError: the name is unknown.
    """
    if name not in RECIPES:
        raise ValueError(f"unknown recipe {name!r}; there are: {', '.join(RECIPES)}")
    return RECIPES[name]

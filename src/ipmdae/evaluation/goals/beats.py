"""Goals of protocol deepfilter (P2): better than what is published, at a fraction of the cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ipmdae.evaluation.deepfilter.published import ROWS
from ipmdae.evaluation.goals.goal import Goal, goal_table
from ipmdae.evaluation.goals.stored import find

METHOD = "ipmdae-beat"

_COST = 0.1e9
_SEEDS = 3
_BOUNDS = {
    "SSD (mV²)": ("ssd", (3.40, 3.0)),
    "MAD (mV)": ("mad", (0.315, 0.29)),
    "PRD (%)": ("prd_deepfilter", (37.5, 35.0)),
    "CosSim": ("cosine", (0.937, 0.945)),
}
_STEPS = ("better than the best published", "then")


def sections(results: Path) -> list[str]:
    """The goals with what was measured, in Markdown."""
    best = ROWS[-1]
    result = find(results, "deepfilter", METHOD)
    goals = []
    for step, title in enumerate(_STEPS):
        for name, (measure, bounds) in _BOUNDS.items():
            value = np.nan if result is None else float(result.values[measure].mean())
            at_most = measure != "cosine"
            told = f"{name}, {title}"
            goals.append(
                Goal(name=told, bound=bounds[step], value=value, at_most=at_most, digits=3)
            )
    cost = result.network.multiply_accumulates if result and result.network else np.nan
    trainings = result.network.trainings if result and result.network else ()
    seeds = len({training.summary.seed for training in trainings}) or np.nan
    goals.append(Goal(name="seeds", bound=_SEEDS, value=seeds, at_most=False, digits=0))
    goals.append(Goal(name="GMAC a beat", bound=_COST / 1e9, value=cost / 1e9, digits=4))
    text = (
        f"## Single beats with baseline wander (P2)\n\n`{METHOD}` on all test beats of both "
        f"versions of the noise, one training\neach ([deepfilter.md](deepfilter.md)). The best "
        f"published is {best.title}:\n{best.ssd} / {best.mad} / {best.prd} / {best.cosine}.\n"
    )
    return [text, goal_table(goals)]

"""Goals of protocol deepfilter: better than the published results, at a fraction of the cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ipmdae.lab.evaluation import seeds
from ipmdae.lab.evaluation.benchmark import Result
from ipmdae.lab.evaluation.deepfilter.published import ROWS
from ipmdae.lab.evaluation.goals.goal import Goal, goal_table
from ipmdae.lab.evaluation.goals.stored import by_seed
from ipmdae.lab.evaluation.tables import number

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
    """Goals and measured values, as Markdown."""
    best = ROWS[-1]
    group = by_seed(results, "deepfilter", METHOD)
    goals = [
        _scored(f"{name}, {title}", bounds[step], group, measure)
        for step, title in enumerate(_STEPS)
        for name, (measure, bounds) in _BOUNDS.items()
    ]
    network = seeds.pool(group).network if group else None
    cost = network.multiply_accumulates if network else np.nan
    count = len(network.seeds) if network and network.seeds else np.nan
    goals.append(Goal(name="seeds", bound=_SEEDS, value=count, at_most=False, digits=0))
    goals.append(Goal(name="GMAC a beat", bound=_COST / 1e9, value=cost / 1e9, digits=4))
    trainings = "one training\neach"
    if len(group) > 1:
        trainings = f"mean ±\nstandard deviation over {len(group)} seeds"
    text = (
        f"## Single beats with baseline wander\n\n`{METHOD}` on all test beats of both "
        f"versions of the noise, {trainings} ([deepfilter.md](deepfilter.md)). The best "
        f"published is {best.title}:\n{best.ssd} / {best.mad} / {best.prd} / {best.cosine}.\n"
    )
    return [text, goal_table(goals)]


def _scored(name: str, bound: float, group: Sequence[Result], measure: str) -> Goal:
    """Goal of the mean of a measure over seeds."""
    mean, deviation = seeds.mean_and_deviation(group, measure) if group else (np.nan, np.nan)
    shown = "" if np.isnan(deviation) else f"{number(mean, 3)} ± {number(deviation, 3)}"
    at_most = measure != "cosine"
    return Goal(name=name, bound=bound, value=mean, at_most=at_most, digits=3, shown=shown)

"""Goals of protocol robustness: graceful degradation outside the training conditions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ipmdae.lab.evaluation.benchmark import Result
from ipmdae.lab.evaluation.goals.goal import Goal, goal_table
from ipmdae.lab.evaluation.goals.stored import find
from ipmdae.lab.evaluation.robustness.conditions import AS_IT_IS, CONDITIONS
from ipmdae.lab.evaluation.robustness.report import FOLDER, difference, improvement, loss
from ipmdae.lab.evaluation.robustness.scoring import CLASSICAL
from ipmdae.lab.evaluation.tables import estimate

_TEXT = """\
## Other recorders, bad contacts, other noise

`{name}` under each condition ([robustness.md](robustness.md)): the SNR improvement must not be
negative, nor lower than that of the best classical method ({classical}). *Loss* is the decrease of
the output SNR relative to the unmodified condition.
"""


def sections(name: str, results: Path) -> list[str]:
    """Goals and measured values, as Markdown."""
    ours = find(results, FOLDER, name)
    stored = (find(results, FOLDER, method) for method in CLASSICAL)
    others = [result for result in stored if result is not None]
    goals = [goal for condition in CONDITIONS for goal in _goals(ours, others, condition)]
    classical = ", ".join(f"`{method}`" for method in CLASSICAL)
    return [_TEXT.format(name=name, classical=classical), goal_table(goals)]


def _goals(ours: Result | None, others: Sequence[Result], condition: str) -> list[Goal]:
    gained, over, gain_told, over_told = np.nan, np.nan, "", ""
    if ours is not None:
        gain = improvement(ours, condition)
        gained, gain_told = gain.mean, estimate(gain, 2)
        if condition != AS_IT_IS:
            gain_told += f"; loss {loss(ours, condition).mean:.2f}"
    if ours is not None and others:
        apart = {other.method: difference(ours, other, condition) for other in others}
        best = min(apart, key=lambda method: np.nan_to_num(apart[method].mean, nan=np.inf))
        over, over_told = apart[best].mean, f"{estimate(apart[best], 2)} over `{best}`"
    return [
        Goal(name=f"{condition}: {what}", bound=0, value=value, at_most=False, shown=shown)
        for what, value, shown in (
            ("SNR improvement (dB)", gained, gain_told),
            ("over the best classical (dB)", over, over_told),
        )
    ]

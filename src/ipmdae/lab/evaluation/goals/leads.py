"""Goals of protocol clinic: the best of all methods, in three sizes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ipmdae.cards import COST, described
from ipmdae.engine import model_names, model_path
from ipmdae.lab.evaluation import headline
from ipmdae.lab.evaluation.benchmark import Result
from ipmdae.lab.evaluation.goals.goal import Goal, from_interval, goal_table
from ipmdae.lab.evaluation.goals.stored import best, find, others
from ipmdae.lab.evaluation.intervals import Interval
from ipmdae.lab.evaluation.tables import estimate, table
from ipmdae.lab.protocols.clinic_test import KINDS, SNRS

REFERENCE = "Ultralight_IPM_DAE"
"""The paper's network, trained on the protocol by ``ipmdae benchmark train``."""

SMALL = "ipmdae-small"

_BOUNDS = {"ipmdae-base": 107.0, SMALL: 15.0, "ipmdae-nano": 2.0}  # MMAC for 5 s of two leads
_NANO, _NANO_WEIGHTS = "ipmdae-nano", 30_000

_SIZES = """\
Model sizes, and the small model compared with the paper's network. The goal assumes equal training:
compare the training budget of the latter in [clinic.md](clinic.md) with the model card of the
former (`ipmdae models ipmdae-small`). Where these differ, the last row compares the shipped
weights, not the architectures.
"""


def sections(results: Path, ours: Result | None) -> list[str]:
    """Goals and measured values, as Markdown.

    Args:
        results: folder with one folder of stored results per benchmark.
        ours: result of the best shipped model.
    """
    theirs, left_out = others(results, "clinic")
    page = ["## Whole leads with all kinds of noise\n", _best_of_all(ours, theirs)]
    if left_out:
        names = ", ".join(left_out)
        page.append(f"Excluded, since they diverged or cover part of the test: {names}.\n")
    page.append(_SIZES)
    return [*page, goal_table([*sizes(), small_against_reference(results)])]


def rivals_ahead(ours: Result, theirs: Sequence[Result]) -> list[tuple[str, int, str, Interval]]:
    """Conditions where superiority is not established, each with the closest competitor.

    Returns:
        Kind of noise, SNR, name of the competitor, and the advantage over it in SNR improvement,
        dB.
    """
    cells = []
    for kind in KINDS:
        for snr in SNRS:
            apart = {other.method: headline.gain_over(ours, other, kind, snr) for other in theirs}
            nearest = min(apart, key=lambda name: apart[name].low)
            if not apart[nearest].low > 0:
                cells.append((kind, snr, nearest, apart[nearest]))
    return cells


def sizes() -> list[Goal]:
    """Goals of the compute and size of each model."""
    goals = []
    for name, bound in _BOUNDS.items():
        metadata = described(model_path(name)) if name in model_names() else None
        cost = 2 * metadata[COST] / 1e6 if metadata else np.nan
        goals.append(Goal(name=f"`{name}`: MMAC for 5 s of two leads", bound=bound, value=cost))
        if name == _NANO:
            weights = float(metadata["parameters"]) if metadata else np.nan
            goals.append(
                Goal(name=f"`{name}`: parameters", bound=_NANO_WEIGHTS, value=weights, digits=0)
            )
    return goals


def small_against_reference(results: Path) -> Goal:
    """Goal of the small model's SNR improvement over the paper's network."""
    small, reference = (find(results, "clinic", name) for name in (SMALL, REFERENCE))
    name = f"`{SMALL}` over `{REFERENCE}`: SNR improvement (dB), low end of the paired interval"
    if small is None or reference is None:
        return Goal(name=name, bound=0, value=np.nan, at_most=False, strict=True)
    apart = headline.gain_over(small, reference)
    return Goal(
        name=name, bound=0, value=apart.low, at_most=False, strict=True, shown=estimate(apart, 2)
    )


def _best_of_all(ours: Result | None, theirs: Sequence[Result]) -> str:
    cells = len(KINDS) * len(SNRS)
    name = f"conditions (kind of noise, SNR) of {cells} with the paired interval above zero"
    next_best = best(theirs)
    if ours is None or next_best is None:
        return goal_table([Goal(name=name, bound=cells, value=np.nan, at_most=False, digits=0)])
    ahead = rivals_ahead(ours, theirs)
    over = f"SNR improvement (dB) over that of the next best, `{next_best.method}`"
    goals = [
        Goal(name=name, bound=cells, value=cells - len(ahead), at_most=False, digits=0),
        from_interval(over, 0, headline.gain_over(ours, next_best), at_most=False, strict=True),
    ]
    section = f"`{ours.method}` compared with {len(theirs)} other methods:\n\n"
    section += goal_table(goals)
    if ahead:
        rows = [
            [kind, f"{snr} dB", f"`{other}`", estimate(apart, 2)]
            for kind, snr, other, apart in ahead
        ]
        section += "\nConditions where superiority is not established, with the closest competitor "
        section += "(difference in dB, 95 % CI):\n\n"
        section += table(["noise", "input SNR", "method", "difference"], rows)
    return section

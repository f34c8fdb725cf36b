"""Goals of the models that ship, read from ``goals.toml``, and judged by stored results."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ipmdae.cards import NOT_MEASURED
from ipmdae.engine import model_names
from ipmdae.lab.evaluation import clinic, pages, published
from ipmdae.lab.evaluation import robustness as robust
from ipmdae.lab.evaluation.goal_measures import MEASURES, Measured, Stored, not_superior
from ipmdae.lab.evaluation.pages import estimate, number, table
from ipmdae.lab.evaluation.results import Result
from ipmdae.lab.evaluation.training_budget import SHIPPED_PASSES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: Section of each network on single beats.
BEATS = {
    "ipmdae-beat": "published pairs",
    "ipmdae-beat+augmented": "published pairs",
    "ipmdae-beat+open": "open training",
}

SMALL = "ipmdae-small"


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A bound on one measured value.

    Attributes:
        name: quantity with its unit.
        sign: of the inequality: ``≤``, ``<``, ``≥`` or ``>``.
        bound: required value.
        digits: decimal places.
        value, shown: see :class:`Measured`.
    """

    name: str
    sign: str = "≤"
    bound: float
    digits: int = 2
    value: float
    shown: str = ""

    @property
    def wanted(self) -> str:
        """Bound as text."""
        return f"{self.sign} {self.bound:,.6g}"

    @property
    def measured(self) -> str:
        """Measured value as text."""
        if np.isnan(self.value):
            return NOT_MEASURED
        return self.shown or number(self.value, self.digits)

    @property
    def reached(self) -> bool:
        """True if measured and within the bound."""
        return self._shortfall < 0 or (self._shortfall == 0 and self.sign in "≤≥")

    @property
    def verdict(self) -> str:
        """``reached``, or ``missed by`` the shortfall."""
        if np.isnan(self.value):
            return NOT_MEASURED
        if self.reached:
            return "reached"
        digits = self.digits
        while digits < 6 and self._shortfall and round(self._shortfall, digits) == 0:
            digits += 1
        return f"**missed by {number(self._shortfall, digits)}**"

    @property
    def _shortfall(self) -> float:
        apart = self.value - self.bound
        return apart if self.sign in "≤<" else -apart


@cache
def _groups() -> list[dict[str, Any]]:
    text = (files("ipmdae.lab.evaluation") / "goals.toml").read_text(encoding="utf-8")
    listed: list[dict[str, Any]] = tomllib.loads(text)["group"]
    return listed


def judged(section: str, stored: Stored, method: str) -> list[Goal]:
    """All goals of a section with the measured values of a method.

    Args:
        section: of ``goals.toml``.
        stored: results.
        method: its name.

    Raises:
        ValueError: a result covers part of the test, or belongs to other weights than the shipped.
    """
    found = []
    for group in (group for group in _groups() if group["section"] == section):
        protocol = group.get("protocol", "")
        each = group.get("each", [""])
        titles = each if isinstance(each, dict) else {name: name for name in each}
        for name, title in titles.items():
            for goal in group["goals"]:
                settings = {key: value for key, value in goal.items() if key not in _GOAL}
                if name:
                    settings[group["varied"]] = name
                measured = MEASURES[goal["measure"]](stored, protocol, method, settings)
                found += _named(goal, measured, title)
    return found


_GOAL = ("name", "sign", "bound", "digits", "measure")


def _named(goal: dict[str, Any], measured: Measured, title: str) -> list[Goal]:
    """The goal with a measured value; none if words of its name are missing."""
    try:
        name = goal["name"].format(each=title, **measured.words)
    except KeyError:
        return []
    bounds = {key: goal[key] for key in ("sign", "bound", "digits")}
    return [Goal(name=name, value=measured.value, shown=measured.shown, **bounds)]


def goal_table(goals: Sequence[Goal]) -> str:
    """Table of goals with the measured values."""
    return table(
        ["goal", "wanted", "measured", ""],
        [[goal.name, goal.wanted, goal.measured, goal.verdict] for goal in goals],
    )


def write(folder: Path, output: Path) -> Path:
    """Write ``goals.md``.

    Args:
        folder: of the stored results, with one folder per benchmark.
        output: folder of the page.

    Raises:
        ValueError: a result belongs to other weights than the shipped model, or covers part of a
            test.
    """
    return pages.write(markdown(folder), output / "goals.md")


def _closest(best: Result, theirs: Sequence[Result]) -> str:
    """Table of the conditions without superiority, by both measures; empty without any."""
    rows = [
        [clinic.NAMES[measure], kind, f"{snr} dB", f"`{other}`", estimate(apart, 2)]
        for measure in clinic.BY_SNR
        for kind, snr, other, apart in not_superior(best, theirs, measure)
    ]
    return table(["measure", "noise", "input SNR", "method", "difference"], rows) if rows else ""


def markdown(folder: Path) -> str:
    """Format the page."""
    stored, names = Stored(folder), model_names()
    measured = [result for name in names if (result := stored.find("clinic", name))]
    best = max(measured, key=lambda r: clinic.mean(r, "snr_improvement").mean, default=None)
    shown = best.method if best else names[0]
    theirs, left_out = stored.others

    def tables(section: str, method: str = "") -> str:
        return goal_table(judged(section, stored, method))

    return pages.render(
        "goals.md.j2",
        beats={
            name: (tables(section, name), len(stored.by_seed("deepfilter", name)))
            for name, section in BEATS.items()
        },
        published=next(row for row in published.ROWS if row.method == "mecg-e"),
        best_published=min(published.ROWS, key=lambda row: row.values[0]),
        best=shown,
        passes=sum(SHIPPED_PASSES[shown]),
        others=len(theirs) if best else 0,
        leads=tables("leads", best.method if best else ""),
        not_superior=_closest(best, theirs) if best and theirs else "",
        left_out=left_out,
        sizes=goal_table(
            [
                *judged("sizes", stored, ""),
                *judged("small", stored, SMALL),
                *judged("small, equal training", stored, f"{SMALL}+augmented"),
            ]
        ),
        hearts={name: tables("hearts", name) for name in names},
        safety={name: tables("safety", name) for name in names},
        classical=robust.CLASSICAL,
        robustness=tables("robustness", shown),
    )  # fmt: skip

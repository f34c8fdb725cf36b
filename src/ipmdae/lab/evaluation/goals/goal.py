"""A goal: a bound, what was measured, and by how much it was missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ipmdae.cards import NOT_MEASURED
from ipmdae.lab.evaluation.intervals import Interval
from ipmdae.lab.evaluation.tables import estimate, number, table


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What is wanted of one number.

    Attributes:
        name: what it is, with its unit.
        bound: what is wanted.
        value: what was measured; NaN where it was not.
        at_most: whether less is better.
        strict: whether the bound itself is not enough.
        digits: behind the point.
        told: the value as it is told, where there is more to tell, such as its interval.
    """

    name: str
    bound: float
    value: float
    at_most: bool = True
    strict: bool = False
    digits: int = 2
    told: str = ""

    @property
    def wanted(self) -> str:
        """The bound as text."""
        signs = {(True, False): "≤", (True, True): "<", (False, False): "≥", (False, True): ">"}
        return f"{signs[self.at_most, self.strict]} {self.bound:,.6g}"

    @property
    def measured(self) -> str:
        """The value as text."""
        if np.isnan(self.value):
            return NOT_MEASURED
        return self.told or number(self.value, self.digits)

    @property
    def reached(self) -> bool:
        """Whether it was measured and is within the bound."""
        missing = self._missing
        return missing < 0 or (missing == 0 and not self.strict)

    @property
    def verdict(self) -> str:
        """Reached, or missed by how much."""
        if np.isnan(self.value):
            return NOT_MEASURED
        if self.reached:
            return "reached"
        digits = self.digits
        while digits < 6 and self._missing and round(self._missing, digits) == 0:
            digits += 1
        return f"**missed by {number(self._missing, digits)}**"

    @property
    def _missing(self) -> float:
        apart = self.value - self.bound
        return apart if self.at_most else -apart


def from_interval(
    name: str,
    bound: float,
    interval: Interval,
    *,
    at_most: bool = True,
    strict: bool = False,
    digits: int = 2,
) -> Goal:
    """A goal of a mean, which is told with its interval."""
    return Goal(
        name=name,
        bound=bound,
        value=interval.mean,
        at_most=at_most,
        strict=strict,
        digits=digits,
        told=estimate(interval, digits),
    )


def goal_table(goals: Sequence[Goal]) -> str:
    """All goals with what was measured, in Markdown."""
    return table(
        ["goal", "wanted", "measured", ""],
        [[goal.name, goal.wanted, goal.measured, goal.verdict] for goal in goals],
    )

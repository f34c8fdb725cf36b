"""Goals: a bound, the measured value, and the shortfall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ipmdae.cards import NOT_MEASURED
from ipmdae.lab.evaluation.intervals import Interval
from ipmdae.lab.evaluation.tables import estimate, number, table


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A bound on one measured value.

    Attributes:
        name: quantity with its unit.
        bound: required value.
        value: measured value; NaN if not measured.
        at_most: True if lower is better.
        strict: True if the bound itself does not suffice.
        digits: decimal places.
        shown: text to print instead of the value, such as a mean with its interval.
    """

    name: str
    bound: float
    value: float
    at_most: bool = True
    strict: bool = False
    digits: int = 2
    shown: str = ""

    @property
    def wanted(self) -> str:
        """Bound as text."""
        signs = {(True, False): "≤", (True, True): "<", (False, False): "≥", (False, True): ">"}
        return f"{signs[self.at_most, self.strict]} {self.bound:,.6g}"

    @property
    def measured(self) -> str:
        """Measured value as text."""
        if np.isnan(self.value):
            return NOT_MEASURED
        return self.shown or number(self.value, self.digits)

    @property
    def reached(self) -> bool:
        """True if measured and within the bound."""
        missing = self._missing
        return missing < 0 or (missing == 0 and not self.strict)

    @property
    def verdict(self) -> str:
        """``reached``, or ``missed by`` the shortfall."""
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
    """Goal of a mean, printed with its interval."""
    return Goal(
        name=name,
        bound=bound,
        value=interval.mean,
        at_most=at_most,
        strict=strict,
        digits=digits,
        shown=estimate(interval, digits),
    )


def goal_table(goals: Sequence[Goal]) -> str:
    """Markdown table of goals with the measured values."""
    return table(
        ["goal", "wanted", "measured", ""],
        [[goal.name, goal.wanted, goal.measured, goal.verdict] for goal in goals],
    )

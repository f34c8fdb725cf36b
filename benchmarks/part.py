"""Common structure of the parts of the benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).parents[1]

Results = dict[str, Any]
"""Results of a part as JSON values, from which the page can be written again."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of the measurements.

    Attributes:
        threads: threads that everything may use, unless a part says otherwise.
        quick: tiny sizes and few rounds, to try whether everything runs; the numbers say nothing.
        long: measure the week-long recording too.
    """

    threads: int
    quick: bool = False
    long: bool = False

    def rounds(self, usual: int) -> int:
        """Number of repetitions."""
        return 2 if self.quick else usual


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A figure that the project wants to reach.

    Attributes:
        figure: quantity, with its unit.
        bound: required value.
        value: measured value.
        at_most: whether less is better.
    """

    figure: str
    bound: float
    value: float
    at_most: bool = True

    @property
    def wanted(self) -> str:
        """The bound as text."""
        return f"{'≤' if self.at_most else '≥'} {self.bound:g}"

    @property
    def verdict(self) -> str:
        """Met, or missed by how much of the bound."""
        excess = self.value / self.bound - 1
        missed = excess if self.at_most else -excess
        return f"**missed by {missed:.0%}**" if missed > 0 else "met"


class Part(Protocol):
    """Protocol of a part."""

    NAME: str
    TITLE: str

    def measure(self, settings: Settings) -> Results:
        """Measure, in a separate process.

        Raises:
            UnavailableError: this machine or environment cannot; the message says what is missing.
        """

    def section(self, results: Results) -> str:
        """The results in Markdown, without a heading."""

    def goals(self, results: Results) -> list[Goal]:
        """Compare the results with the goals."""


class UnavailableError(RuntimeError):
    """Something cannot be measured here; the message says what is missing."""

"""What the parts of the benchmark have in common."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).parents[1]

Results = dict[str, Any]
"""What a part measured, of what JSON can hold, so that the page can be made again from files."""


def processors() -> int:
    """Processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to measure.

    Attributes:
        threads: threads that everything may use, unless a part says otherwise.
        quick: tiny sizes and few rounds, to try whether everything runs; the numbers say nothing.
        long: measure the week-long recording too.
    """

    threads: int
    quick: bool = False
    long: bool = False

    def rounds(self, usual: int) -> int:
        """How often everything is repeated."""
        return 2 if self.quick else usual


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A figure that the project wants to reach.

    Attributes:
        figure: what it is, and its unit.
        bound: what is wanted.
        value: what was measured.
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
    """What a module must offer to be a part."""

    NAME: str
    TITLE: str

    def measure(self, settings: Settings) -> Results:
        """Measure, in a process of its own.

        Raises:
            UnavailableError: this machine or environment cannot; the message says what is missing.
        """

    def section(self, results: Results) -> str:
        """The results in Markdown, without a heading."""

    def goals(self, results: Results) -> list[Goal]:
        """How the results compare with what is wanted."""


class UnavailableError(RuntimeError):
    """Something cannot be measured here; the message says what is missing."""

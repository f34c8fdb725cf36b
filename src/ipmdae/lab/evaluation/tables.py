"""Tables in Markdown, and the numbers in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ipmdae.lab.evaluation.intervals import Interval


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with its header."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def number(value: float, digits: int = 3) -> str:
    """A number with so many digits behind the point, none from 1000 on; NaN is a dash."""
    if np.isnan(value):
        return "-"
    return f"{value:.{digits}f}" if abs(value) < 1000 else f"{value:,.0f}"


def count(value: float) -> str:
    """A count with three digits and a prefix, e.g. ``25.5 k``."""
    for step, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= step:
            digits = 2 if value < 10 * step else 1 if value < 100 * step else 0
            return f"{value / step:.{digits}f} {prefix}"
    return f"{value:.0f}"


def mean(values: NDArray[np.float64], digits: int = 3) -> str:
    """The mean, where there is one: a diverged method has none, nor has an empty bin."""
    finite = len(values) > 0 and bool(np.isfinite(values).all())
    return number(float(values.mean()), digits) if finite else "-"


def limits(interval: Interval, digits: int = 3) -> str:
    """``[low, high]``."""
    return f"[{number(interval.low, digits)}, {number(interval.high, digits)}]"


def estimate(interval: Interval, digits: int = 3) -> str:
    """``mean [low, high]``; a dash where there is no mean."""
    if np.isnan(interval.mean):
        return "-"
    return f"{number(interval.mean, digits)} {limits(interval, digits)}"

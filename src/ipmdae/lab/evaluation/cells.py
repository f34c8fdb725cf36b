"""Cells of the tables of single beats and windows: means, paired differences, bins of the noise."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ipmdae.lab.evaluation import pages
from ipmdae.lab.evaluation.intervals import bootstrap
from ipmdae.lab.evaluation.pages import estimate
from ipmdae.lab.evaluation.results import Result

Edges = tuple[float, float]


def measured(result: Result, name: str) -> str:
    """Mean ± standard deviation and interval; a dash where a value is not finite."""
    values = result[name]
    if not np.isfinite(values).all():
        return "-"
    interval = pages.limits(bootstrap(values, result["record"]))
    return f"{pages.mean(values)} ± {pages.number(float(values.std()))} {interval}"


def less(anchor: Result, result: Result, name: str) -> str:
    """Paired difference to the anchor, with its interval; a dash where it is not known."""
    apart, records = result.less(anchor, name)
    finite = len(apart) > 0 and np.isfinite(apart).all()
    return estimate(bootstrap(apart, records)) if finite else "-"


def is_less(anchor: Result, result: Result, name: str) -> bool:
    """True if the interval of the paired difference to the anchor is below zero."""
    apart, records = result.less(anchor, name)
    finite = len(apart) > 0 and np.isfinite(apart).all()
    return bool(finite and bootstrap(apart, records).high < 0)


def bins(edges: Sequence[float]) -> dict[str, Edges]:
    """Bins of the noise factor, by title."""
    return {f"{low:g}-{high:g}": (low, high) for low, high in pairwise(edges)}


def in_bin(names: Sequence[str], result: Result, edges: Edges) -> str:
    """Means of some measures within a bin of the noise factor, with slashes between them."""
    inside = (result["factor"] >= edges[0]) & (result["factor"] < edges[1])
    return " / ".join(pages.mean(result[name][inside]) for name in names)

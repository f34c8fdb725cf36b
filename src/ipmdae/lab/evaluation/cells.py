"""Cells of the tables of single beats and windows: means, paired differences, bins of the noise."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ipmdae.lab.evaluation import pages
from ipmdae.lab.evaluation.intervals import NOWHERE, Interval, bootstrap
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


def difference(anchor: Result, result: Result, name: str) -> Interval:
    """Paired difference to the anchor; nowhere if a value is not finite."""
    apart, records = result.less(anchor, name)
    finite = len(apart) > 0 and np.isfinite(apart).all()
    return bootstrap(apart, records) if finite else NOWHERE


def less(anchor: Result, result: Result, name: str) -> str:
    """Paired difference to the anchor, with its interval; a dash where it is not known."""
    return estimate(difference(anchor, result, name))


def bins(edges: Sequence[float]) -> dict[str, Edges]:
    """Bins of the noise factor, by title."""
    return {f"{low:g}-{high:g}": (low, high) for low, high in pairwise(edges)}


def in_bin(names: Sequence[str], result: Result, edges: Edges) -> str:
    """Means of some measures within a bin of the noise factor, with slashes between them."""
    inside = (result["factor"] >= edges[0]) & (result["factor"] < edges[1])
    return " / ".join(pages.mean(result[name][inside]) for name in names)

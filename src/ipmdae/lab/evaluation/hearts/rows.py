"""Row of results: one number of one case, over all samples, readable ones and good ones."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipmdae.lab.evaluation.benchmark import Array, Result

Field = Literal["value", "trusted", "readable", "good", "graded_good"]

FIELDS: tuple[Field, ...] = ("value", "trusted", "readable", "good", "graded_good")


class Row(NamedTuple):
    """One measurement; every method returns the same rows in the same order.

    Attributes:
        measure: name of the measure, e.g. ``"gain"``.
        case: what was measured, e.g. ``"f waves"``.
        condition: noise and SNR, e.g. ``"bw 5"`` (dB).
        record: record and lead, e.g. ``"sel123 0"``.
        value: over all samples; NaN without any.
        trusted: over readable samples; NaN if they are too few.
        readable: readable share of the samples (or of the case's energy).
        good: over samples graded good; NaN if they are too few.
        graded_good: share of the samples (or of the case's energy) that is graded good.
    """

    measure: str
    case: str
    condition: str
    record: str
    value: float
    trusted: float = np.nan
    readable: float = np.nan
    good: float = np.nan
    graded_good: float = np.nan


def select(
    result: Result,
    measure: str,
    case: str | None = None,
    condition: str | None = None,
    field: Field = "value",
) -> Array:
    """Values of a measure, of one case and condition or of all, (rows,)."""
    return result.values[field][chosen(result, measure, case, condition)]


def chosen(
    result: Result, measure: str, case: str | None = None, condition: str | None = None
) -> NDArray[np.bool_]:
    """Mask of the rows of a measure, a case and a condition, (rows,)."""
    wanted = {"measure": measure, "case": case, "condition": condition}
    found = np.ones(len(result), np.bool_)
    for label, value in wanted.items():
        if value is not None:
            found &= result.labels[label] == value
    return found


def cases(result: Result, measure: str, label: str = "case") -> list[str]:
    """Cases (or conditions) of a measure, in the order of measurement."""
    values = result.labels[label][result.labels["measure"] == measure]
    return list(dict.fromkeys(str(value) for value in values))

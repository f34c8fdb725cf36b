"""Row of clinical results: one number with its labels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipmdae.lab.evaluation.benchmark import Array, Result


class Row(NamedTuple):
    """One number; every method gives the same rows in the same order.

    Attributes:
        measure: name of the measure, e.g. ``"QRS onset"``.
        condition: noise and SNR, e.g. ``"em 5"`` (dB).
        record: name of the record.
        value: NaN if nothing was found.
    """

    measure: str
    condition: str
    record: str
    value: float


def select(result: Result, measure: str, condition: str) -> tuple[Array, NDArray[np.str_]]:
    """The values of a measure under a condition, and the record of each, (values,) both."""
    chosen = (result.labels["measure"] == measure) & (result.labels["condition"] == condition)
    return result.values["value"][chosen], result.record[chosen]

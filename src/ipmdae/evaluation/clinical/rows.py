"""A clinical measurement: one number, and what it is of."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One number; every method gives the same rows in the same order.

    Attributes:
        measure: what was measured, e.g. ``"QRS onset"``.
        condition: under which noise, e.g. ``"em 5"`` (dB).
        record: of which record.
        value: NaN where nothing was found.
    """

    measure: str
    condition: str
    record: str
    value: float

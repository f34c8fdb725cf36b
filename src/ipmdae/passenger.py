"""Signals that travel with a recording without being part of it: other rates, other organs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.text import one_line

if TYPE_CHECKING:
    from ipmdae.recording import Resolution


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Passenger:
    """A signal that is carried along untouched, e.g. respiration at 25 Hz beside an ECG at 250.

    Nothing cleans or resamples it. A format that holds several rates (EDF) stores it as it came,
    the others leave it out with a warning.

    Attributes:
        name: what the file calls it.
        unit: its unit in the file; values are in this unit, also where it is a voltage.
        fs: its own sampling rate in Hz.
        samples: how many there are.
        place: its index among all signals of the file it came from.
        resolution: how it was digitised, if it was.
        read: the samples from the first to the second index (not included), (n,) float64 in
            ``unit``, NaN where missing. They may still lie in the file they came from.
    """

    name: str
    unit: str
    fs: float
    samples: int
    place: int
    read: Callable[[int, int], NDArray[np.float64]]
    resolution: Resolution | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", one_line(self.name))
        object.__setattr__(self, "unit", one_line(self.unit))

    def excerpt(self, start: float, seconds: float) -> Passenger:
        """The samples of ``seconds`` from ``start`` on (both in s)."""
        first = min(round(start * self.fs), self.samples)
        stop = min(round((start + seconds) * self.fs), self.samples)
        read = self.read
        return dataclasses.replace(
            self, samples=stop - first, read=lambda i, j: read(first + i, first + j)
        )

    def __repr__(self) -> str:
        length = f"{self.samples / self.fs:g} s at {self.fs:g} Hz"
        return f"<Passenger: {self.name} ({self.unit}); {length}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles hold their samples in memory, wherever they lay before."""
        known = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return _remade, (known | {"read": self.read(0, self.samples)},)


def _remade(fields: dict[str, Any]) -> Passenger:
    values = fields["read"]
    return Passenger(**(fields | {"read": lambda first, stop: values[first:stop]}))

"""Auxiliary channels (other sampling rate, or not an ECG), copied through unchanged."""

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
    """An auxiliary channel, e.g. respiration at 25 Hz recorded with an ECG at 250 Hz.

    It is neither denoised nor resampled. Formats with several sampling rates (EDF) store it
    unchanged; others leave it out with a warning.

    Attributes:
        name: name in the file.
        unit: unit in the file; values are in this unit, even if it is a voltage.
        fs: sampling rate in Hz.
        samples: number of samples.
        place: index among all signals of its file.
        resolution: digital resolution, if any.
        read: function of two sample indices that returns the samples between them, (n,) float64 in
            ``unit``, NaN where missing. The samples may still be in the file.
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
        """Samples of ``seconds`` s from ``start`` s on."""
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

"""The end of an array that grows: what a signal that comes in chunks needs to be remembered."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


class Tail(Generic[Scalar]):
    """The last rows of a growing array (time, columns), found by their index in the whole of it.

    Attributes:
        first: index of the first row that is still there.
    """

    def __init__(self, columns: int, dtype: DTypeLike, first: int = 0) -> None:
        """Make an empty array whose first row will have the index ``first``."""
        self.first = first
        self._rows: NDArray[Scalar] = np.empty((0, columns), dtype)

    @property
    def stop(self) -> int:
        """Index that the next row will have."""
        return self.first + len(self._rows)

    def append(self, rows: NDArray[Scalar]) -> None:
        """Add rows (time, columns) at the end."""
        if len(rows):
            self._rows = np.concatenate([self._rows, rows])

    def rows(self, first: int, stop: int) -> NDArray[Scalar]:
        """The rows from index ``first`` to ``stop`` (not included), a view."""
        return self._rows[first - self.first : stop - self.first]

    def drop(self, before: int) -> None:
        """Forget the rows before an index."""
        if before > self.first:
            self._rows = self._rows[before - self.first :]
            self.first = before

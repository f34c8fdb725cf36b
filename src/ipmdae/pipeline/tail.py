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
        stop: index that the next row will have.
    """

    def __init__(self, columns: int, dtype: DTypeLike, first: int = 0) -> None:
        """Make an empty array whose first row will have the index ``first``."""
        self.first = self.stop = first
        self._begin = first  # index of the first row in memory, of which some may be forgotten
        self._memory: NDArray[Scalar] = np.empty((0, columns), dtype)

    def append(self, rows: NDArray[Scalar]) -> None:
        """Add rows (time, columns) at the end."""
        stop = self.stop + len(rows)
        if stop - self._begin > len(self._memory):
            # Twice what is needed, so that rows that come one by one are not all moved each time.
            known = self.rows(self.first, self.stop)
            memory = np.empty((2 * (stop - self.first), known.shape[1]), known.dtype)
            memory[: len(known)] = known
            self._memory, self._begin = memory, self.first
        self._memory[self.stop - self._begin : stop - self._begin] = rows
        self.stop = stop

    def rows(self, first: int, stop: int) -> NDArray[Scalar]:
        """The rows from index ``first`` to ``stop`` (not included), a view."""
        return self._memory[first - self._begin : stop - self._begin]

    def drop(self, before: int) -> None:
        """Forget the rows before an index."""
        self.first = max(self.first, before)
        self.stop = max(self.stop, self.first)

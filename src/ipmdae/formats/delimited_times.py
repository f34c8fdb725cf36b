"""Time columns of text tables: numbers in some unit, times of the day, dates with times."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import delimited_layout as layouts
from ipmdae.formats.delimited_layout import Layout
from ipmdae.formats.errors import FormatError, reason


class Stamps:
    """Turns the cells of a time column into s since the first of them."""

    def __init__(self, layout: Layout, index: int | None) -> None:
        self._kind = layout.stamps(index) if index is not None else layouts.NUMBER
        self._scale = layout.columns[index].seconds if index is not None else 1.0
        self._first: float | None = None
        self.start: datetime | None = None

    def seconds(self, path: Path, cells: Any) -> NDArray[np.float64]:
        """Times in s.

        Raises:
            FormatError: a cell is no time.
        """
        import pandas as pd

        try:
            if self._kind == layouts.DATE:
                texts = cells.str.replace(",", ".", regex=False)
                dates = pd.to_datetime(texts, format="ISO8601", utc=True)
                times = (dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
                times = times.to_numpy(np.float64)
            elif self._kind == layouts.CLOCK:
                times = np.array([layouts.clock_seconds(cell) for cell in cells], np.float64)
            else:
                times = cells.to_numpy(np.float64)
        except Exception as error:
            raise FormatError(path, f"has a time that is none ({reason(error)})") from error
        if self._first is None and len(times):
            self._begin(float(times[0]))
        scaled: NDArray[np.float64] = (times - (self._first or 0.0)) * self._scale
        return scaled

    def _begin(self, first: float) -> None:
        self._first = first
        if self._kind == layouts.NUMBER:
            # Since 1970, in s, ms, µs or ns: nothing else is counted in such numbers.
            power = next((p for p in (9, 6, 3, 0) if 1e8 * 10**p < first < 1e10 * 10**p), None)
            if power is None:
                return
            self._scale = 10.0**-power
            first *= self._scale
        if self._kind != layouts.CLOCK:
            zero = datetime(1970, 1, 1, tzinfo=timezone.utc)
            self.start = (zero + timedelta(seconds=first)).replace(tzinfo=None)


def quantum(layout: Layout, index: int | None) -> float:
    """How finely times are rounded, in s, by the decimals that they have."""
    if index is None:
        return 0.0
    cells = [row[index] for row in layout.rows if len(row) > index]
    decimals = max(
        (len(c.replace(",", ".").partition(".")[2].rstrip("Z]")) for c in cells), default=0
    )
    scale = layout.columns[index].seconds if layout.stamps(index) == layouts.NUMBER else 1.0
    return float(10.0 ** -min(decimals, 15) * scale)

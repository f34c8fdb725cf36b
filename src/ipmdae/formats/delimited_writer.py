"""Writing tables of text: a time column, and one a lead with its unit in the heading."""

from __future__ import annotations

import gzip
import math
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import replacing
from ipmdae.formats import description
from ipmdae.formats.blocks import SignalWriter, check_length
from ipmdae.formats.columns import heading
from ipmdae.recording import Header, Recording, Resolution

_ROWS = 1 << 16
"""Rows that become text at once."""


def write(recording: Recording, path: Path) -> None:
    """Write a table: ``time (s)``, or ``time (seconds since 2024-01-02T10:11:12)``, and the leads.

    Separated by commas, or by tabs if the suffix is ``.tsv``; compressed if it is ``.gz``. Values
    have as many decimals as it takes to find the digital ones again. A missing sample is ``nan``.
    Annotations and metadata are left out with a warning, comments and resolution silently.

    Raises:
        OSError: the file cannot be written.
    """
    with DelimitedWriter(recording.header, path) as writer:
        writer.write(recording.signal)


class DelimitedWriter(SignalWriter):
    """A table that is written block by block."""

    def __init__(self, header: Header, path: Path) -> None:
        """Open the file and write the headings; see :func:`write`."""
        lost = {"annotations": header.annotations, "metadata": header.metadata}
        description.warn_lost(path, header, "a table", lost=lost)
        self._header, self._path = header, path
        self._rows = 0
        suffixes = path.name.lower().removesuffix(".gz")
        mark = "\t" if suffixes.endswith(".tsv") else ","
        decimals = [_time_decimals(header.fs), *map(_decimals, header.resolution)]
        self._format = mark.join(f"%.{n}f" for n in decimals) + "\n"
        since = f"seconds since {header.start.isoformat()}" if header.start else "s"
        names = [
            _cell(heading(name, unit), mark)
            for name, unit in zip(header.leads, header.units, strict=True)
        ]
        self._first = mark.join([f"time ({since})", *names]) + "\n"
        self._stack = ExitStack()
        self._file: Any = None

    def __enter__(self) -> DelimitedWriter:
        aside = self._stack.enter_context(replacing(self._path))
        zipped = self._path.name.lower().endswith(".gz")
        file = gzip.open(aside, "wb", compresslevel=4) if zipped else aside.open("wb")
        self._file = self._stack.enter_context(file)
        self._file.write(self._first.encode())
        return self

    def write(self, block: NDArray[np.float64]) -> None:
        """See :meth:`SignalWriter.write`."""
        for first in range(0, len(block), _ROWS):
            part = block[first : first + _ROWS]
            time = (self._rows + np.arange(len(part))) / self._header.fs
            cells: Sequence[float] = np.column_stack([time, part]).reshape(-1).tolist()
            self._file.write((self._format * len(part) % tuple(cells)).encode())
            self._rows += len(part)

    def __exit__(self, kind: type[BaseException] | None, *others: object) -> None:
        try:
            if kind is None:
                check_length(self._path, self._header, self._rows)
        except BaseException as error:
            self._stack.__exit__(type(error), error, None)
            raise
        self._stack.__exit__(kind, *others)  # type: ignore[arg-type]


def _cell(text: str, mark: str) -> str:
    """A heading, in quotes where it would be ambiguous."""
    doubled = text.replace('"', '""')
    return f'"{doubled}"' if mark in text or '"' in text else text


def _decimals(how: Resolution | None) -> int:
    """Decimals by which a value lies within a quarter of a step of itself."""
    return 6 if how is None else min(max(math.ceil(math.log10(2 / how.step)), 0), 15)


def _time_decimals(fs: float) -> int:
    """Decimals that the sampling interval has, up to 9."""
    return next((n for n in range(1, 9) if (10**n / fs).is_integer()), 9)

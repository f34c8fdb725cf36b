"""Writing in blocks to formats whose header depends on the whole signal: samples wait in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray

from ipmdae import temporaries
from ipmdae.formats.blocks import SignalWriter, check_length
from ipmdae.recording import Header

Read = Callable[[int, int], NDArray[np.float64]]
"""Samples from the first to the second index (not included), (time, leads), in mV."""


class SpoolingWriter(SignalWriter):
    """Keeps blocks in a file without a name, beside the target, until all have come.

    Memory stays flat; the disk needs 8 bytes a sample for the time of writing.
    """

    def __init__(
        self, header: Header, path: Path, compose: Callable[[Header, Read, Path], None]
    ) -> None:
        """Begin to collect.

        Args:
            header: header of the recording to write.
            path: the target.
            compose: writes it, given what reads the samples back.
        """
        self._header = header
        self._path = path
        self._compose = compose
        self._width = len(header.leads)
        self._samples = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        temporaries.sweep(path.parent.absolute())
        self._file = TemporaryFile(dir=path.parent, prefix=temporaries.marker())  # noqa: SIM115

    def write(self, block: NDArray[np.float64]) -> None:
        """See :meth:`SignalWriter.write`."""
        self._file.write(np.ascontiguousarray(block, np.float64).tobytes())
        self._samples += len(block)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._file:
            if kind is None:
                check_length(self._path, self._header, self._samples)
                self._compose(self._header, self._read, self._path)

    def _read(self, first: int, stop: int) -> NDArray[np.float64]:
        self._file.seek(first * self._width * 8)
        count = (stop - first) * self._width
        return np.fromfile(self._file, np.float64, count).reshape(-1, self._width)

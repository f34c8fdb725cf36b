"""Samples that wait in a file: for formats whose header depends on them, or to be read again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray

from ipmdae import temporaries
from ipmdae.formats.blocks import SignalReader, SignalWriter, check_length
from ipmdae.recording import Header

Read = Callable[[int, int], NDArray[np.float64]]
"""Samples from the first to the second index (not included), (time, leads), in mV."""


class Spool(SignalReader):
    """A file without a name of the samples written to it, which can be read at any time.

    Memory stays flat; the disk needs 8 bytes a sample until it is closed.

    Attributes:
        info: header of the recording.
        samples: number of samples of a lead that were written.
    """

    def __init__(self, header: Header, folder: Path) -> None:
        """Make an empty file in a folder, which is made too."""
        self.info = header
        self.samples = 0
        folder.mkdir(parents=True, exist_ok=True)
        temporaries.sweep(folder.absolute())
        self._file = TemporaryFile(dir=folder, prefix=temporaries.marker())  # noqa: SIM115

    def write(self, block: NDArray[np.float64]) -> None:
        """Append samples (time, leads), in mV."""
        self._file.seek(0, os.SEEK_END)
        self._file.write(np.ascontiguousarray(block, np.float64).data)
        self.samples += len(block)

    def read(self, first: int, stop: int) -> NDArray[np.float64]:
        """See :meth:`SignalReader.read`."""
        width = len(self.info.leads)
        self._file.seek(first * width * 8)
        return np.fromfile(self._file, np.float64, (stop - first) * width).reshape(-1, width)

    def __exit__(self, *_: object) -> None:
        self._file.close()


class SpoolingWriter(SignalWriter):
    """Keeps blocks in a :class:`Spool` beside the target until all have come."""

    def __init__(
        self, header: Header, path: Path, compose: Callable[[Header, Read, Path], None]
    ) -> None:
        """Begin to collect.

        Args:
            header: header of the recording to write.
            path: the target.
            compose: writes it, given what reads the samples back.
        """
        self._path = path
        self._compose = compose
        self._spool = Spool(header, path.parent)

    def write(self, block: NDArray[np.float64]) -> None:
        """See :meth:`SignalWriter.write`."""
        self._spool.write(block)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        spool = self._spool
        with spool:
            if kind is None:
                check_length(self._path, spool.info, spool.samples)
                self._compose(spool.info, spool.read, self._path)

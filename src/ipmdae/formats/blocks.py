"""Signals read and written block by block, and the stand-ins for formats that cannot do it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.errors import FormatError, format_errors
from ipmdae.recording import Header, Recording


class SignalReader(AbstractContextManager["SignalReader"], Protocol):
    """A file that is open to be read; a context manager, which closes it.

    Attributes:
        info: all that is known but the signal.
        rate_from: where the sampling rate comes from, as the end of a sentence.
    """

    info: Header
    rate_from: str = "from the file's own fields"

    def read(self, first: int, stop: int) -> NDArray[np.float64]:
        """The samples ``first`` to ``stop`` (not included), which lie within the recording.

        Returns:
            (time, leads), in mV where the lead is a voltage; NaN is a missing sample.

        Raises:
            FormatError: the file is broken there.
        """

    def __exit__(self, *_: object) -> None:
        """Close what is open."""
        return None


class SignalWriter(AbstractContextManager["SignalWriter"], Protocol):
    """A file that is open to be written; a context manager.

    Nothing is visible under the final name until the ``with`` block ends well; when it raises, an
    old file of that name stays as it was.
    """

    def write(self, block: NDArray[np.float64]) -> None:
        """Append samples (time, leads), in mV; NaN is a missing sample."""


def read_whole(reader: SignalReader, *, annotations: bool = True) -> Recording:
    """The recording of an open reader, which is closed."""
    with reader:
        info = reader.info if annotations else dataclasses.replace(reader.info, annotations={})
        return Recording.from_header(info, reader.read(0, info.samples))


class WholeReader(SignalReader):
    """A recording in memory, as a :class:`SignalReader`."""

    def __init__(self, recording: Recording) -> None:
        self.info = recording.header
        self._signal = recording.signal

    def read(self, first: int, stop: int) -> NDArray[np.float64]:
        """See :meth:`SignalReader.read`."""
        return self._signal[first:stop]


class CheckedReader(SignalReader):
    """A reader of which every error is a :class:`FormatError`."""

    def __init__(self, path: Path, reader: SignalReader) -> None:
        self.info, self.rate_from = reader.info, reader.rate_from
        self._path = path
        self._reader: SignalReader | None = reader

    def read(self, first: int, stop: int) -> NDArray[np.float64]:
        """See :meth:`SignalReader.read`.

        Raises:
            ValueError: the reader is closed.
        """
        if self._reader is None:
            raise ValueError(f"the reader of {self._path} is closed")
        with format_errors(self._path):
            return self._reader.read(first, stop)

    def __exit__(self, *error: object) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.__exit__(*error)


class WholeWriter(SignalWriter):
    """A :class:`SignalWriter` that collects all blocks and then writes them by one call."""

    def __init__(
        self, header: Header, path: Path, write: Callable[[Recording, Path], None]
    ) -> None:
        self._header = header
        self._path = path
        self._write = write
        self._blocks: list[NDArray[np.float64]] = []

    def write(self, block: NDArray[np.float64]) -> None:
        """See :meth:`SignalWriter.write`."""
        self._blocks.append(np.array(block))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            return
        check_length(self._path, self._header, sum(map(len, self._blocks)))
        signal = np.concatenate(self._blocks)
        self._blocks.clear()
        self._write(Recording.from_header(self._header, signal), self._path)


def check_length(path: Path, header: Header, written: int) -> None:
    """Check that a writer was given all samples that its header announces.

    Raises:
        FormatError: it was not.
    """
    if written != header.samples:
        raise FormatError(
            path, f"not written: {written} samples a lead came, {header.samples} were announced"
        )

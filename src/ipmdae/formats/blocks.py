"""Signals read and written block by block, and the stand-ins for formats that cannot do it.

What was written is read before it takes its place: a format may hold less than it is given.
"""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ipmdae import temporaries
from ipmdae.files import checked
from ipmdae.formats import description
from ipmdae.formats.errors import FormatError, format_errors, reason
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


Open = Callable[[Path], SignalReader]


class ReadBackWriter(SignalWriter):
    """A writer whose file is read back before it takes its place; see :func:`check_written`."""

    def __init__(self, writer: SignalWriter, header: Header, path: Path, open: Open) -> None:
        self._writer, self._header, self._path, self._open = writer, header, path, open

    def __enter__(self) -> ReadBackWriter:
        self._writer.__enter__()
        return self

    def write(self, block: NDArray[np.float64]) -> None:
        """See :meth:`SignalWriter.write`."""
        self._writer.write(block)

    def __exit__(self, *error: object) -> None:
        with checked(lambda aside: check_written(self._header, self._path, aside, self._open)):
            self._writer.__exit__(*error)  # type: ignore[arg-type]


def check_written(header: Header, path: Path, aside: Path, open: Open) -> None:
    """Compare a file with what it was to hold: leads, units, rate, length, start, patient, marks.

    Args:
        header: the header that should have been written.
        path: the file's name.
        aside: the temporary file, or the folder with the files of a WFDB record.
        open: opens it.

    Raises:
        FormatError: it cannot be read, or comes back as another recording.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with open(aside / path.name if aside.is_dir() else aside) as reader:
                found = reader.info
    except (ValueError, OSError) as error:
        why = reason(error).replace(str(aside), path.name)
        raise FormatError(path, f"not written, as it could not be read again ({why})") from error
    different = _difference(header, found, path.name.lower())
    if different:
        raise FormatError(path, f"not written, as {different}")


def _difference(header: Header, found: Header, name: str) -> str:
    """The first thing that comes back otherwise, in words; empty if nothing does."""
    if found.samples != header.samples or len(found.leads) != len(header.leads):
        return (
            f"{header.samples} samples of {len(header.leads)} leads would come back as "
            f"{found.samples} of {len(found.leads)}"
        )
    if name.endswith(".npy"):
        return ""
    pairs: list[tuple[str, object, object]] = [
        ("the rate in Hz", f"{header.fs:.6g}", f"{found.fs:.6g}"),
        *(("the lead", *pair) for pair in zip(header.leads, found.leads, strict=True)),
        *(("the unit", *pair) for pair in zip(header.units, found.units, strict=True)),
    ]
    if not name.endswith(_WITHOUT_DATES):
        pairs.append(("the start", header.start and header.start.replace(tzinfo=None), found.start))
    if not name.endswith(_WITHOUT_MARKS):
        known = {key: header.metadata.get(key) for key in description.PATIENT}
        pairs += [(f"the {k}", v, found.metadata.get(k)) for k, v in known.items() if v]
        pairs.append(("the annotators", _annotators(header), _annotators(found)))
    for what, before, after in pairs:
        if before != after:
            return f"{what} {before} would come back as {after}"
    return ""


_WITHOUT_DATES = ("_physio.tsv.gz", "_stim.tsv.gz")
"""Formats that hold no date, by the standard: data sets of BIDS are anonymous."""

_WITHOUT_MARKS = (".csv", ".tsv", ".txt", ".gz", ".json")
"""Formats that hold neither patients nor annotations, and say so when they lose them."""


def _annotators(header: Header) -> str:
    return ", ".join(sorted(name for name, marks in header.annotations.items() if len(marks)))

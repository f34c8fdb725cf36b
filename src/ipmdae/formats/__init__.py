"""File formats: each reads a path into a :class:`~ipmdae.recording.Recording` and writes it back.

A format is a module with ``NAME``, ``SUFFIXES``, ``recognises(path)`` and ``read(path, ...)``; one
that can be written has ``write(recording, path)`` too. ``open_reader(path)`` and
``open_writer(header, path)`` are for files larger than memory: a format without them is read and
written whole. A file that is there but broken raises :class:`FormatError`, whatever a reader or a
library below it raised. A format that applies reading options other than ``fs`` by itself names
them in ``OPTIONS``; for the others :func:`~ipmdae.formats.options.overrule` does it. One that needs
a library beside the base installation names it in ``LIBRARY``; one whose recordings consist of
several files finds them by ``files(path)``.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

from ipmdae import stores
from ipmdae.files import checked
from ipmdae.formats import (
    acqknowledge,
    bids,
    clinical,
    dicom,
    edf,
    fhir,
    hdf5,
    kardia,
    matlab,
    npz,
    parquet,
    remote,
    table,
    unisens,
    wav,
    wfdb,
    xdf,
)
from ipmdae.formats.blocks import (
    CheckedReader,
    ReadBackWriter,
    SignalReader,
    SignalWriter,
    WholeReader,
    WholeWriter,
    check_written,
)
from ipmdae.formats.errors import FormatError, first_bytes, format_errors
from ipmdae.formats.options import DEFAULTS, ReadOptions, overrule
from ipmdae.recording import Header, Recording

__all__ = [
    "FORMATS",
    "Format",
    "FormatError",
    "ReadOptions",
    "SignalReader",
    "SignalWriter",
    "files_of",
    "format_of",
    "open_reader",
    "open_writer",
    "read",
    "write",
]


class Format(Protocol):
    """Protocol of the modules in :data:`FORMATS`."""

    @property
    def NAME(self) -> str:  # noqa: N802
        """Name of the format."""

    @property
    def SUFFIXES(self) -> tuple[str, ...]:  # noqa: N802
        """File suffixes, the most usual first."""

    def recognises(self, path: Path) -> bool:
        """True if the content of ``path`` is of this format; a missing file is of none."""

    def read(
        self, path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS
    ) -> Recording:
        """Read ``path``; see :func:`ipmdae.formats.read`."""


@runtime_checkable
class Writable(Format, Protocol):
    """A format that is not for reading only."""

    def write(self, recording: Recording, path: Path) -> None:
        """Write ``path``; see :func:`ipmdae.formats.write`."""


@runtime_checkable
class BlockReadable(Format, Protocol):
    """A format that is read block by block."""

    def open_reader(self, path: Path, *, options: ReadOptions = DEFAULTS) -> SignalReader:
        """Open ``path``; see :func:`ipmdae.formats.open_reader`."""


@runtime_checkable
class BlockWritable(Writable, Protocol):
    """A format that is written block by block."""

    def open_writer(self, header: Header, path: Path) -> SignalWriter:
        """Open ``path``; see :func:`ipmdae.formats.open_writer`."""


@runtime_checkable
class Composite(Format, Protocol):
    """A format whose recordings consist of several files."""

    def files(self, path: Path) -> list[Path]:
        """See :func:`ipmdae.formats.files_of`; none for the path of another format."""


FORMATS: tuple[Format, ...] = (
    *clinical.FORMATS,
    wfdb,
    edf,
    dicom,
    parquet,
    npz,
    matlab,
    hdf5,
    wav,
    fhir,
    kardia,
    unisens,
    acqknowledge,
    xdf,
    bids,
    table,
)
"""In the order in which they are asked whether they recognise a file."""


_KNOWN = "the command `ipmdae formats` lists those that are known"


def read(
    path: str | os.PathLike[str],
    *,
    annotations: bool = True,
    fs: float | None = None,
    options: ReadOptions = DEFAULTS,
) -> Recording:
    """Read a recording; voltages become mV, whatever unit the file has.

    The format is recognised by content, and by the suffix if the content is ambiguous. A WFDB
    record is given with or without ``.hea``.

    Examples:
        >>> import ipmdae
        >>> from ipmdae import examples
        >>> ipmdae.read(examples.path("118e06_excerpt"))
        <Recording: MLII, V1; 60 s at 360 Hz>

    Args:
        path: the file, or a URL (``https://``, ``s3://``, …) of one, which is fetched whole.
        annotations: whether to read annotations too.
        fs: sampling rate in Hz; short for ``options=ReadOptions(fs=fs)``.
        options: rate, unit, columns of a file that does not say them, or says them wrongly.

    Raises:
        FileNotFoundError: there is no such file, or another one that belongs to it is missing.
        FormatError: the file is of no known format, or broken.
        OSError: a URL cannot be fetched.
    """
    url = stores.url_of(path)
    if url is not None:
        with remote.fetched(url) as file:
            return read(file, annotations=annotations, fs=fs, options=options)
    path = Path(path).absolute()
    options = _with_rate(options, fs)
    with format_errors(path):
        format = _known_format(path)
        recording = format.read(path, annotations=annotations, options=options)
        reader = WholeReader(recording)
        overruled = overrule(path, reader, options, _heeded(format))
        if overruled is reader:
            return recording
        return Recording.from_header(overruled.info, overruled.read(0, recording.samples))


def open_reader(
    path: str | os.PathLike[str], *, fs: float | None = None, options: ReadOptions = DEFAULTS
) -> SignalReader:
    """Open a recording to read it block by block, in memory that does not grow with its length.

    A file whose format cannot be read so is read whole, and then returned in blocks.

    Args:
        path: the file, or a URL of one, which is fetched whole.
        fs: sampling rate in Hz; short for ``options=ReadOptions(fs=fs)``.
        options: rate, unit, columns of a file that does not say them, or says them wrongly.

    Raises:
        FileNotFoundError: there is no such file, or another one that belongs to it is missing.
        FormatError: the file is of no known format, or broken.
        OSError: a URL cannot be fetched.
    """
    url = stores.url_of(path)
    if url is not None:
        return remote.RemoteReader(url, lambda file: open_reader(file, fs=fs, options=options))
    path = Path(path).absolute()
    options = _with_rate(options, fs)
    with format_errors(path):
        format = _known_format(path)
        if not isinstance(format, BlockReadable):
            recording = format.read(path, options=options)
            return overrule(path, WholeReader(recording), options, _heeded(format))
        reader = CheckedReader(path, format.open_reader(path, options=options))
        try:
            return overrule(path, reader, options, _heeded(format))
        except BaseException:
            reader.__exit__()
            raise


def write(recording: Recording, path: str | os.PathLike[str]) -> None:
    """Write a recording in the format of the suffix; without a suffix, as a WFDB record.

    Everything is written aside and renamed at the end: an interruption leaves the old files.

    Examples:
        >>> import numpy as np
        >>> import ipmdae
        >>> recording = ipmdae.Recording(signal=np.zeros((720, 2)), fs=360, leads=("I", "II"))
        >>> ipmdae.write(recording, "flat.edf")
        >>> ipmdae.read("flat.edf")
        <Recording: I, II; 2 s at 360 Hz>

    Raises:
        FormatError: no format has this suffix, it is read only, or it cannot hold the recording.
        OSError: the files cannot be written.
    """
    if stores.in_store(path):
        with open_writer(recording.header, path) as writer:
            writer.write(recording.signal)
        return
    path = _local(path)
    format = _writable(path)
    header = recording.header
    again = _reader_of(format, header, path.suffix)
    with checked(lambda aside: check_written(header, path, aside, again)):
        format.write(recording, path)


def open_writer(header: Header, path: str | os.PathLike[str]) -> SignalWriter:
    """Open a file to write it block by block, in the format of the suffix.

    Nothing is there under its name until the ``with`` block ends well. A format that cannot be
    written in blocks is collected in memory first.

    Raises:
        FormatError: as :func:`write`; also, on exit, when other than ``header.samples`` came.
        OSError: the files cannot be written.
    """
    if stores.in_store(path):
        _writable(Path(path))
        return remote.RemoteWriter(str(stores.url_of(path)), lambda file: open_writer(header, file))
    path = _local(path)
    format = _writable(path)
    writer = (
        format.open_writer(header, path)
        if isinstance(format, BlockWritable)
        else WholeWriter(header, path, format.write)
    )
    return ReadBackWriter(writer, header, path, _reader_of(format, header, path.suffix))


def files_of(path: Path) -> list[Path]:
    """The files that a recording consists of, whether they are there or not.

    For a path without a recording they are those that writing one there makes. Annotations of a
    WFDB record are not among them.
    """
    composite = (format for format in FORMATS if isinstance(format, Composite))
    return next(filter(None, (format.files(path) for format in composite)), [path])


def _with_rate(options: ReadOptions, fs: float | None) -> ReadOptions:
    return options if fs is None else dataclasses.replace(options, fs=fs)


def _heeded(format: Format) -> frozenset[str]:
    """Names of the reading options that a format applies itself, its ``OPTIONS``."""
    heeded: frozenset[str] = getattr(format, "OPTIONS", frozenset())
    return heeded


def format_of(path: Path, *, by_suffix: bool = True) -> Format | None:
    """Format of a file, by its content, else by its suffix; ``None`` if unknown.

    A WFDB record is recognised by its header only.

    Args:
        path: the file.
        by_suffix: whether the suffix counts where the content says nothing.
    """
    found = next((format for format in FORMATS if format.recognises(path)), None)
    if found is None and by_suffix:
        named = _by_suffix(path)
        found = None if named is wfdb else named
    return found


def _known_format(path: Path) -> Format:
    if path.is_file() and not path.stat().st_size:
        raise FormatError(path, "is empty")
    format = format_of(path, by_suffix=path.is_file())
    if format is not None:
        return format
    if path.is_dir():
        raise FormatError(path, "is a folder; name the recordings in it")
    if _by_suffix(path) is wfdb:
        return wfdb
    if path.exists():
        if first_bytes(path, 2) == b"\x1f\x8b":
            raise FormatError(path, "is compressed by gzip; expand it first (gunzip)")
        raise FormatError(path, f"is of no known format; {_KNOWN}")
    raise FileNotFoundError(f"{path}: there is no such file")


def _local(path: str | os.PathLike[str]) -> Path:
    url = stores.url_of(path)
    if url is not None:
        raise FormatError(stores.shown(url), "is not a place to write to; write a file and copy it")
    return Path(path).absolute()


def _writable(path: Path) -> Writable:
    format = _by_suffix(path)
    if format is None:
        raise FormatError(path, f"no format has this suffix; {_KNOWN}")
    if not isinstance(format, Writable):
        others = ", ".join(f.NAME for f in FORMATS if isinstance(f, Writable))
        raise FormatError(path, f"{format.NAME} is for reading only; what can be written: {others}")
    return format


def _reader_of(format: Format, header: Header, suffix: str) -> Callable[[Path], SignalReader]:
    """Function that opens a written file to read it again; of ``.npy`` with its rate and unit."""
    options = ReadOptions(fs=header.fs, unit="mV") if suffix.lower() == ".npy" else DEFAULTS

    def open(path: Path) -> SignalReader:
        if isinstance(format, BlockReadable):
            return format.open_reader(path, options=options)
        return WholeReader(format.read(path, options=options))

    return open


def _by_suffix(path: Path) -> Format | None:
    name = path.name.lower()
    for format in FORMATS:
        if any(name.endswith(suffix) if suffix else not path.suffix for suffix in format.SUFFIXES):
            return format
    return None

"""WFDB, the format of PhysioNet: a text header ``NAME.hea``, signal files, annotation files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import wfdb  # type: ignore[import-untyped]

from ipmdae.formats import wfdb_annotations
from ipmdae.formats.blocks import SignalReader
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.formats.wfdb_header import header_path, read_header
from ipmdae.formats.wfdb_reader import Record, Segments
from ipmdae.formats.wfdb_writer import open_writer, write
from ipmdae.recording import Annotations, Recording

__all__ = ["NAME", "SUFFIXES", "open_reader", "open_writer", "read", "recognises", "write"]

NAME = "WFDB"
SUFFIXES: tuple[str, ...] = ("", ".hea", ".dat")


def recognises(path: Path) -> bool:
    """Whether there is a header of this name."""
    return header_path(path).is_file()


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read a record whole; see :func:`open_reader`."""
    header = header_path(path)
    reader = _open(header)
    recording = Recording.from_header(reader.info, reader.read(0, reader.info.samples))
    if not annotations:
        return recording
    return dataclasses.replace(recording, annotations=_annotations(header, recording.fs))


def open_reader(path: Path, *, options: ReadOptions = DEFAULTS) -> SignalReader:
    """Open a record of one or several segments, given by its header's path with or without suffix.

    Voltages become mV; other leads keep their unit. Where a record samples its leads at different
    rates, all are brought to the highest. A lead that says nothing about its gain, or 0, has 200
    steps per mV, as the specification wants. What no segment holds is missing (NaN).

    Args:
        path: the header.
        options: see :class:`~ipmdae.formats.options.ReadOptions`.

    Raises:
        FileNotFoundError: the header, a segment's header or a signal file is missing.
        FormatError: the header is malformed, a signal file is shorter than the header says, or
            the signals cannot be decoded.
    """
    header = header_path(path)
    reader = _open(header)
    marks = _annotations(header, reader.info.fs)
    reader.info = dataclasses.replace(reader.info, annotations=marks)
    return reader


def _open(header: Path) -> Record | Segments:
    fields = read_header(header)
    return (Segments if isinstance(fields, wfdb.MultiRecord) else Record)(header, fields)


def _annotations(header: Path, fs: float) -> dict[str, Annotations]:
    fields = read_header(header)
    segmented = isinstance(fields, wfdb.MultiRecord)
    signal_files: frozenset[str] = frozenset(() if segmented else fields.file_name)
    return wfdb_annotations.read_all(header, fields.fs, fs, signal_files)

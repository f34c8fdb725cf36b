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
from ipmdae.recording import Recording

__all__ = ["NAME", "SUFFIXES", "open_reader", "open_writer", "read", "recognises", "write"]

NAME = "WFDB"
SUFFIXES: tuple[str, ...] = ("", ".hea", ".dat")


def recognises(path: Path) -> bool:
    """True if there is a header of this name."""
    return header_path(path).is_file()


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read a record whole; see :func:`open_reader`."""
    header = header_path(path)
    reader = _open(header, annotations)
    return Recording.from_header(reader.info, reader.read(0, reader.info.samples))


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
    return _open(header_path(path), annotations=True)


def _open(header: Path, annotations: bool) -> Record | Segments:
    fields = read_header(header)
    segmented = isinstance(fields, wfdb.MultiRecord)
    reader = (Segments if segmented else Record)(header, fields)
    if annotations:
        signal_files: frozenset[str] = frozenset(() if segmented else fields.file_name)
        marks = wfdb_annotations.read_all(header, fields.fs, reader.info.fs, signal_files)
        reader.info = dataclasses.replace(reader.info, annotations=marks)
    return reader

"""File formats: each reads a path into a :class:`~ipmdae.recording.Recording` and writes it back.

A format is a module with ``NAME``, ``SUFFIXES``, ``recognises(path)``, ``read(path, ...)`` and
``write(recording, path)``. Readers raise :class:`FormatError` for a file that is there but broken.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from ipmdae.formats import wfdb
from ipmdae.formats.errors import FormatError
from ipmdae.recording import Recording

__all__ = ["FORMATS", "Format", "FormatError", "read", "write"]


class Format(Protocol):
    """What a module must offer to be one of :data:`FORMATS`."""

    NAME: str
    SUFFIXES: tuple[str, ...]

    def recognises(self, path: Path) -> bool:
        """Whether the content of ``path`` is of this format; a missing file is of none."""

    def read(self, path: Path, *, annotations: bool = True) -> Recording:
        """Read ``path``; see :func:`ipmdae.formats.read`."""

    def write(self, recording: Recording, path: Path) -> None:
        """Write ``path``; see :func:`ipmdae.formats.write`."""


FORMATS: tuple[Format, ...] = (wfdb,)
"""In the order in which they are asked whether they recognise a file."""


def read(path: str | os.PathLike[str], *, annotations: bool = True) -> Recording:
    """Read a recording; voltages become mV, whatever unit the file has.

    The format is told by the content, and by the suffix where the content says nothing. A WFDB
    record is given with or without ``.hea``.

    Args:
        path: the file.
        annotations: whether to read annotations too.

    Raises:
        FileNotFoundError: there is no such file, or another one that belongs to it is missing.
        FormatError: the file is of no known format, or broken.
    """
    path = Path(path).absolute()
    for format in FORMATS:
        if format.recognises(path):
            return format.read(path, annotations=annotations)
    by_suffix = _by_suffix(path)
    if by_suffix is not None:
        return by_suffix.read(path, annotations=annotations)
    if path.exists():
        raise FormatError(path, f"is of no known format; known are {_known()}")
    raise FileNotFoundError(f"{path}: there is no such file")


def write(recording: Recording, path: str | os.PathLike[str]) -> None:
    """Write a recording in the format of the suffix; without a suffix, as a WFDB record.

    Everything is written aside and renamed at the end: an interruption leaves the old files.

    Raises:
        FormatError: no format has this suffix, or the format cannot hold the recording.
        OSError: the files cannot be written.
    """
    path = Path(path).absolute()
    by_suffix = _by_suffix(path)
    if by_suffix is None:
        raise FormatError(path, f"no format has this suffix; known are {_known()}")
    by_suffix.write(recording, path)


def _by_suffix(path: Path) -> Format | None:
    return next((f for f in FORMATS if path.suffix.lower() in f.SUFFIXES), None)


def _known() -> str:
    return "; ".join(f"{f.NAME}: {' '.join(s or '(none)' for s in f.SUFFIXES)}" for f in FORMATS)

"""HDF5 files of named arrays, read by h5py in a child process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ipmdae.formats import isolated
from ipmdae.formats.arrays import from_arrays
from ipmdae.formats.blocks import SignalReader, WholeReader, read_whole
from ipmdae.formats.optional import require
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.recording import Recording

__all__ = ["NAME", "OPTIONS", "SUFFIXES", "open_reader", "read", "recognises"]

NAME = "HDF5"
SUFFIXES: tuple[str, ...] = (".h5", ".hdf5")
LIBRARY = "h5py"
OPTIONS = frozenset({"array", "unit"})

_MAGIC = b"\x89HDF\r\n\x1a\n"


def recognises(path: Path) -> bool:
    """True if the file begins as HDF5 does."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read a file whole; see :func:`open_reader`."""
    return read_whole(open_reader(path, options=options), annotations=annotations)


def open_reader(path: Path, *, options: ReadOptions = DEFAULTS) -> SignalReader:
    """Open arrays; see :func:`ipmdae.formats.arrays.from_arrays` for their names.

    Groups are structs. Rate, units and names may be attributes too, of the array or of its group.
    Only what lies in the file is read: see :mod:`ipmdae.formats.hdf5_content`.

    Args:
        path: the file.
        options: see :class:`~ipmdae.formats.options.ReadOptions`.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: no signal or rate is in it, or it is broken.
        ModuleNotFoundError: h5py is not installed.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    require("h5py", "HDF5 files")
    return isolated.open_reader(path, options, __name__)


def open_here(path: Path, options: ReadOptions) -> SignalReader:
    """Open arrays in this process; see :func:`open_reader`."""
    return WholeReader(from_arrays(path, content(path), options))


def content(path: Path) -> dict[str, Any]:
    """The arrays of a file; see :func:`ipmdae.formats.hdf5_content.content`."""
    from ipmdae.formats import hdf5_content

    return hdf5_content.content(path)

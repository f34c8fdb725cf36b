"""HDF5 files of named arrays, read by h5py in a child process.

Only what lies in the file is read, each object once: hard links are followed; external storage,
virtual datasets and compression by plugins are refused; soft and external links are left out.

Layout of MATLAB 7.3 files: texts are arrays of UTF-16 codes, cells are arrays of references,
structs are groups, and axes are in reverse.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import isolated
from ipmdae.formats.arrays import ATTRIBUTES, from_arrays, lowered
from ipmdae.formats.blocks import SignalReader, WholeReader, read_whole
from ipmdae.formats.errors import Budget, FormatError, first_bytes
from ipmdae.formats.optional import require
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.formats.plux import from_opensignals, is_opensignals
from ipmdae.recording import Recording

__all__ = ["NAME", "OPTIONS", "SUFFIXES", "open_reader", "read", "recognises"]

NAME = "HDF5"
SUFFIXES: tuple[str, ...] = (".h5", ".hdf5")
LIBRARY = "h5py"
OPTIONS = frozenset({"array", "unit"})

_MAGIC = b"\x89HDF\r\n\x1a\n"

_MAX_OBJECTS = 4096
"""Groups, datasets and attributes together, and texts or references of an array."""
_MAX_DEPTH = 8
_LONGEST_TEXT = 1 << 24

_FILTERS = frozenset({1, 2, 3, 4, 5, 6, 32000})
"""Numbers of the filters that HDF5 and h5py bring: deflate, shuffle, checksum, szip, n-bit,
scale-offset, LZF."""


def recognises(path: Path) -> bool:
    """True if the file begins as HDF5 does."""
    return first_bytes(path, len(_MAGIC)) == _MAGIC


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read a file whole; see :func:`open_reader`."""
    return read_whole(open_reader(path, options=options), annotations=annotations)


def open_reader(path: Path, *, options: ReadOptions = DEFAULTS) -> SignalReader:
    """Open arrays; see :func:`ipmdae.formats.arrays.from_arrays` for their names.

    Groups are structs. Rate, units and names may be attributes too, of the array or of its group.
    OpenSignals' files are known by their groups; see :mod:`ipmdae.formats.plux`.

    Args:
        path: the file.
        options: see :class:`~ipmdae.formats.options.ReadOptions`.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: no signal or rate is in it, or it is broken.
        ModuleNotFoundError: h5py is not installed.
    """
    require("h5py", "HDF5 files")
    return isolated.open_reader(path, options, __name__)


def open_here(path: Path, options: ReadOptions) -> SignalReader:
    """Open arrays in this process; see :func:`open_reader`."""
    arrays = lowered(content(path))
    opened = from_opensignals if is_opensignals(arrays, options.array) else from_arrays
    return WholeReader(opened(path, arrays, options))


def content(path: Path) -> dict[str, Any]:
    """Arrays by name; a group is a mapping of its arrays.

    Attributes stand beside them, under :data:`~ipmdae.formats.arrays.ATTRIBUTES`.

    Raises:
        FormatError: data lies outside of the file, or there is more than the file can hold.
    """
    import h5py

    with h5py.File(path, "r") as file:
        return _Content(path, h5py, file).value(file["/"], 0) or {}


class _Content:
    """Arrays read from a file, and the objects visited."""

    def __init__(self, path: Path, h5py: Any, file: Any) -> None:
        self._path, self._h5py, self._file = path, h5py, file
        self._budget = Budget(path, path.stat().st_size)
        self._seen: dict[int, Any] = {}
        self._objects = 0

    def _group(self, group: Any, depth: int) -> dict[str, Any]:
        """The arrays in a group and in those below it."""
        found: dict[str, Any] = {}
        if about := self._attributes(group):
            found[ATTRIBUTES] = about
        self._count(len(group))
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, self._h5py.ExternalLink):
                warnings.warn(f"{self._path}: {name} lies in another file; not read", stacklevel=2)
            if not isinstance(link, self._h5py.HardLink) or name in ("#refs#", "#subsystem#"):
                continue
            item = group[name]
            value = self.value(item, depth)
            if value is not None:
                found[name] = value
            is_array = isinstance(item, self._h5py.Dataset) and _matlab_class(item) is None
            if is_array and (about := self._attributes(item)):
                found[f"{ATTRIBUTES}{name}"] = about
        return found

    def value(self, item: Any, depth: int) -> Any:
        """An array, the same one for each of its names; a group, for the first of its names."""
        place = self._h5py.h5o.get_info(item.id).addr
        if place in self._seen or depth >= _MAX_DEPTH:
            return self._seen.get(place)
        self._seen[place] = None
        if isinstance(item, self._h5py.Group):
            return self._group(item, depth + 1)
        if isinstance(item, self._h5py.Dataset):
            self._seen[place] = self._dataset(item, depth)
        return self._seen[place]

    def _dataset(self, item: Any, depth: int) -> Any:
        self._check_storage(item)
        kind = _matlab_class(item)
        if kind is not None and item.attrs.get("MATLAB_empty"):
            return np.zeros((0, 0))
        if self._h5py.check_ref_dtype(item.dtype) is self._h5py.Reference:
            return self._cells(item, depth)
        if item.dtype.kind in "SO":
            return self._texts(item)
        if item.dtype.kind not in "fiub" or item.ndim > 8:
            return None
        self._budget.spend(item.size * max(item.dtype.itemsize, 8))
        value: NDArray[Any] = np.asarray(item[()])
        if kind == "char":
            codes = value.T.reshape(-1, order="F").astype(np.uint16)[:_LONGEST_TEXT]
            return np.array([codes.tobytes().decode("utf-16-le", "replace")])
        return value if kind is None else value.T

    def _check_storage(self, item: Any) -> None:
        """Refuse data that lie elsewhere, need code that is not there, or unpack beyond reason."""
        plan = item.id.get_create_plist()
        if plan.get_external_count() > 0 or plan.get_layout() == self._h5py.h5d.VIRTUAL:
            raise FormatError(
                self._path, f"the data of {item.name} lie in another file, which is not read"
            )
        for i in range(plan.get_nfilters()):
            if plan.get_filter(i)[0] not in _FILTERS:
                raise FormatError(
                    self._path, f"{item.name} is compressed by a plugin, which is not read"
                )
        if item.chunks:
            piece = int(np.prod(item.chunks, dtype=object)) * item.dtype.itemsize
            self._budget.spend(piece)
            self._budget.left += piece

    def _cells(self, item: Any, depth: int) -> list[Any] | None:
        """Targets in the file of an array of references."""
        if item.size > _MAX_OBJECTS or depth >= _MAX_DEPTH:
            return None
        self._count(item.size)
        references = np.asarray(item[()]).T.reshape(-1, order="F")
        return [self.value(self._file[ref], depth + 1) for ref in references if ref]

    def _texts(self, item: Any) -> NDArray[np.str_] | None:
        """Texts of fixed or of any length."""
        if item.size is None or item.size > _MAX_OBJECTS:
            return None
        if item.dtype.kind == "O" and self._h5py.check_string_dtype(item.dtype) is None:
            return None
        self._budget.spend(item.size * item.dtype.itemsize)
        values = np.asarray(item[()], object).reshape(-1)
        return np.array([_text(value) for value in values])

    def _attributes(self, item: Any) -> dict[str, Any]:
        """Small attributes of numbers or texts."""
        found: dict[str, Any] = {}
        self._count(len(item.attrs))
        for name in item.attrs:
            kind = item.attrs.get_id(name)
            numbers = kind.dtype.kind in "fiub"
            texts = (
                kind.dtype.kind in "SO" and self._h5py.check_string_dtype(kind.dtype) is not None
            )
            small = np.prod(kind.shape, dtype=object) <= _MAX_OBJECTS if kind.shape else True
            if name.startswith(("MATLAB_", "H5PATH")) or not small:
                continue
            value = item.attrs[name] if numbers or texts else None
            if numbers:
                found[name] = np.asarray(value)
            elif isinstance(value, (bytes, str)):
                found[name] = np.array([_text(value)])
            elif isinstance(value, np.ndarray):
                found[name] = np.array([_text(text) for text in value.reshape(-1)])
        return found

    def _count(self, more: int) -> None:
        self._objects += more
        if self._objects > _MAX_OBJECTS:
            raise FormatError(self._path, f"has more than {_MAX_OBJECTS} objects")


def _matlab_class(item: Any) -> str | None:
    kind = item.attrs.get("MATLAB_class")
    return kind.decode("latin-1") if isinstance(kind, bytes) else None


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

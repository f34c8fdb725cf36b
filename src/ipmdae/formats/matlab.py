"""MATLAB ``.mat``: versions up to 7 (written by SciPy), and 7.3 (HDF5) where h5py is installed.

Levels 4 and 5 (versions up to 7) are read without SciPy, which broken files crash: every size is
compared with the bytes that are there, within :class:`~ipmdae.formats.errors.Budget`. Objects,
functions and sparse matrices are not read. Source of the layout: The MathWorks, MAT-File Format.
"""

from __future__ import annotations

import warnings
import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import replacing
from ipmdae.formats import calibration, description, hdf5, isolated, wfdb
from ipmdae.formats.arrays import from_arrays
from ipmdae.formats.blocks import SignalReader, WholeReader, read_whole
from ipmdae.formats.errors import Budget, FormatError, first_bytes
from ipmdae.formats.labchart import from_labchart, is_labchart
from ipmdae.formats.optional import needs
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.recording import Recording

__all__ = ["NAME", "OPTIONS", "SUFFIXES", "open_reader", "read", "recognises", "write"]

NAME = "MATLAB"
SUFFIXES: tuple[str, ...] = (".mat",)
LIBRARY = "scipy"
OPTIONS = frozenset({"array", "unit"})

_MAGIC = b"MATLAB 5.0 MAT-file"
_MAGIC_HDF5 = b"MATLAB 7.3 MAT-file"
_GAIN = 200
"""Steps per mV that PhysioNet's formats have where nothing is said."""


def recognises(path: Path) -> bool:
    """True if the file begins as MATLAB's do."""
    return first_bytes(path, 19) in (_MAGIC, _MAGIC_HDF5)


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read arrays; see :func:`ipmdae.formats.arrays.from_arrays` for their names.

    PhysioNet's files hold digital samples ``val`` (leads, time), as version 4, and state their gain
    in a ``.hea`` file beside: with it they are read as WFDB; without, 200 steps per mV are assumed,
    with a warning. Exports of LabChart are known by their arrays ``datastart`` and ``dataend``.
    Files of version 7.3 are read in a process of their own.

    Args:
        path: the file.
        annotations: whether to read annotations too.
        options: see :class:`~ipmdae.formats.options.ReadOptions`.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: no signal or rate is in it, or it is broken.
        ModuleNotFoundError: h5py, for version 7.3, is not installed.
    """
    return read_whole(open_reader(path, options=options), annotations=annotations)


def open_reader(path: Path, *, options: ReadOptions = DEFAULTS) -> SignalReader:
    """Open arrays, which are read whole; see :func:`read`."""
    with path.open("rb") as file:
        magic = file.read(len(_MAGIC_HDF5))
    if magic == _MAGIC_HDF5:
        if find_spec("h5py") is None:
            raise ModuleNotFoundError(
                f"{path} is of MATLAB's version 7.3, for which h5py is needed: pip install h5py; "
                "or save it in MATLAB with -v7"
            )
        return isolated.open_reader(path, options, __name__)
    header = path.with_suffix(".hea")
    content = variables(path)
    if magic != _MAGIC and "val" in content and header.is_file():
        return wfdb.open_reader(header, options=options)
    return _reader(path, content, options)


def open_here(path: Path, options: ReadOptions) -> SignalReader:
    """Open a file of version 7.3 in this process."""
    return _reader(path, hdf5.content(path), options)


def _reader(path: Path, content: dict[str, Any], options: ReadOptions) -> SignalReader:
    arrays = {name.lower(): value for name, value in content.items()}
    if is_labchart(arrays) and options.array in (None, "data"):
        return WholeReader(from_labchart(path, arrays, options))
    stated = description.KEY in arrays or "units" in arrays or calibration.is_stated(arrays)
    whole = getattr(arrays.get("val"), "dtype", np.dtype(bool)).kind in "iu"
    if whole and not (stated or options.unit):
        arrays["val"] = np.asarray(arrays["val"], np.float64) / _GAIN
        arrays["units"] = np.array(["mV"])
        warnings.warn(f"{path}: does not say its gain; taken as {_GAIN} steps per mV", stacklevel=4)
    return WholeReader(from_arrays(path, arrays, options))


def write(recording: Recording, path: Path) -> None:
    """Write ``signal`` (time, leads) in mV, ``fs``, ``leads``, ``units`` and a description.

    Raises:
        FormatError: it is larger than the 2 GiB that the format holds.
        OSError: the file cannot be written.
        ModuleNotFoundError: SciPy is not installed.
    """
    with needs("scipy", "MATLAB files"):
        from scipy.io import savemat
    if recording.signal.nbytes >= 1 << 31:
        raise FormatError(path, "is too long for MATLAB's version 5; write EDF, WFDB or Parquet")
    description.warn_lost(path, recording.header, "a .mat file", lost={})
    arrays: dict[str, Any] = {
        "signal": recording.signal,
        "fs": recording.fs,
        "leads": np.array(recording.leads, object),
        "units": np.array(recording.units, object),
        description.KEY: description.to_json(recording.header),
    }
    with replacing(path) as aside:
        savemat(aside, arrays, do_compression=True, oned_as="column")


Value = Any
"""NDArray of numbers or texts; list, for a cell; dict, for a struct; None, for what is not read."""

MAGIC = b"MATLAB 5.0 MAT-file"
_HEADER = 128

_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8"}
_NUMBERS |= {13: "u8"}
"""Types of the data of an element."""

_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}

_CELL, _STRUCT, _CHAR = 1, 2, 4
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8"}
_CLASSES |= {15: "u8"}
"""Classes of arrays of numbers."""
_COMPLEX, _LOGICAL = 0x08, 0x02

_LEVEL_4 = ("f8", "f4", "i4", "i2", "u2", "u1")

_MAX_DEPTH = 8
_MAX_CELLS = 4096
"""Cells of an array that are read: names of leads, not annotations of beats."""
_MAX_ELEMENTS = 100_000
_MAX_DIMENSIONS = 8


class Element(NamedTuple):
    """A chunk of a file: its type and its data."""

    kind: int
    data: memoryview


def variables(path: Path) -> dict[str, Value]:
    """The variables of a file of level 4 or 5, by name.

    Raises:
        FormatError: it is neither, is cut off, contradicts itself, or expands beyond reason.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        content = memoryview(file.read())
    if bytes(content[: len(MAGIC)]) == MAGIC:
        return _Level5(path, content, Budget(path, size)).variables()
    return _level_4(path, content)


class _Level5:
    """A file of level 5: elements of a type, a length and data; arrays are elements of elements."""

    def __init__(self, path: Path, content: memoryview, budget: Budget) -> None:
        self._path, self._budget, self._content = path, budget, content
        order = bytes(content[126:128])
        if order not in (b"IM", b"MI"):
            raise FormatError(path, "the header of the MATLAB file is broken")
        self._order = "<" if order == b"IM" else ">"
        self._elements = 0

    def variables(self) -> dict[str, Value]:
        """All variables by name."""
        found: dict[str, Value] = {}
        at = _HEADER
        while at + 8 <= len(self._content):
            element, at = self._element(self._content, at)
            if element.kind == _COMPRESSED:
                element, _ = self._element(self._expanded(element.data), 0)
            if element.kind == _MATRIX and len(element.data):
                name, value = self._array(element.data, 0)
                if name:
                    found[name] = value
        return found

    def _element(self, data: memoryview, at: int) -> tuple[Element, int]:
        """The element at a place, and the place of the next one."""
        if at + 8 > len(data):
            raise self._cut_off()
        word = self._integer(data, at)
        if word >> 16:  # small: length, type and data in 8 bytes
            kind, length, begin, after = word & 0xFFFF, word >> 16, at + 4, at + 8
            if length > 4:
                raise FormatError(self._path, "the MATLAB file is broken (a small element is long)")
        else:
            kind, length, begin = word, self._integer(data, at + 4), at + 8
            after = begin + length + (0 if kind == _COMPRESSED else -length % 8)
        if begin + length > len(data):
            raise self._cut_off()
        self._elements += 1
        if self._elements > _MAX_ELEMENTS:
            raise FormatError(self._path, f"has more than {_MAX_ELEMENTS} elements")
        return Element(kind, data[begin : begin + length]), after

    def _integer(self, data: memoryview, at: int) -> int:
        return int.from_bytes(data[at : at + 4], "little" if self._order == "<" else "big")

    def _expanded(self, data: memoryview) -> memoryview:
        stream = zlib.decompressobj()
        expanded = stream.decompress(data, self._budget.left + 1)
        self._budget.spend(len(expanded))
        if not stream.eof:
            raise self._cut_off()
        return memoryview(expanded)

    def _array(self, data: memoryview, depth: int) -> tuple[str, Value]:
        """Name and value of an array."""
        flags, at = self._element(data, 0)
        if flags.kind != _UINT32 or len(flags.data) != 8:
            raise FormatError(self._path, "the MATLAB file is broken (an array without flags)")
        word = self._integer(flags.data, 0)
        kind, flag = word & 0xFF, word >> 8 & 0xFF
        second, at = self._element(data, at)
        if second.kind != _INT32:  # an object without dimensions
            return bytes(second.data).decode("latin-1"), None
        shape = tuple(np.frombuffer(second.data, f"{self._order}i4").tolist())
        if not 2 <= len(shape) <= _MAX_DIMENSIONS or min(shape) < 0:
            raise FormatError(self._path, f"the MATLAB file is broken (dimensions {shape})")
        title, at = self._element(data, at)
        name = bytes(title.data).decode("latin-1")
        return name, self._value(data, at, shape, kind, flag, depth)

    def _value(
        self, data: memoryview, at: int, shape: tuple[int, ...], kind: int, flag: int, depth: int
    ) -> Value:
        count = _product(shape)
        if kind in _CLASSES:
            element, _ = self._element(data, at)
            numbers = self._numbers(element, count, _CLASSES[kind])
            if flag & _COMPLEX:
                return np.zeros(0, np.complex128)
            return (numbers.astype(bool) if flag & _LOGICAL else numbers).reshape(shape, order="F")
        if kind == _CHAR:
            element, _ = self._element(data, at)
            return self._text(element, shape)
        if kind not in (_CELL, _STRUCT) or depth >= _MAX_DEPTH or count > _MAX_CELLS:
            return None
        if kind == _CELL:
            return self._nested(data, at, count, depth)[0]
        return self._struct(data, at, count, depth)

    def _nested(self, data: memoryview, at: int, count: int, depth: int) -> tuple[list[Value], int]:
        """So many arrays one after the other, and the place of what follows."""
        values: list[Value] = []
        for _ in range(count):
            element, at = self._element(data, at)
            if element.kind != _MATRIX:
                raise FormatError(self._path, "the MATLAB file is broken (a cell holds no array)")
            empty = not len(element.data)
            values.append(np.zeros((0, 0)) if empty else self._array(element.data, depth + 1)[1])
        return values, at

    def _struct(self, data: memoryview, at: int, count: int, depth: int) -> Value:
        """A struct as a dict; an array of structs as a list of them."""
        length, at = self._element(data, at)
        names, at = self._element(data, at)
        width = self._integer(length.data, 0) if len(length.data) == 4 else 0
        fields = len(names.data) // width if width else 0
        if (not width and len(names.data)) or count * fields > _MAX_CELLS:
            return None
        text = bytes(names.data)
        keys = [
            text[i * width : (i + 1) * width].partition(b"\0")[0].decode("latin-1")
            for i in range(fields)
        ]
        structs = []
        for _ in range(count):
            values, at = self._nested(data, at, fields, depth)
            structs.append(dict(zip(keys, values, strict=True)))
        return structs[0] if count == 1 else structs

    def _numbers(self, element: Element, count: int, wanted: str) -> NDArray[Any]:
        if element.kind not in _NUMBERS:
            raise FormatError(self._path, f"the MATLAB file is broken (data type {element.kind})")
        stored = np.dtype(f"{self._order}{_NUMBERS[element.kind]}")
        if count * stored.itemsize != len(element.data):
            raise FormatError(self._path, "the MATLAB file is broken (data and dimensions differ)")
        self._budget.spend(count * 8)  # as float64, which a signal will be
        if stored == np.dtype(wanted):
            return np.frombuffer(element.data, stored)
        with np.errstate(invalid="ignore"):
            return np.frombuffer(element.data, stored).astype(wanted)

    def _text(self, element: Element, shape: tuple[int, ...]) -> NDArray[np.str_]:
        """The rows of an array of characters."""
        encoding = _TEXTS.get(element.kind)
        if encoding is None:
            raise FormatError(self._path, "the MATLAB file is broken (a text without characters)")
        if encoding in ("utf-16", "utf-32"):
            encoding += "-le" if self._order == "<" else "-be"
        self._budget.spend(4 * len(element.data))
        return _rows(bytes(element.data).decode(encoding, "replace"), shape)

    def _cut_off(self) -> FormatError:
        return FormatError(self._path, "the MATLAB file is cut off or broken; fetch it again")


def _level_4(path: Path, content: memoryview) -> dict[str, Value]:
    """Matrices one after the other, each with a header of five integers and a name."""
    found: dict[str, Value] = {}
    at = 0
    while at < len(content):
        if at + 20 > len(content):
            raise FormatError(path, "the MATLAB file is cut off or broken; fetch it again")
        order, code = _order_4(path, content[at : at + 4])
        rows, columns, imaginary, length = np.frombuffer(content, f"{order}i4", 4, at + 4).tolist()
        kind = np.dtype(f"{order}{_LEVEL_4[code // 10]}")
        begin = at + 20 + length
        end = begin + max(rows, 0) * max(columns, 0) * kind.itemsize * (2 if imaginary else 1)
        if min(rows, columns, length) < 0 or end > len(content) or len(found) >= _MAX_CELLS:
            raise FormatError(path, "the MATLAB file is cut off or broken; fetch it again")
        name = bytes(content[at + 20 : begin]).partition(b"\0")[0].decode("latin-1")
        values = np.frombuffer(content, kind, rows * columns, begin)
        if code % 10 == 1:
            with np.errstate(invalid="ignore"):
                codes = values.astype(np.uint8).tobytes()
            found[name] = _rows(codes.decode("latin-1"), (rows, columns))
        elif code % 10 == 0 and not imaginary:
            found[name] = values.reshape((rows, columns), order="F")
        else:
            found[name] = None
        at = end
    return found


def _order_4(path: Path, data: memoryview) -> tuple[str, int]:
    """Byte order, and the digits for number type and kind of matrix, that a header begins with."""
    for order, name, thousands in (("<", "little", 0), (">", "big", 1)):
        code = int.from_bytes(data, name)  # type: ignore[arg-type]
        machine, code = divmod(code, 1000)
        if machine == thousands and code // 10 < len(_LEVEL_4) and code % 10 <= 2:
            return order, code
    raise FormatError(path, "is no MATLAB file")


def _rows(text: str, shape: tuple[int, ...]) -> NDArray[np.str_]:
    """The rows of characters that are stored column by column."""
    rows = shape[0]
    if rows <= 1 or not text:
        return np.array([text])
    return np.array([text[row::rows] for row in range(min(rows, _MAX_CELLS))])


def _product(shape: tuple[int, ...]) -> int:
    product = 1
    for n in shape:
        product *= n
    return product

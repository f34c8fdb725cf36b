"""NumPy's ``.npz`` (arrays and what is known of them) and ``.npy`` (samples only)."""

from __future__ import annotations

import dataclasses
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import replacing
from ipmdae.formats import description
from ipmdae.formats.array_times import no_leads
from ipmdae.formats.arrays import from_arrays, numbers, upright
from ipmdae.formats.blocks import SignalReader, WholeReader
from ipmdae.formats.errors import Budget, FormatError, check_samples, first_bytes, reason
from ipmdae.formats.options import DEFAULTS, ReadOptions, converted
from ipmdae.recording import Header, Recording

__all__ = ["NAME", "SUFFIXES", "open_reader", "read", "recognises", "write"]

NAME = "NumPy"
SUFFIXES: tuple[str, ...] = (".npz", ".npy")
OPTIONS = frozenset({"array", "unit"})

_MAGIC = b"\x93NUMPY"

_MAX_ENTRIES = 4096

_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def recognises(path: Path) -> bool:
    """True if it is an ``.npy`` file, or a zip archive of nothing but these."""
    magic = first_bytes(path, 6)
    if magic == _MAGIC:
        return True
    if magic[:4] != b"PK\x03\x04":
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return all(name.endswith(".npy") for name in archive.namelist())
    except Exception:
        return path.suffix.lower() == ".npz"


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read arrays; see :func:`ipmdae.formats.arrays.from_arrays` for their names.

    Args:
        path: the file.
        annotations: whether to read annotations too.
        options: see :class:`~ipmdae.formats.options.ReadOptions`.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: no signal or rate is in it, it is broken, or it holds pickled objects.
    """
    if _is_array(path):
        return from_arrays(path, {"signal": _mapped(path)}, options)
    recording = from_arrays(path, _arrays(path), options)
    return recording if annotations else dataclasses.replace(recording, annotations={})


def open_reader(path: Path, *, options: ReadOptions = DEFAULTS) -> SignalReader:
    """Open a file; of ``.npy`` files without times only what is asked for is read, others whole."""
    if _is_array(path) and options.fs is not None:
        signal = upright(_mapped(path))
        if not no_leads([], [], signal):
            return _MappedReader(path, signal, options.fs, options)
    return WholeReader(read(path, options=options))


def write(recording: Recording, path: Path) -> None:
    """Write ``signal`` (time, leads) in mV, ``fs``, ``leads``, ``units`` and a description.

    An ``.npy`` file gets the samples only, and a warning says so.

    Raises:
        OSError: the file cannot be written.
    """
    header = recording.header
    if path.suffix.lower() == ".npy":
        lost = {"the sampling rate and all else but samples (.npz holds them)": True}
        description.warn_lost(path, header, "an .npy file", lost=lost)
        with replacing(path) as aside:
            np.save(aside, recording.signal)
        return
    description.warn_lost(path, header, "an .npz file", lost={})
    arrays: dict[str, Any] = {
        "signal": recording.signal,
        "fs": recording.fs,
        "leads": np.array(recording.leads),
        "units": np.array(recording.units),
        description.KEY: np.array(description.to_json(header)),
    }
    with replacing(path) as aside:
        np.savez_compressed(aside, **arrays)


class _MappedReader(SignalReader):
    """An ``.npy`` file, of which samples are read where they are asked for."""

    def __init__(self, path: Path, signal: NDArray[Any], fs: float, options: ReadOptions) -> None:
        self._path, self._signal = path, signal
        leads = tuple(f"lead {i + 1}" for i in range(self._signal.shape[1]))
        units = [""] * len(leads)
        _, self._scales, _ = converted(path, leads, units, options, self._signal.T)
        try:
            self.info = Header(samples=len(self._signal), fs=fs, leads=leads)
        except ValueError as error:
            raise FormatError(path, str(error)) from error

    def read(self, first: int, stop: int) -> NDArray[np.float64]:
        """See :meth:`SignalReader.read`."""
        return numbers(self._path, self._signal[first:stop]) * self._scales

    def __exit__(self, *_: object) -> None:
        del self._signal


def _is_array(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(6) == _MAGIC


def _mapped(path: Path) -> NDArray[Any]:
    """An ``.npy`` file mapped into memory."""
    try:
        signal: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:
        raise FormatError(path, f"the array is broken ({reason(error)})") from error
    if signal.ndim not in (1, 2) or signal.dtype.kind not in "fiu":
        numbers(path, signal[:0])
    check_samples(path, *(signal.shape if signal.ndim == 2 else (len(signal), 1)))
    return signal


def _arrays(path: Path) -> dict[str, Any]:
    budget = Budget(path, path.stat().st_size)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > _MAX_ENTRIES:
                raise FormatError(path, f"holds {len(entries)} arrays, more than a recording has")
            return {
                entry.filename.removesuffix(".npy"): _array(path, archive, entry, budget)
                for entry in entries
            }
    except FormatError:
        raise
    except Exception as error:
        raise FormatError(path, f"the archive is broken ({reason(error)})") from error


def _array(
    path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, budget: Budget
) -> NDArray[Any]:
    """An array, unless it announces more than its entry holds or expands beyond reason."""
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FormatError(path, f"{entry.filename} is compressed as NumPy does not do it")
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        if version not in _READERS:
            raise FormatError(path, f"{entry.filename} is of version {version}, which is not read")
        shape, transposed, dtype = _READERS[version](file)
        if dtype.hasobject:
            raise FormatError(path, f"{entry.filename} holds pickled objects, which are refused")
        count = math.prod(shape)
        if count * dtype.itemsize + file.tell() != entry.file_size:
            raise FormatError(path, f"{entry.filename} is not of the size that it announces")
        # Numbers will be float64, texts stay.
        budget.spend(count * max(dtype.itemsize, 8 if dtype.kind in "fiub" else 1))
        content = file.read(count * dtype.itemsize)
        values = np.frombuffer(content, dtype, count)
        return values.reshape(shape, order="F" if transposed else "C")

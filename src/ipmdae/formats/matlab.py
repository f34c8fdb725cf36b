"""MATLAB ``.mat``: versions up to 7 by SciPy, version 7.3 (HDF5) by h5py where it is installed."""

from __future__ import annotations

import dataclasses
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ipmdae.files import replacing
from ipmdae.formats import description, wfdb
from ipmdae.formats.arrays import from_arrays
from ipmdae.formats.errors import FormatError, reason
from ipmdae.formats.limits import check_expansion, check_samples
from ipmdae.formats.optional import needs
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.recording import Recording

__all__ = ["NAME", "SUFFIXES", "read", "recognises", "write"]

NAME = "MATLAB"
SUFFIXES: tuple[str, ...] = (".mat",)
LIBRARY = "scipy"
OPTIONS = frozenset({"array", "unit"})

_MAGIC = b"MATLAB 5.0 MAT-file"
_MAGIC_HDF5 = b"MATLAB 7.3 MAT-file"
_GAIN = 200
"""Steps per mV that PhysioNet's formats have where nothing is said."""

_COMPRESSED = 15
_STEP = 1 << 20


def recognises(path: Path) -> bool:
    """Whether the file begins as MATLAB's do."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(19) in (_MAGIC, _MAGIC_HDF5)


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read arrays; see :func:`ipmdae.formats.arrays.from_arrays` for their names.

    PhysioNet's files hold digital samples ``val`` (leads, time), as version 4, and tell their gain
    in a ``.hea`` file beside: with it they are read as WFDB; without, 200 steps per mV are assumed,
    with a warning.

    Args:
        path: the file.
        annotations: whether to read annotations too.
        options: see :class:`~ipmdae.formats.options.ReadOptions`.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: no signal or rate is in it, or it is broken.
        ModuleNotFoundError: SciPy, or h5py for version 7.3, is not installed.
    """
    arrays = {name.lower(): value for name, value in _arrays(path).items()}
    if "val" in arrays and description.KEY not in arrays:
        if not recognises(path) and path.with_suffix(".hea").is_file():
            return wfdb.read(path.with_suffix(".hea"), annotations=annotations)
        if np.asarray(arrays["val"]).dtype.kind in "iu" and "units" not in arrays:
            arrays["val"] = np.asarray(arrays["val"], np.float64) / _GAIN
            arrays["units"] = "mV"
            warnings.warn(
                f"{path}: does not say its gain; taken as {_GAIN} steps per mV", stacklevel=3
            )
    recording = from_arrays(path, arrays, options)
    return recording if annotations else dataclasses.replace(recording, annotations={})


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


def _arrays(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    with path.open("rb") as file:
        magic = file.read(19)
    if magic == _MAGIC_HDF5:
        return _arrays_hdf5(path)
    with needs("scipy", "MATLAB files"):
        from scipy.io import loadmat
    try:
        if magic == _MAGIC:
            _check_elements(path)
        # What is no signal or text (structures, objects) is of no use here.
        return {
            name: value
            for name, value in loadmat(path).items()
            if isinstance(value, np.ndarray) and not name.startswith("__")
        }
    except (FormatError, PermissionError):
        raise
    except Exception as error:
        raise FormatError(path, f"the MATLAB file is broken ({reason(error)})") from error


def _check_elements(path: Path) -> None:
    """Refuse elements that expand beyond reason, or announce more bytes than there are."""
    size = path.stat().st_size
    with path.open("rb") as file:
        order = "<" if file.read(128)[126:128] == b"IM" else ">"
        while len(tag := file.read(8)) == 8:
            kind, length = (int(n) for n in np.frombuffer(tag, f"{order}u4"))
            end = file.tell() + length
            if end > size:
                raise FormatError(path, "the MATLAB file is cut off; fetch it again")
            if kind == _COMPRESSED:
                expanded, stream = 0, zlib.decompressobj()
                while file.tell() < end and not stream.eof:
                    data = file.read(min(_STEP, end - file.tell()))
                    while data:
                        expanded += len(stream.decompress(data, _STEP))
                        data = stream.unconsumed_tail
                        check_expansion(path, length, expanded)
            file.seek(end)


def _arrays_hdf5(path: Path) -> dict[str, Any]:
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path} is of MATLAB's version 7.3, for which h5py is needed: pip install h5py; "
            "or save it in MATLAB with -v7"
        ) from error
    try:
        arrays = {}
        with h5py.File(path) as file:
            for name, item in file.items():
                if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiu":
                    continue
                check_expansion(path, max(item.id.get_storage_size(), 1), item.nbytes)
                check_samples(path, max(item.size, 1), 1)
                value = item[()]
                # Texts are stored as codes; axes are in reverse.
                text = item.attrs.get("MATLAB_class") == b"char"
                arrays[name] = "".join(map(chr, value.reshape(-1))) if text else value.T
        return arrays
    except (FormatError, PermissionError):
        raise
    except Exception as error:
        raise FormatError(path, f"the MATLAB file is broken ({reason(error)})") from error

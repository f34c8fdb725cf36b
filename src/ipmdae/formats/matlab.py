"""MATLAB ``.mat``: versions up to 7 (written by SciPy), and 7.3 (HDF5) where h5py is installed."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ipmdae.files import replacing
from ipmdae.formats import description, hdf5, isolated, matlab_elements, wfdb
from ipmdae.formats.arrays import from_arrays
from ipmdae.formats.blocks import SignalReader, WholeReader, read_whole
from ipmdae.formats.errors import FormatError
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
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(19) in (_MAGIC, _MAGIC_HDF5)


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read arrays; see :func:`ipmdae.formats.arrays.from_arrays` for their names.

    PhysioNet's files hold digital samples ``val`` (leads, time), as version 4, and state their gain
    in a ``.hea`` file beside: with it they are read as WFDB; without, 200 steps per mV are assumed,
    with a warning. Files of version 7.3 are read in a process of their own.

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
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
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
    content = matlab_elements.variables(path)
    if magic != _MAGIC and "val" in content and header.is_file():
        return wfdb.open_reader(header, options=options)
    return _reader(path, content, options)


def open_here(path: Path, options: ReadOptions) -> SignalReader:
    """Open a file of version 7.3 in this process."""
    return _reader(path, hdf5.content(path), options)


def _reader(path: Path, content: dict[str, Any], options: ReadOptions) -> SignalReader:
    arrays = {name.lower(): value for name, value in content.items()}
    said = description.KEY in arrays or "units" in arrays or options.unit
    if not said and getattr(arrays.get("val"), "dtype", np.dtype(bool)).kind in "iu":
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

"""Both databases in one small file that travels easily, and out of it again bit by bit.

The file is a zip archive, compressed by bzip2, of what the protocols and benchmarks read: headers,
signals, and the annotations by ``atr``, ``pu1`` and ``q1c``. Both databases store signals as two
leads of 12 bits (WFDB format 212). They are packed as their first differences, (2, time) int16 in
NumPy's ``.npy`` format: an ECG changes little from sample to sample, so these compress to a third
of the signals. A list of SHA-256 digests, as by ``sha256sum``, verifies the unpacked files.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.data import checksums
from ipmdae.data.download import BENCHMARKS, CHECKSUMS, DATASETS, DatasetNotFoundError
from ipmdae.files import replacing, replacing_together

_SUFFIXES = (".hea", ".dat", ".atr", ".pu1", ".q1c")
_SIGNALS, _DIFFERENCES = ".dat", ".npy"

# What the standard library raises on damaged archives.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, ValueError),
    *(NotImplementedError, RuntimeError),
)


def pack(datasets: Path, target: Path) -> int:
    """Write the databases in the folder ``datasets`` to the file ``target``.

    Returns:
        How many files it holds. The same databases give the same bytes.

    Raises:
        DatasetNotFoundError: one of the databases is not in the folder.
        FileNotFoundError: a record has a header and no signals.
    """
    files = [path for name in BENCHMARKS for path in _files(datasets, name)]
    digests = []
    with replacing(target) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_BZIP2) as archive:
        for path in files:
            name, content = path.relative_to(datasets).as_posix(), path.read_bytes()
            digests.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
            if path.suffix == _SIGNALS and len(content) % 3 == 0:
                _add(archive, name + _DIFFERENCES, _as_npy(differences(content)))
            else:
                _add(archive, name, content)
        _add(archive, CHECKSUMS, "".join(digests).encode())
    return len(files)


def unpack(source: Path, datasets: Path) -> int:
    """Write the databases in the file ``source`` to the folder ``datasets``, each whole or not.

    Returns:
        How many files it holds, all of which have the bytes that were packed.

    Raises:
        FileNotFoundError: there is no such file.
        FileExistsError: a file is there already, with another content.
        ValueError: the file is not a packed database, or damaged.
    """
    if not source.is_file():
        raise FileNotFoundError(f"{source}: no such file")
    try:
        with zipfile.ZipFile(source) as archive:
            digests = checksums.parse(archive.read(CHECKSUMS).decode())
            contents = {name: _content(archive, name, digest) for name, digest in digests.items()}
    except _DAMAGE as error:
        raise ValueError(
            f"{source} is not a packed database, or damaged ({error}): copy or pack it again"
        ) from error
    for name, digest in digests.items():
        there = datasets / name
        if there.exists() and not checksums.is_whole(there, digest):
            raise FileExistsError(f"{there} exists, and is another file: choose another folder")
    for folder in dict.fromkeys(Path(name).parent for name in contents):
        with replacing_together(datasets / folder, last=".hea") as aside:
            for name, content in contents.items():
                if Path(name).parent == folder:
                    (aside / Path(name).name).write_bytes(content)
    return len(contents)


def differences(content: bytes) -> NDArray[np.int16]:
    """First differences of two leads in WFDB format 212, (2, time); three bytes a time step."""
    low, middle, high = np.frombuffer(content, np.uint8).reshape(-1, 3).astype(np.int16).T
    unsigned = np.stack([low | (middle & 15) << 8, high | (middle >> 4) << 8])
    signed = (unsigned ^ 2048) - 2048
    return np.diff(signed, axis=1, prepend=np.int16(0))


def signal_file(differences: NDArray[np.int16]) -> bytes:
    """The inverse of :func:`differences`."""
    first, second = np.cumsum(differences, axis=1, dtype=np.int16) & 4095
    columns = [first & 255, first >> 8 | second >> 8 << 4, second & 255]
    return np.stack(columns, axis=1).astype(np.uint8).tobytes()


def _files(datasets: Path, name: str) -> list[Path]:
    """The files of a database that are packed, in the order of their names."""
    folder = datasets / DATASETS[name].folder
    files = sorted(path for path in folder.glob("*") if path.suffix in _SUFFIXES)
    headers = [path for path in files if path.suffix == ".hea"]
    if not headers:
        raise DatasetNotFoundError(name, datasets)
    for header in headers:
        if header.with_suffix(_SIGNALS) not in files:
            raise FileNotFoundError(
                f"{header.with_suffix(_SIGNALS)} is missing; fetch it with: ipmdae download {name}"
            )
    return files


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Add a file without its modification time, so that the archive depends on content only."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = archive.compression
    archive.writestr(entry, content)


def _as_npy(array: NDArray[np.int16]) -> bytes:
    buffer = BytesIO()
    np.lib.format.write_array(buffer, array.astype("<i2"), allow_pickle=False)
    return buffer.getvalue()


def _content(archive: zipfile.ZipFile, name: str, digest: str) -> bytes:
    """The file ``name`` as it was packed.

    Raises:
        ValueError: it has not the digest.
    """
    if name + _DIFFERENCES in archive.namelist():
        packed = BytesIO(archive.read(name + _DIFFERENCES))
        content = signal_file(np.lib.format.read_array(packed, allow_pickle=False))
    else:
        content = archive.read(name)
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{name} is not what was packed")
    return content

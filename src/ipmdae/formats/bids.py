"""BIDS physiological recordings: ``*_physio.tsv.gz`` and the JSON file that describes it.

Specification: https://bids-specification.readthedocs.io, "Physiological recordings". The table has
no heading; its columns, their units and the rate stand in the JSON file of the same name, or in one
further up that holds for all files below.
"""

from __future__ import annotations

import glob
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import replacing_together
from ipmdae.formats import description, documents
from ipmdae.formats.documents import number, text
from ipmdae.formats.errors import FormatError, check_expansion, check_exponents, reason
from ipmdae.formats.names import is_ecg
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.formats.signals import Signal, from_signals
from ipmdae.recording import NO_UNIT, Recording

__all__ = ["NAME", "OPTIONS", "SUFFIXES", "files", "read", "recognises", "write"]

NAME = "BIDS physio"
SUFFIXES: tuple[str, ...] = ("_physio.tsv.gz", "_stim.tsv.gz")
OPTIONS = frozenset({"unit"})

RATE, START, COLUMNS = "SamplingFrequency", "StartTime", "Columns"
_TABLES = (".tsv.gz", ".tsv")
_MISSING = "n/a"
_CARDIAC = "cardiac"
"""BIDS' name of a column of an ECG."""

_HIGHEST = 4
"""Folders above a file whose JSON files may describe it: modality, session, subject, dataset."""

_CHUNK = 1 << 22


def recognises(path: Path) -> bool:
    """True if it is a table with a JSON file beside it that states rate and columns."""
    if not path.name.lower().endswith(_TABLES) or not path.is_file():
        return False
    return documents.contains(_sidecar(path), RATE, COLUMNS)


def files(path: Path) -> list[Path]:
    """The table and the JSON file of its name; none for the path of another format."""
    is_table = path.name.lower().endswith(SUFFIXES) or recognises(path)
    return [path, _sidecar(path)] if is_table else []


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read all columns. ``StartTime`` (in s, relative to the first image) is kept as metadata.

    Columns that state no unit are leads if they are called ``cardiac`` or as leads of an ECG are;
    others (``respiratory``, ``trigger``) are copied without a unit.

    Args:
        path: the table; its JSON file is found by name.
        annotations: not used; no samples are marked.
        options: see :class:`~ipmdae.formats.options.ReadOptions`.

    Raises:
        FileNotFoundError: the table, or its JSON file, is missing.
        FormatError: the table is not a table of numbers, or does not agree with its JSON file.
    """
    said = _description(path)
    fs = number(said.get(RATE)) or options.fs
    if fs is None or fs <= 0:
        raise FormatError(path, f"its JSON file states no {RATE}; give the rate (--fs)")
    names = said.get(COLUMNS)
    if not isinstance(names, list) or not names or not all(map(text, names)):
        raise FormatError(path, f"its JSON file states no {COLUMNS}")
    names = [text(name) for name in names]
    values = _table(path, names)
    start = number(said.get(START))
    return from_signals(
        path,
        [
            Signal(name=name, unit=_unit(said, name), fs=fs, values=column)
            for name, column in zip(names, values.T, strict=True)
        ],
        options,
        metadata={} if start is None else {START: f"{start:g}"},
    )


def write(recording: Recording, path: Path) -> None:
    """Write a table (gzip) and its JSON file; missing samples are ``n/a``.

    Raises:
        FormatError: the name does not end in one of :data:`SUFFIXES`.
        OSError: the files cannot be written.
    """
    import pandas as pd

    if not path.name.lower().endswith(SUFFIXES):
        raise FormatError(path, f"the name of a BIDS recording ends in {' or '.join(SUFFIXES)}")
    lost = {
        "the start time": recording.start,
        "annotations": recording.annotations,
        "comments": recording.comments,
        "metadata": set(recording.metadata) - {START},
    }
    description.warn_lost(path, recording.header, "BIDS", lost=lost)
    said: dict[str, Any] = {
        RATE: recording.fs,
        START: number(recording.metadata.get(START)) or 0.0,
        COLUMNS: list(recording.leads),
    }
    for name, unit in zip(recording.leads, recording.units, strict=True):
        said.setdefault(name, {"Units": unit} if unit else {})
    with replacing_together(path.parent, last=".json") as folder:
        pd.DataFrame(recording.signal).to_csv(
            folder / path.name,
            sep="\t",
            header=False,
            index=False,
            na_rep=_MISSING,
            float_format="%.12g",
            compression="gzip",
        )
        sidecar = folder / _sidecar(path).name
        sidecar.write_text(json.dumps(said, ensure_ascii=False, indent=2), encoding="utf-8")


def _stem(path: Path) -> str:
    return re.sub(r"\.tsv(\.gz)?$", "", path.name, flags=re.IGNORECASE)


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{_stem(path)}.json")


def _description(path: Path) -> dict[str, Any]:
    """Merged content of the JSON files that apply to a table; the nearest has priority."""
    said: dict[str, Any] = {}
    for file in reversed(list(_descriptions(path))):
        said |= documents.load_json(file)
    if not said:
        raise FileNotFoundError(f"{path}: {_sidecar(path).name}, which describes it, is missing")
    return said


def _descriptions(path: Path) -> Iterator[Path]:
    """JSON files that apply to a table, the nearest first: all their entities are its own."""
    *entities, suffix = _stem(path).split("_")
    folder = path.parent
    for _ in range(_HIGHEST):
        for file in sorted(folder.glob(f"*{glob.escape(suffix)}.json"), key=_length, reverse=True):
            *others, kind = file.stem.split("_")
            if kind == suffix and set(others) <= set(entities) and file.is_file():
                yield file
        if (folder / "dataset_description.json").exists() or folder == folder.parent:
            return
        folder = folder.parent


def _length(file: Path) -> int:
    return len(file.name)


def _unit(said: dict[str, Any], name: str) -> str:
    """The unit of a column; empty for an ECG that does not state it."""
    about = said.get(name)
    unit = text(about.get("Units")) if isinstance(about, dict) else ""
    return unit or ("" if is_ecg(name) or name.lower() == _CARDIAC else NO_UNIT)


def _table(path: Path, names: list[str]) -> NDArray[np.float64]:
    """The numbers (time, columns) of a table."""
    import pandas as pd

    data = _bytes(path)
    heading = "\t".join(names).encode()
    if data[: len(heading)] == heading and data[len(heading) : len(heading) + 1] in (b"\n", b"\r"):
        data = data[len(heading) :]
    check_exponents(path, data)
    try:
        table = pd.read_csv(
            io.BytesIO(data), sep="\t", header=None, na_values=[_MISSING], engine="c"
        )
        values = np.ascontiguousarray(table.to_numpy(np.float64))
    except Exception as error:
        raise FormatError(path, f"is not a table of numbers ({reason(error)})") from error
    if values.shape[1] != len(names):
        raise FormatError(path, f"has {values.shape[1]} columns, its JSON file names {len(names)}")
    return values


def _bytes(path: Path) -> bytes:
    """The table, expanded."""
    if not path.name.lower().endswith(".gz"):
        return path.read_bytes()
    size, parts, expanded = path.stat().st_size, [], 0
    try:
        with gzip.open(path) as file:
            while part := file.read(_CHUNK):
                parts.append(part)
                expanded += len(part)
                check_expansion(path, size, expanded)
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(path, f"cannot be expanded ({reason(error)})") from error
    return b"".join(parts)

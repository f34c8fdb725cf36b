"""AliveCor Kardia's JSON: the raw samples of KardiaMobile recorders, of one lead or six.

Fields: https://developers.kardia.com. ``data.raw`` is the signal as it was recorded;
``data.enhanced``, which the vendor has filtered, is not read.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import description, documents
from ipmdae.formats.documents import moment, number, text
from ipmdae.formats.errors import FormatError, check_samples
from ipmdae.formats.options import DEFAULTS, ReadOptions, warn_unit
from ipmdae.formats.signals import Signal, from_signals
from ipmdae.recording import Recording, Resolution

__all__ = ["NAME", "OPTIONS", "SUFFIXES", "read", "recognises"]

NAME = "Kardia"
SUFFIXES: tuple[str, ...] = (".json",)
OPTIONS = frozenset({"unit"})

_LARGEST = 1 << 25
"""Bytes of a file; 5 min of six leads are 4 MB."""

_LEADS = {"leadI": "I", "leadII": "II", "leadIII": "III", "AVR": "aVR", "AVL": "aVL", "AVF": "aVF"}


def recognises(path: Path) -> bool:
    """True if it is a JSON object with the keys of a Kardia recording."""
    return documents.contains(path, "recordedAt", "data", "samples", "raw") or documents.contains(
        path, "recordedAt", "data12L"
    )


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read the raw samples; the algorithm's determination and the user's note become comments.

    Args:
        path: the file.
        annotations: not used; no samples are marked.
        options: ``unit`` is the size of a step, for a file that states no resolution.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: it is no Kardia recording, states no rate or resolution, or is broken.
    """
    content = documents.load_json(path, _LARGEST)
    if "data12L" in content:
        raise FormatError(path, "is of Kardia 12L, whose resolution its files do not state")
    data = content.get("data")
    raw = data.get("raw") if isinstance(data, dict) else None
    samples = raw.get("samples") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or not isinstance(samples, dict):
        raise FormatError(path, "holds no samples (data.raw.samples)")
    fs = number(raw.get("frequency")) or options.fs
    if not fs or fs <= 0:
        raise FormatError(path, "states no sampling rate (data.raw.frequency); give it (--fs)")
    step = _microvolts(path, raw, options)
    how = Resolution(gain=1 / step, unit="uV")
    empty = [_LEADS.get(name, str(name)) for name, column in samples.items() if column == []]
    if len(empty) == len(samples):
        raise FormatError(path, "holds no samples (data.raw.samples)")
    if empty:
        warnings.warn(f"{path}: without samples, left out: {', '.join(empty)}", stacklevel=3)
    signals = [
        Signal(
            name=_LEADS.get(name, str(name)),
            unit="uV",
            fs=fs,
            values=_values(path, name, column) * step,
            resolution=how,
        )
        for name, column in samples.items()
        if column != []
    ]
    return from_signals(
        path,
        signals,
        DEFAULTS,
        start=moment(content.get("recordedAt")),
        comments=_comments(content),
        metadata=_metadata(content),
    )


def _microvolts(path: Path, raw: dict[str, Any], options: ReadOptions) -> float:
    """The size of a step in uV: given, in nV (``amplitudeResolution``), or of a ``gain`` per V."""
    nanovolts, gain = number(raw.get("amplitudeResolution")), number(raw.get("gain"))
    stated = 0.0
    if nanovolts and nanovolts > 0:
        stated = nanovolts / 1e3
    elif gain and gain > 0:
        stated = 1e6 / gain
    if options.scale:
        if stated:
            warn_unit(path, [f"steps of {stated:g} uV"], options)
        return options.scale * 1e3
    if stated:
        return stated
    raise FormatError(path, "states no amplitudeResolution; give the size of a step (--unit 0.5uV)")


def _values(path: Path, name: str, column: Any) -> NDArray[np.float64]:
    if not isinstance(column, list):
        raise FormatError(path, f"the samples of {name} are not a list")
    check_samples(path, len(column), 1)
    try:
        values = np.array(column, np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise FormatError(path, f"the samples of {name} are not numbers") from error
    if values.ndim != 1:
        raise FormatError(path, f"the samples of {name} are not a list of numbers")
    return values


def _comments(content: dict[str, Any]) -> tuple[str, ...]:
    tags = content.get("tags")
    said = {
        "algorithm": text(content.get("algorithmDetermination")),
        "note": text(content.get("note")),
        "tags": ", ".join(map(text, tags)) if isinstance(tags, list) else "",
    }
    return tuple(f"{name}: {value}" for name, value in said.items() if value)


def _metadata(content: dict[str, Any]) -> dict[str, str]:
    device = content.get("deviceInfo")
    model = text(device.get("hardwareType")) if isinstance(device, dict) else ""
    known = {description.PATIENT_ID: text(content.get("patientID"))}
    known[description.DEVICE] = f"AliveCor {model}" if model else ""
    return {name: value for name, value in known.items() if value}

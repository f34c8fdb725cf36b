"""FHIR Observations of sampled data, as JSON: one component a lead (R4, R4B, R5).

Specification: https://hl7.org/fhir/datatypes.html#SampledData. A value is
``origin + factor * data``; ``E`` is a missing one, ``U`` and ``L`` lie beyond the limits.
"""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import replacing
from ipmdae.formats import description, documents
from ipmdae.formats.documents import moment, number, text, zone
from ipmdae.formats.errors import FormatError, check_samples
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.formats.signals import Signal, from_signals
from ipmdae.recording import Recording, Resolution, millivolts

__all__ = ["NAME", "OPTIONS", "SUFFIXES", "read", "recognises", "write"]

NAME = "FHIR Observation"
SUFFIXES: tuple[str, ...] = (".json",)
OPTIONS = frozenset({"unit"})

MDC = "urn:oid:2.16.840.1.113883.6.24"
"""Code system of IEEE 11073-10101."""

LEAD_CODES = {"I": "131329", "II": "131330", "III": "131389", "aVR": "131390", "aVL": "131391"}
LEAD_CODES |= {"aVF": "131392"} | {f"V{i}": str(131330 + i) for i in range(1, 7)}
"""Codes of the 12 leads there."""

_LEADS = {code: name for name, code in LEAD_CODES.items()}
_PREFIX = re.compile(r"(MDC_ECG_(ELEC_POTL|LEAD)_|MDC_ECG_)", re.IGNORECASE)
_AUGMENTED = re.compile(r"AV[RLF]", re.IGNORECASE)
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}
_MOST_DIMENSIONS = 256
_PIECE = re.compile(r"\S+(?:\s+\S+){0,99999}")


def recognises(path: Path) -> bool:
    """True if it is a JSON object with the keys of a resource of sampled data."""
    return documents.contains(path, "resourceType", "valueSampledData")


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read an Observation, or the first of a Bundle that has sampled data.

    Samples beyond a limit take its value where it is stated, and are missing where not; a warning
    states how many there are. Notes become comments.

    Args:
        path: the file.
        annotations: not used; no samples are marked.
        options: see :class:`~ipmdae.formats.options.ReadOptions`.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: it is another resource, has no sampled data, or is broken.
    """
    resource = documents.load_json(path)
    if "resourceType" not in resource:
        raise FormatError(path, "is JSON, but neither a FHIR resource nor a Kardia recording")
    found = [r for r in _observations(resource) if _parts(r)]
    if not found:
        raise FormatError(path, "holds no Observation with SampledData")
    if len(found) > 1:
        warnings.warn(f"{path}: holds {len(found)} Observations; the first is read", stacklevel=3)
    parts = _parts(found[0])
    signals = [s for i, part in enumerate(parts) for s in _signals(path, i, part, options)]
    period = found[0].get("effectivePeriod")
    begun = period.get("start") if isinstance(period, dict) else None
    stamps = found[0].get("effectiveDateTime"), found[0].get("effectiveInstant"), begun
    stamp = next(filter(moment, stamps), None)
    return from_signals(
        path,
        signals,
        options,
        start=moment(stamp),
        comments=tuple(
            text(note.get("text")) for note in _dicts(found[0].get("note")) if note.get("text")
        ),
        metadata=_metadata(found[0])
        | ({description.TIME_ZONE: zone(stamp)} if zone(stamp) else {}),
    )


def _observations(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The Observations in a resource: itself, those of a Bundle, those contained."""
    if resource.get("resourceType") == "Observation":
        yield resource
    for entry in _dicts(resource.get("entry")):
        if isinstance(entry.get("resource"), dict):
            yield from _observations(entry["resource"])
    for inner in _dicts(resource.get("contained")):
        yield from _observations(inner)


def _parts(observation: dict[str, Any]) -> list[dict[str, Any]]:
    """The components with sampled data; the Observation itself if it has some."""
    return [
        part
        for part in (observation, *_dicts(observation.get("component")))
        if isinstance(part.get("valueSampledData"), dict)
    ]


def _signals(
    path: Path, index: int, part: dict[str, Any], options: ReadOptions
) -> Iterator[Signal]:
    """The signals of a component: as many as it has dimensions, sample by sample."""
    data = part["valueSampledData"]
    name = _name(part.get("code")) or f"lead {index + 1}"
    count = number(data.get("dimensions", 1))
    if not count or count != int(count) or not 0 < count <= _MOST_DIMENSIONS:
        raise FormatError(path, f"{name} has {data.get('dimensions')!r:.50} dimensions")
    fs = _rate(path, name, data) or options.fs
    if fs is None:
        raise FormatError(path, f"states no period of {name}; give the rate (--fs)")
    origin = data.get("origin") if isinstance(data.get("origin"), dict) else {}
    zero, factor = number(origin.get("value", 0)), number(data.get("factor", 1))
    if zero is None or not factor:
        raise FormatError(path, f"the origin or factor of {name} is not a number")
    values, digital = _values(path, name, data, zero, factor)
    if len(values) % int(count):
        raise FormatError(path, f"{name} has {len(values)} values of {int(count)} dimensions")
    unit = text(origin.get("code")) or text(origin.get("unit"))
    how = Resolution(gain=1 / factor, baseline=round(-zero / factor), unit=unit or "mV")
    for i in range(int(count)):
        yield Signal(
            name=name if count == 1 else f"{name} {i + 1}",
            unit=unit,
            fs=fs,
            values=values[i :: int(count)],
            resolution=how if digital and unit else None,
        )


def _rate(path: Path, name: str, data: dict[str, Any]) -> float | None:
    """The rate in Hz, of ``period`` in ms (to R4B) or ``interval`` in its unit (R5)."""
    period = number(data.get("period"))
    interval = number(data.get("interval"))
    seconds = None if period is None else period * 1e-3
    if seconds is None and interval is not None:
        unit = text(data.get("intervalUnit"))
        if unit not in _SECONDS:
            raise FormatError(path, f"the interval of {name} has the unit {unit!r:.50}")
        seconds = interval * _SECONDS[unit]
    if seconds is None:
        return None
    if not 1e-9 < seconds < 1e9:
        raise FormatError(path, f"the period of {name} is {seconds:g} s")
    # 1000 / (1000 / 360) is not 360 in floating point.
    return float(f"{1 / seconds:.12g}")


def _values(
    path: Path, name: str, data: dict[str, Any], zero: float, factor: float
) -> tuple[NDArray[np.float64], bool]:
    """The values of ``data``, and whether all are whole steps."""
    stored = data.get("data")
    if not isinstance(stored, str) or not stored.strip():
        raise FormatError(path, f"{name} has no data")
    try:
        steps, letters = _parsed(stored)
    except ValueError as error:
        raise FormatError(path, f"the data of {name} are not numbers") from error
    check_samples(path, len(steps), 1)
    values = zero + factor * steps
    for letter, key in (("U", "upperLimit"), ("L", "lowerLimit")):
        beyond = int((letters == letter).sum())
        if beyond:
            limit = _limit(number(data.get(key)), values, zero, factor, letter == "U")
            values[letters == letter] = limit
            said = "are missing" if np.isnan(limit) else "take its value"
            warnings.warn(
                f"{path}: {beyond} samples of {name} beyond the {key} {said}", stacklevel=5
            )
    whole = bool((steps[np.isfinite(steps)] % 1 == 0).all())
    return values, whole


def _parsed(stored: str) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Numbers, NaN where a letter stands, and the letters, in chunks to save memory."""
    steps, letters = [], []
    for piece in _PIECE.finditer(stored):
        tokens = np.array(piece[0].split())
        is_letter = np.isin(tokens, list("EUL"))
        steps.append(np.where(is_letter, "nan", tokens).astype(np.float64))
        letters.append(np.where(is_letter, tokens, "").astype("U1"))
    return np.concatenate(steps), np.concatenate(letters)


def _limit(
    stated: float | None, values: NDArray[np.float64], zero: float, factor: float, upper: bool
) -> float:
    """The value of a limit; NaN if none is stated that the samples keep.

    Files state it in the unit of the values or in that of the data: that counts which no sample
    exceeds and which is nearest to them.
    """
    if stated is None:
        return float("nan")
    sign = 1 if upper else -1
    known = values[np.isfinite(values)] * sign
    extreme = known.max() if len(known) else -np.inf
    candidates = [c * sign for c in (stated, zero + factor * stated) if c * sign >= extreme]
    return min(candidates) * sign if candidates else float("nan")


def _name(code: Any) -> str:
    """Name of a lead: by its IEEE 11073-10101 code, else the text of the concept."""
    if not isinstance(code, dict):
        return ""
    codings = _dicts(code.get("coding"))
    for coding in codings:
        if coding.get("system") == MDC and text(coding.get("code")) in _LEADS:
            return _LEADS[text(coding.get("code"))]
    named = [text(code.get("text")), *(text(c.get("display")) for c in codings)]
    named += [text(coding.get("code")) for coding in codings]
    name = next((_PREFIX.sub("", one) for one in named if one), "")
    return f"a{name[1:].upper()}" if _AUGMENTED.fullmatch(name) else name


def _metadata(observation: dict[str, Any]) -> dict[str, str]:
    subject = observation.get("subject")
    subject = subject if isinstance(subject, dict) else {}
    identifier = subject.get("identifier")
    patient = text(identifier.get("value")) if isinstance(identifier, dict) else ""
    reference = text(subject.get("reference")).rpartition("/")[2]
    device = observation.get("device")
    performers = [text(p.get("display")) for p in _dicts(observation.get("performer"))]
    known = {
        description.PATIENT_ID: patient or reference,
        description.PATIENT_NAME: text(subject.get("display")),
        description.DEVICE: text(device.get("display")) if isinstance(device, dict) else "",
        description.TECHNICIAN: ", ".join(filter(None, performers)),
    }
    return {name: value for name, value in known.items() if value}


def _dicts(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; none where it is not a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


_STEP = 1e-5
"""mV of a step for a lead that is on no grid of a converter: 10 nV."""

_DIGITS = 12
"""Digits of the largest value of such a lead that is not a voltage."""

_ON_GRID = 1e-3
"""Share of a step by which samples of a grid lie beside it, for rounding."""


def write(recording: Recording, path: Path) -> None:
    """Write one Observation with a component a lead; missing samples are ``E``.

    A lead whose samples are whole steps of its converter is written with these, another one in
    steps of 10 nV, or to 12 digits if it is not a voltage. A start without a known time
    zone is written as UTC, since FHIR wants one. Signals of other rates, annotations and what has
    no element are lost, with a warning.

    Raises:
        OSError: the file cannot be written.
    """
    known = {
        description.PATIENT_ID,
        description.PATIENT_NAME,
        description.DEVICE,
        description.TECHNICIAN,
        description.TIME_ZONE,
    }
    lost = {
        "annotations": recording.annotations,
        "metadata": set(recording.metadata) - known,
    }
    description.warn_lost(path, recording.header, "a FHIR Observation", lost=lost)
    observation: dict[str, Any] = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [_PROCEDURE]}],
        "code": {"coding": [_STUDY], "text": "ECG"},
        **_about(recording),
        "component": [_component(recording, i) for i in range(len(recording.leads))],
    }
    with replacing(path) as aside:
        aside.write_text(json.dumps(observation, ensure_ascii=False, indent=1), encoding="utf-8")


_PROCEDURE = {
    "system": "http://terminology.hl7.org/CodeSystem/observation-category",
    "code": "procedure",
}
_STUDY = {"system": "http://loinc.org", "code": "11524-6", "display": "EKG study"}


def _about(recording: Recording) -> dict[str, Any]:
    """Subject, time, device and notes, as far as they are known."""
    metadata = recording.metadata
    subject: dict[str, Any] = {}
    if description.PATIENT_ID in metadata:
        subject["identifier"] = {"value": metadata[description.PATIENT_ID]}
    if description.PATIENT_NAME in metadata:
        subject["display"] = metadata[description.PATIENT_NAME]
    about: dict[str, Any] = {"subject": subject} if subject else {}
    if recording.start:
        stamp = recording.start.isoformat() + metadata.get(description.TIME_ZONE, "")
        about["effectiveDateTime"] = stamp if zone(stamp) else f"{recording.start.isoformat()}Z"
    if description.TECHNICIAN in metadata:
        about["performer"] = [{"display": metadata[description.TECHNICIAN]}]
    if description.DEVICE in metadata:
        about["device"] = {"display": metadata[description.DEVICE]}
    if recording.comments:
        about["note"] = [{"text": comment} for comment in recording.comments]
    return about


def _component(recording: Recording, lead: int) -> dict[str, Any]:
    name, unit = recording.leads[lead], recording.units[lead]
    code: dict[str, Any] = {"text": name}
    if name in LEAD_CODES:
        code["coding"] = [
            {"system": MDC, "code": LEAD_CODES[name], "display": f"MDC_ECG_LEAD_{name.upper()}"}
        ]
    origin, factor, steps = _digital(recording.signal[:, lead], recording.resolution[lead], unit)
    return {
        "code": code,
        "valueSampledData": {
            "origin": {
                "value": origin,
                **({"unit": unit} if unit else {}),
                **(
                    {"system": "http://unitsofmeasure.org", "code": unit}
                    if millivolts(unit)
                    else {}
                ),
            },
            "period": 1000 / recording.fs,
            "factor": factor,
            "dimensions": 1,
            "data": _text(steps),
        },
    }


def _digital(
    values: NDArray[np.float64], how: Resolution | None, unit: str
) -> tuple[float, float, NDArray[np.float64]]:
    """Origin, factor and steps (whole numbers, NaN where missing) of a lead."""
    if how is not None:
        scale = millivolts(how.unit) or 1.0
        factor, origin = scale / how.gain, -how.baseline * scale / how.gain
        exact = (values - origin) / factor
        steps: NDArray[np.float64] = np.round(exact)
        aside = np.abs(exact - steps)
        if aside[np.isfinite(aside)].max(initial=0.0) < _ON_GRID:
            return origin, factor, steps
    step = _STEP
    largest = np.abs(values[np.isfinite(values)]).max(initial=0.0)
    if unit != "mV" and largest > 0:
        step = 10.0 ** (math.floor(math.log10(largest)) - _DIGITS + 1)
    return 0.0, step, np.round(values / step)


def _text(steps: NDArray[np.float64]) -> str:
    return " ".join("E" if np.isnan(step) else str(int(step)) for step in steps.tolist())

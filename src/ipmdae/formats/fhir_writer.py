"""Recordings as FHIR Observations; see :mod:`ipmdae.formats.fhir`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import replacing
from ipmdae.formats import description, fields
from ipmdae.recording import Recording, Resolution, millivolts

MDC = "urn:oid:2.16.840.1.113883.6.24"
"""Code system of IEEE 11073-10101."""

LEAD_CODES = {"I": "131329", "II": "131330", "III": "131389", "aVR": "131390", "aVL": "131391"}
LEAD_CODES |= {"aVF": "131392"} | {f"V{i}": str(131330 + i) for i in range(1, 7)}
"""Codes of the 12 leads there."""

_STEP = 1e-5
"""mV (or another unit) of a step for a lead that is on no grid of a converter: 10 nV."""

_ON_GRID = 1e-3
"""Share of a step by which samples of a grid lie beside it, for rounding."""


def write(recording: Recording, path: Path) -> None:
    """Write one Observation with a component a lead; missing samples are ``E``.

    A lead whose samples are whole steps of its converter is written with these, another one in
    steps of 10 nV. The recorder's time of day is written as UTC, since FHIR wants a time zone.
    Signals of other rates, annotations and what has no element are lost, with a warning.

    Raises:
        OSError: the file cannot be written.
    """
    known = {fields.PATIENT_ID, fields.PATIENT_NAME, fields.DEVICE, fields.TECHNICIAN}
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
    if fields.PATIENT_ID in metadata:
        subject["identifier"] = {"value": metadata[fields.PATIENT_ID]}
    if fields.PATIENT_NAME in metadata:
        subject["display"] = metadata[fields.PATIENT_NAME]
    about: dict[str, Any] = {"subject": subject} if subject else {}
    if recording.start:
        about["effectiveDateTime"] = f"{recording.start.isoformat()}Z"
    if fields.TECHNICIAN in metadata:
        about["performer"] = [{"display": metadata[fields.TECHNICIAN]}]
    if fields.DEVICE in metadata:
        about["device"] = {"display": metadata[fields.DEVICE]}
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
    origin, factor, steps = _digital(recording.signal[:, lead], recording.resolution[lead])
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
    values: NDArray[np.float64], how: Resolution | None
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
    return 0.0, _STEP, np.round(values / _STEP)


def _text(steps: NDArray[np.float64]) -> str:
    return " ".join("E" if step != step else str(int(step)) for step in steps.tolist())

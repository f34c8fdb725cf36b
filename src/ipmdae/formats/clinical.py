"""Formats of electrocardiographs and Holter recorders that ecgdatakit reads.

HL7 aECG, GE MUSE XML, Philips Sierra XML, Mortara ELI XML, SCP-ECG, ISHNE, MFER, EDAN, XLE. (Its
readers of DICOM, EDF and WFDB are not used, and Kardia's files need none.) Philips' files have
compressed leads, whose size is checked before, and a calibration pulse at the end.
"""

from __future__ import annotations

import base64
import binascii
import re
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import description
from ipmdae.formats.errors import FormatError, check_samples, companion, reason
from ipmdae.formats.names import is_ecg, symbol
from ipmdae.formats.optional import needs
from ipmdae.formats.options import DEFAULTS, ReadOptions, converted
from ipmdae.recording import NO_UNIT, Recording, Resolution
from ipmdae.text import enumerated, unique

__all__ = ["FORMATS", "ClinicalFormat"]

LIBRARY = "ecgdatakit"

_HEAD = 4096
"""Bytes from which a format is recognised, as many as ecgdatakit looks at."""

_EDAN = "patient.hea", "ecgraw.dat"
"""EDAN's header and signals, always of these names."""

_NOT_SAID = ("auto_scale=False", "Sampling rate")
"""Start of ecgdatakit's warnings that do not apply: raw samples and the exact rate are used."""

_FAULT = -32768
"""ISHNE's value of a sample while the lead was off."""


@dataclass(frozen=True, kw_only=True)
class ClinicalFormat:
    """One of the formats, for reading only.

    Attributes:
        NAME, SUFFIXES, LIBRARY, OPTIONS: as every format has them.
        parser: name of ecgdatakit's reader.
        mark: pattern in the first bytes of such a file, without zero bytes.
    """

    NAME: str
    SUFFIXES: tuple[str, ...]
    parser: str
    mark: re.Pattern[bytes]
    LIBRARY: str = LIBRARY
    OPTIONS: frozenset[str] = frozenset({"unit"})

    def recognises(self, path: Path) -> bool:
        """True if the beginning of the file is of this format."""
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if self.parser == _EDAN_PARSER and path.name.lower() == _EDAN[0]:
            # A record of WFDB may be called so too; its header is text.
            siblings = (other.name.lower() for other in path.parent.iterdir())
            return b"\0" in head and _EDAN[1] in siblings
        return self.mark.search(head.replace(b"\0", b"")) is not None

    def files(self, path: Path) -> list[Path]:
        """Header and signals of EDAN; none for other paths."""
        is_header = self.parser == _EDAN_PARSER and path.name.lower() == _EDAN[0]
        return [path, path.with_name(_EDAN[1])] if is_header and self.recognises(path) else []

    def read(
        self, path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS
    ) -> Recording:
        """Read a file; the leads of the commonest rate and length, others left out with a warning.

        Statements of the device's or a physician's reading become comments. The calibration pulse
        of 1 mV in the last second of Philips' files is cut off, with a warning.

        Args:
            path: the file.
            annotations: not used; these files mark no samples that are read.
            options: ``unit`` is the size of a step, for a file that states none (EDAN never does).

        Raises:
            FileNotFoundError: there is no such file, or the signals of an EDAN header are missing.
            FormatError: it is broken, of a kind that ecgdatakit does not read, or states no unit.
            ModuleNotFoundError: ecgdatakit is not installed.
        """
        if path.name.lower() == _EDAN[0]:
            companion(path, _EDAN[1])
        with needs(LIBRARY, f"{self.NAME} files"):
            from ecgdatakit import FileParser
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                found = FileParser.detect_format(path)
                if found is None or found["parser"] not in _PARSERS:
                    raise FormatError(path, f"is not {', '.join(f.NAME for f in FORMATS)}")
                if found["parser"] == _PHILIPS:
                    check_expansion(path)
                record: Any = FileParser.parse(path, auto_scale=False)
            recording = _recording(path, record, options)
        except (FormatError, FileNotFoundError, Warning):
            raise
        except ModuleNotFoundError as error:
            raise FormatError(path, f"cannot be read ({reason(error)})") from error
        except Exception as error:
            raise FormatError(path, f"cannot be decoded ({reason(error)})") from error
        for message in dict.fromkeys(" ".join(str(warning.message).split()) for warning in caught):
            if not message.startswith(_NOT_SAID):
                warnings.warn(f"{path}: {message}", stacklevel=3)
        return recording


def _xml(root: bytes) -> re.Pattern[bytes]:
    """A mark of files of XML with an element ``root``, in any encoding of Unicode."""
    return re.compile(
        rb"\A[\xef\xbb\xbf\xfe\xff\s]*(?=<).*?<([\w.-]+:)?(%s)[\s>/]" % root,
        re.IGNORECASE | re.DOTALL,
    )


_PHILIPS = "SierraXMLParser"
_EDAN_PARSER = "EDANARCHolterParser"

FORMATS: tuple[ClinicalFormat, ...] = (
    ClinicalFormat(
        NAME="HL7 aECG", SUFFIXES=(".xml",), parser="HL7aECGParser", mark=_xml(b"AnnotatedECG")
    ),
    ClinicalFormat(
        NAME="GE MUSE XML",
        SUFFIXES=(".xml",),
        parser="GEMuseXMLParser",
        mark=_xml(b"RestingECG|MuseInfo"),
    ),
    ClinicalFormat(
        NAME="Philips Sierra XML",
        SUFFIXES=(".xml",),
        parser=_PHILIPS,
        mark=_xml(b"restingecgdata"),
    ),
    ClinicalFormat(
        NAME="Mortara ELI XML", SUFFIXES=(".xml",), parser="MortaraEL250Parser", mark=_xml(b"ECG")
    ),
    ClinicalFormat(
        NAME="SCP-ECG",
        SUFFIXES=(".scp",),
        parser="SCPECGParser",
        mark=re.compile(rb"\A.{0,24}SCPECG", re.DOTALL),
    ),
    ClinicalFormat(
        NAME="ISHNE",
        SUFFIXES=(".ecg",),
        parser="ISHNEHolterParser",
        mark=re.compile(rb"\AISHNE1\.0"),
    ),
    ClinicalFormat(
        NAME="MFER",
        SUFFIXES=(".mwf", ".mfer", ".mfr"),
        parser="MFERParser",
        mark=re.compile(rb"\A@.MFR ", re.DOTALL),
    ),
    ClinicalFormat(
        NAME="EDAN Holter",
        SUFFIXES=(".arc",),
        parser=_EDAN_PARSER,
        mark=re.compile(rb"\A.{1,4}##NEUTRAL HOLTER RECORDING##", re.DOTALL),
    ),
    ClinicalFormat(
        NAME="XLE",
        SUFFIXES=(".xle",),
        parser="XLEParser",
        mark=re.compile(rb"(?!)"),
    ),
)
"""In the order in which they are asked."""

_PARSERS = frozenset(format.parser for format in FORMATS)


def _recording(path: Path, record: Any, options: ReadOptions) -> Recording:
    # Leads recorded one after another, as in SCP-ECG, may be of different lengths.
    apart = len({*map(_first, record.leads)}) > 1

    def kind(lead: Any) -> tuple[Any, int]:
        return lead.sampling_rate, 0 if apart else len(lead.samples)

    kinds = Counter(map(kind, record.leads))
    if not kinds:
        raise FormatError(path, "holds no leads")
    usual, _ = max(kinds.items(), key=lambda item: (item[1], item[0][1]))
    chosen = [i for i, lead in enumerate(record.leads) if kind(lead) == usual]
    leads = [record.leads[i] for i in chosen]
    rate, begin = leads[0].sampling_rate, min(map(_first, leads))
    samples = max(_first(lead) - begin + len(lead.samples) for lead in leads)
    check_samples(path, samples, len(leads))
    if len(leads) < len(record.leads):
        others = ", ".join(str(x.label) for i, x in enumerate(record.leads) if i not in chosen)
        warnings.warn(f"{path}: of another rate or length, left out: {others}", stacklevel=4)
    names = unique([str(lead.label) for lead in leads])
    _check_units(path, names, leads, options)
    stated = [_stated(lead) for lead in leads]
    units, factors, as_stated = converted(path, names, stated, options)
    ishne = record.source_format == "ishne_holter"
    if ishne:
        _warn_of_length(path, record, samples)
    signal = np.full((samples, len(leads)), np.nan)
    for i, lead in enumerate(leads):
        values = np.asarray(lead.samples, np.float64)
        values = np.where(ishne & (values == _FAULT), np.nan, values)
        if lead.is_raw:
            values = values * float(lead.resolution) + float(lead.offset)
        first = _first(lead) - begin
        signal[first : first + len(values), i] = values * factors[i]
    if record.source_format == "sierra_xml":
        signal = _without_calibration(path, signal, float(rate))
    if np.isinf(signal).any():
        raise FormatError(path, "holds infinite values")
    bits = int(record.recording.acquisition.signal.bits_per_sample or 16)
    start = record.recording.date
    return Recording(
        signal=signal,
        fs=_rate(record, chosen[0], rate),
        leads=tuple(names),
        units=tuple(units),
        start=start.replace(tzinfo=None) if start else None,
        resolution=tuple(
            _resolution(lead, unit or NO_UNIT, bits) if holds else None
            for lead, unit, holds in zip(leads, stated, as_stated, strict=True)
        ),
        comments=_comments(record),
        metadata=_metadata(record),
    )


def _stated(lead: Any) -> str:
    """The unit of a lead that the file states; empty where its samples are plain counts."""
    return symbol(str(lead.resolution_unit or lead.units or ""))


def _check_units(path: Path, names: list[str], leads: list[Any], options: ReadOptions) -> None:
    """Refuse a file where nobody states the unit of what is, or may be, an ECG."""
    any_ecg = any(map(is_ecg, names))
    bare = [
        name
        for name, lead in zip(names, leads, strict=True)
        if not _stated(lead) and (is_ecg(name) or not any_ecg)
    ]
    if bare and not options.scale:
        raise FormatError(
            path, f"states no unit of {enumerated(bare)}; give the size of a step (--unit 2.5uV)"
        )


def _without_calibration(path: Path, signal: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
    cut = without_calibration(signal, fs)
    if len(cut) < len(signal):
        warnings.warn(
            f"{path}: the calibration pulse of 1 mV in its last second is cut off", stacklevel=5
        )
    return cut


def _first(lead: Any) -> int:
    """Number of a lead's first sample in the recording, from 1."""
    return int(lead.annotations.get("start_sample", 1))


def _warn_of_length(path: Path, record: Any, samples: int) -> None:
    """Warn of an ISHNE file that announces more samples than it holds; programs differ in these."""
    announced = int(record.raw_metadata.get("ecg_size", 0))
    if announced > samples and announced != samples * len(record.leads):
        warnings.warn(
            f"{path}: announces {announced} samples a lead and holds {samples}; was it cut off?",
            stacklevel=5,
        )


def _rate(record: Any, lead: int, rounded: float) -> float:
    """The rate in Hz of a lead, by its number, where the file states it more exactly.

    ecgdatakit rounds the rates of leads; those of aECG and MFER are exact elsewhere.
    """
    known = record.raw_metadata
    rates = known.get("sampling_rates") or [rounded] * (lead + 1)
    exact = float((known.get("rhythm_time") or {}).get("sampling_rate_exact", rates[lead]))
    return exact if abs(exact - rounded) > 1e-4 * rounded else float(rounded)


def _resolution(lead: Any, unit: str, bits: int) -> Resolution | None:
    if not lead.is_raw or not lead.resolution or not _stated(lead):
        return None
    gain = 1 / float(lead.resolution)
    return Resolution(gain=gain, baseline=round(-float(lead.offset) * gain), unit=unit, bits=bits)


def _comments(record: Any) -> tuple[str, ...]:
    statements = [" ".join(filter(None, pair)) for pair in record.interpretation.statements]
    others = [f"{name}: {value}" for name, value in record.annotations.items()]
    return tuple(" ".join(text.split()) for text in [*statements, *others] if text.strip())


def _metadata(record: Any) -> dict[str, str]:
    patient, info = record.patient, record.recording
    birth = patient.birth_date
    known = {
        description.PATIENT_ID: patient.patient_id,
        description.PATIENT_NAME: f"{patient.first_name} {patient.last_name}",
        description.SEX: "" if patient.sex == "U" else patient.sex,
        description.BIRTH_DATE: f"{birth:%Y-%m-%d}" if birth else "",
        description.AGE: "" if patient.age is None else str(patient.age),
        description.PATIENT_NOTE: patient.clinical_history,
        description.TECHNICIAN: info.technician,
        description.DEVICE: " ".join(filter(None, (info.device.manufacturer, info.device.model))),
    }
    return {name: " ".join(text.split()) for name, text in known.items() if text and text.strip()}


_COMPRESSED = re.compile(rb"<parsedwaveforms\b[^>]*\bXLI\b[^>]*>([^<]*)<")
_LARGEST = 1 << 23
"""Bytes of all leads that are expanded: 40 s of 12 leads are 0.5 MB."""

_BITS, _LAST_CODE = 10, 1022
"""Width of an LZW code, and the last that stands for bytes."""

_HIGH, _TOLERANCE = 1.0, 0.05
"""Height of the calibration pulse and what its samples may deviate, in mV."""


def check_expansion(path: Path) -> None:
    """Refuse a file whose leads would expand to more than any recording of this format.

    Raises:
        FormatError: they would.
    """
    found = _COMPRESSED.search(path.read_bytes().replace(b"\0", b""))
    if found is None:
        return
    try:
        data = base64.b64decode(found[1])
    except (binascii.Error, ValueError) as error:
        raise FormatError(path, f"its waveforms are not base64 ({error})") from error
    expanded, at = 0, 0
    while at + 8 < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        expanded += expanded_length(data[at + 8 : at + 8 + size], _LARGEST - expanded)
        if expanded > _LARGEST:
            raise FormatError(path, f"its waveforms expand to more than {_LARGEST >> 20} MiB")
        at += 8 + max(size, 1)


def expanded_length(data: bytes, limit: int) -> int:
    """Bytes that LZW codes of 10 bits stand for, counted until they exceed ``limit``."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    count = len(bits) // _BITS
    codes = bits[: count * _BITS].reshape(count, _BITS) @ (1 << np.arange(_BITS)[::-1])
    lengths = dict.fromkeys(range(256), 1)
    following, before, total = 256, 0, 0
    for code in codes.tolist():
        if code > _LAST_CODE or total > limit:
            break
        length = lengths.setdefault(code, before + 1)
        if before and following <= _LAST_CODE:
            lengths[following] = before + 1
            following += 1
        before = length
        total += length
    return total


def without_calibration(signal: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
    """The signal without its last second, if that holds the calibration pulse of 1 mV.

    The pulse stands in all leads at once, lasts 0.1 to 0.5 s, and has zeros before and after.

    Args:
        signal: (time, leads) in mV.
        fs: sampling rate in Hz.
    """
    second = round(fs)
    tail = signal[-second:]
    if len(signal) < 2 * second:
        return signal
    high = np.flatnonzero((np.abs(tail - _HIGH) < _TOLERANCE).all(axis=1))
    zero: NDArray[np.bool_] = np.all(np.abs(tail) < _TOLERANCE, axis=1)
    if not len(high):
        return signal
    first, stop = int(high[0]), int(high[-1]) + 1
    edge = max(round(0.02 * fs), 1)
    before = zero[max(first - edge - round(0.04 * fs), 0) : max(first - edge, 0)]
    is_pulse = (
        len(high) == stop - first
        and 0.1 * fs <= stop - first <= 0.5 * fs
        and len(before) > 0
        and bool(before.all())
        and bool(zero[stop + edge :].all())
    )
    return signal[:-second] if is_pulse else signal

"""Writing WFDB records: a header, one signal file (format 80, 212, 16, 24 or 32), annotations."""

from __future__ import annotations

import dataclasses
import math
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import replacing_together
from ipmdae.formats import description, wfdb_annotations
from ipmdae.formats.blocks import Read, SignalWriter, SpoolingWriter
from ipmdae.formats.description import TIME_OF_DAY
from ipmdae.formats.errors import FormatError
from ipmdae.formats.wfdb_header import TIME, UNIT, header_path
from ipmdae.recording import Header, Recording, Resolution, millivolts

_BLOCK = 1 << 18
"""Samples a lead that are digitised at once; even, for the sake of format 212."""

_FEW = 1000
"""Steps that the range of a lead that is not a voltage should have."""

_CENTRED = 32_000
"""Steps from which on the values of a lead that is not a voltage are stored less their middle."""

_FORMATS = {8: "80", 12: "212", 16: "16", 24: "24", 32: "32"}
"""The format in which samples of a width in bits are written."""


def write(recording: Recording, path: Path) -> None:
    """Write header, signal file and annotations, all or none.

    Gain, baseline and unit of each lead are kept, so that what was read comes back to half a step.
    Leads that never were digital get 1000 steps per mV, or as many as their range permits if they
    are not voltages. All leads are stored in the width of the widest; values that do not fit it are
    stored wider, with a warning.

    Raises:
        FormatError: the name is no WFDB record name, or values do not fit 32 bits.
        OSError: the files cannot be written.
    """
    _compose(recording.header, lambda first, stop: recording.signal[first:stop], path)


def open_writer(header: Header, path: Path) -> SignalWriter:
    """Open a record; samples wait in another file until it is known how wide they are."""
    _name(path)
    return SpoolingWriter(header, path, _compose)


def _compose(recording: Header, read: Read, path: Path) -> None:
    header, name = header_path(path), _name(path)
    description.warn_lost(path, recording, "WFDB", lost={})
    resolution = _resolution(recording, read, path)
    bits = _width(recording, read, resolution, header)
    with replacing_together(header.parent, last=".hea") as folder:
        first, checksum = _write_samples(
            folder / f"{name}.dat", _digital(recording, read, resolution, bits), bits
        )
        lines = [_record_line(name, recording)]
        for i, (lead, how) in enumerate(zip(recording.leads, resolution, strict=True)):
            lines.append(
                f"{name}.dat {_FORMATS[bits]} "
                f"{_number(how.gain)}({how.baseline})/{how.unit.replace(' ', '_')} "
                f"{bits} 0 {first[i]} {checksum[i]} 0 {lead}"
            )
        lines += [f"# {comment}".rstrip() for comment in _comments(recording, resolution)]
        (folder / header.name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        try:
            wfdb_annotations.write_all(recording.annotations, folder / name)
        except ValueError as error:
            raise FormatError(path, str(error)) from error


def _resolution(recording: Header, read: Read, path: Path) -> list[Resolution]:
    """Resolution of each lead: that it had, 1000 steps per mV, or by the range of its values."""
    had = [
        how if how is not None and _same_kind(how.unit, unit) else None
        for how, unit in zip(recording.resolution, recording.units, strict=True)
    ]
    new = [i for i, how in enumerate(had) if how is None and recording.units[i] != "mV"]
    ranges = _ranges(recording, read, new) if new else np.empty((2, 0))
    by_range = {
        i: _of_range(path, recording.leads[i], recording.units[i], low, high)
        for i, (low, high) in zip(new, ranges.T.tolist(), strict=True)
    }
    return [how or by_range.get(i, Resolution()) for i, how in enumerate(had)]


def _ranges(recording: Header, read: Read, leads: list[int]) -> NDArray[np.float64]:
    """Least and greatest value of leads, (2, leads); NaN of those without samples."""
    ranges = np.full((2, len(leads)), np.nan)
    for start in range(0, recording.samples, _BLOCK):
        block = read(start, min(start + _BLOCK, recording.samples))[:, leads]
        ranges[0] = np.fmin(ranges[0], np.fmin.reduce(block))
        ranges[1] = np.fmax(ranges[1], np.fmax.reduce(block))
    return ranges


def _of_range(path: Path, lead: str, unit: str, low: float, high: float) -> Resolution:
    """Resolution of values from ``low`` to ``high`` of a lead that is not a voltage.

    1000 steps per unit, or more, by powers of ten, if 16 bits permit; fewer where these do not fit
    32 bits. A range far from zero is stored less its middle.
    """
    largest = np.nanmax([abs(low), abs(high), 0.0])
    if not largest:
        return Resolution(unit=unit)
    spread = (high - low) or largest
    finest, most = (10.0 ** math.floor(math.log10(steps / spread)) for steps in (6e4, 4e9))
    gain = min(max(finest, min(1000.0, most)), 10.0 ** math.floor(math.log10(2e9 / largest)))
    if gain * spread < _FEW:
        warnings.warn(
            f"{path}: {lead} does not fit 32 bits but in steps of {1 / gain:g} {unit}".rstrip(),
            stacklevel=4,
        )
    middle = round(gain * (low + high) / 2) if gain * largest > _CENTRED else 0
    bits = 16 if gain <= finest else 32
    return Resolution(gain=gain, baseline=-middle, unit=unit, bits=bits)


def _same_kind(one: str, other: str) -> bool:
    """True if two units are the same, or both of a voltage."""
    return one == other or (millivolts(one) is not None and millivolts(other) is not None)


def _name(path: Path) -> str:
    """The name of a record."""
    name = header_path(path).stem
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise FormatError(path, "a WFDB record's name has only letters, digits, - and _")
    return name


def _digital(
    recording: Header, read: Read, resolution: list[Resolution], bits: int
) -> Iterator[NDArray[np.int64]]:
    """Digital values (time, leads), block by block, missing samples as WFDB marks them."""
    gain = np.array(
        [
            # A resolution is in steps per its own unit, the signal of a voltage is in mV.
            how.gain / ((millivolts(how.unit) or 1.0) if unit == "mV" else 1.0)
            for how, unit in zip(resolution, recording.units, strict=True)
        ]
    )
    baseline = np.array([how.baseline for how in resolution])
    for start in range(0, recording.samples, _BLOCK):
        stop = min(start + _BLOCK, recording.samples)
        values = np.rint(read(start, stop) * gain + baseline)
        yield np.where(np.isnan(values), _missing(bits), values).astype(np.int64)


def _width(recording: Header, read: Read, resolution: list[Resolution], header: Path) -> int:
    """Bits a sample: the width the leads had, or a wider one where values do not fit it."""
    had = max(how.bits for how in resolution)
    low = high = 0
    for block in _digital(recording, read, resolution, bits=1):
        low, high = min(low, int(block.min())), max(high, int(block.max()))
    widths = [bits for bits in _FORMATS if bits >= had]
    for bits in widths:
        if _fits(low, high, bits):
            if bits != widths[0]:
                warnings.warn(
                    f"{header}: digital values from {low} to {high} do not fit the {had} bits "
                    f"they had; stored in {bits} (format {_FORMATS[bits]})",
                    stacklevel=4,
                )
            return bits
    raise FormatError(header, f"digital values from {low} to {high} do not fit 32 bits")


def _record_line(name: str, recording: Header) -> str:
    line = f"{name} {len(recording.leads)} {_number(recording.fs)} {recording.samples}"
    if recording.start is not None:
        return f"{line} {recording.start.time().isoformat()} {recording.start:%d/%m/%Y}"
    time = recording.metadata.get(TIME_OF_DAY, "")
    return f"{line} {time}" if TIME.fullmatch(time) else line


def _comments(recording: Header, resolution: list[Resolution]) -> list[str]:
    """Comments, and metadata of the recording that have no field in the header."""
    time = recording.metadata.get(TIME_OF_DAY, "")
    held = {TIME_OF_DAY: time} if recording.start or TIME.fullmatch(time) else {}
    units = [f"{UNIT} {i + 1}: {how.unit}" for i, how in enumerate(resolution) if " " in how.unit]
    known = dataclasses.replace(
        recording, comments=tuple(" ".join(text.split()) for text in recording.comments)
    )
    return [*description.as_comments(known, held), *units]


def _number(value: float) -> str:
    return repr(int(value)) if value == int(value) else repr(float(value))


def _missing(bits: int) -> int:
    """The digital value that stands for a missing sample."""
    return -(1 << (bits - 1))


def _fits(low: int, high: int, bits: int) -> bool:
    """True if values from ``low`` to ``high`` can be stored, the missing value left free."""
    return _missing(bits) < low and high < -_missing(bits)


def _write_samples(
    path: Path, blocks: Iterable[NDArray[np.int64]], bits: int
) -> tuple[list[int], list[int]]:
    """Write digital samples, given in blocks (time, leads) each of an even number of samples.

    Only the last block may be odd, since format 212 packs samples in pairs.

    Returns:
        The first sample and the checksum (signed 16-bit sum) of each lead, for the header.
    """
    first: NDArray[np.int64] | None = None
    total = np.zeros(1, np.int64)
    with path.open("wb") as file:
        for block in blocks:
            first = block[0] if first is None else first
            total = total + block.sum(axis=0)
            file.write(_pack(block.reshape(-1), bits))
    checksum = (total & 0xFFFF).astype(np.int64)
    checksum -= (checksum >> 15) << 16
    return ([] if first is None else first.tolist()), checksum.tolist()


def _pack(samples: NDArray[np.int64], bits: int) -> bytes:
    """Samples (n,) as bytes of the format of a width in bits."""
    if bits == 8:
        return (samples + 128).astype(np.uint8).tobytes()
    if bits == 12:
        pairs = np.append(samples, 0)[: (len(samples) + 1) // 2 * 2].reshape(-1, 2) & 0xFFF
        high = (pairs[:, 0] >> 8) | (pairs[:, 1] >> 8 << 4)
        packed = np.stack([pairs[:, 0] & 0xFF, high, pairs[:, 1] & 0xFF], axis=1)
        return packed.astype(np.uint8).tobytes()
    if bits == 24:
        return samples.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    return samples.astype(f"<i{bits // 8}").tobytes()

"""Writing WFDB records: a header, one signal file (format 80, 212, 16, 24 or 32), annotations."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import replacing_together
from ipmdae.formats import wfdb_annotations, wfdb_signals
from ipmdae.formats.errors import FormatError
from ipmdae.recording import Recording, Resolution, millivolts

TIME_OF_DAY = "time of day"
"""Metadata of a recording whose start is known without the date."""

_BLOCK = 1 << 18
"""Samples a lead that are digitised at once; even, for the sake of format 212."""


def write(recording: Recording, path: Path) -> None:
    """Write header, signal file and annotations, all or none.

    Gain, baseline and unit of each lead are kept, so that what was read comes back to half a step.
    Leads that never were digital get 1000 steps per mV. All leads are stored in the width of the
    widest; values that do not fit it are stored wider, with a warning.

    Raises:
        FormatError: the name is no WFDB record name, or values do not fit 32 bits.
        OSError: the files cannot be written.
    """
    header = header_path(path)
    name = header.stem
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise FormatError(path, "a WFDB record's name has only letters, digits, - and _")
    resolution = [
        how or Resolution(unit=unit)
        for how, unit in zip(recording.resolution, recording.units, strict=True)
    ]
    bits = _width(recording, resolution, header)
    with replacing_together(header.parent, last=".hea") as folder:
        first, checksum = wfdb_signals.write(
            folder / f"{name}.dat", _digital(recording, resolution, bits), bits
        )
        lines = [_record_line(name, recording)]
        for i, (lead, how) in enumerate(zip(recording.leads, resolution, strict=True)):
            lines.append(
                f"{name}.dat {wfdb_signals.FORMATS[bits]} "
                f"{_number(how.gain)}({how.baseline})/{'_'.join(how.unit.split())} "
                f"{bits} 0 {first[i]} {checksum[i]} 0 {' '.join(lead.split())}"
            )
        lines += [f"# {' '.join(comment.split())}".rstrip() for comment in _comments(recording)]
        (folder / header.name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        wfdb_annotations.write_all(recording.annotations, folder / name)


def header_path(path: Path) -> Path:
    """The header of a record given by its name, its header or its signal file."""
    return path.with_name(path.name.removesuffix(".hea").removesuffix(".dat") + ".hea")


def _digital(
    recording: Recording, resolution: list[Resolution], bits: int
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
        values = np.rint(recording.signal[start : start + _BLOCK] * gain + baseline)
        yield np.where(np.isnan(values), wfdb_signals.missing(bits), values).astype(np.int64)


def _width(recording: Recording, resolution: list[Resolution], header: Path) -> int:
    """Bits a sample: the width the leads had, or a wider one where values do not fit it."""
    had = max(how.bits for how in resolution)
    low = high = 0
    for block in _digital(recording, resolution, bits=1):
        low, high = min(low, int(block.min())), max(high, int(block.max()))
    widths = [bits for bits in wfdb_signals.FORMATS if bits >= had]
    for bits in widths:
        if wfdb_signals.fits(low, high, bits):
            if bits != widths[0]:
                warnings.warn(
                    f"{header}: digital values from {low} to {high} do not fit the {had} bits "
                    f"they had; stored in {bits} (format {wfdb_signals.FORMATS[bits]})",
                    stacklevel=4,
                )
            return bits
    raise FormatError(header, f"digital values from {low} to {high} do not fit 32 bits")


def _record_line(name: str, recording: Recording) -> str:
    line = f"{name} {len(recording.leads)} {_number(recording.fs)} {recording.samples}"
    if recording.start is not None:
        return f"{line} {recording.start.time().isoformat()} {recording.start:%d/%m/%Y}"
    return f"{line} {recording.metadata.get(TIME_OF_DAY, '')}".rstrip()


def _comments(recording: Recording) -> list[str]:
    """The comments, and what else is known of the recording, which has no place of its own."""
    others = [f"{k}: {v}" for k, v in recording.metadata.items() if k != TIME_OF_DAY]
    return [*recording.comments, *others]


def _number(value: float) -> str:
    return repr(int(value)) if value == int(value) else repr(float(value))

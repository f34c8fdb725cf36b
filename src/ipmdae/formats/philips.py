"""Properties of Philips' Sierra XML: compressed leads, and a calibration pulse at the end."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.errors import FormatError

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

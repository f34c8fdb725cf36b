"""WFDB signal files: are they complete, and how digital samples are packed into them.

Specification: https://wfdb.io/spec/signal-files/. Samples of all leads are interleaved; the lowest
value that a width can hold means a missing sample.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.errors import FormatError
from ipmdae.formats.limits import check_expansion
from ipmdae.formats.wfdb_header import beside

FORMATS = {8: "80", 12: "212", 16: "16", 24: "24", 32: "32"}
"""The format in which samples of a width in bits are written."""

BITS = {"80": 8, "310": 10, "311": 10, "212": 12, "16": 16, "61": 16, "160": 16, "24": 24, "32": 32}
BITS |= {"8": 16, "508": 8, "516": 16, "524": 24}
"""The width in bits of samples in the formats that are read; 8 stores differences of 16 bits."""

_BYTES = {"212": Fraction(3, 2), "310": Fraction(4, 3), "311": Fraction(4, 3), "8": Fraction(1)}
_DECODED = 24
"""Bytes of memory that a sample takes while it is decoded."""

_COMPRESSED = {"508", "516", "524"}

SEEKABLE = frozenset(BITS) - _COMPRESSED - {"8"}
"""The formats whose samples can be decoded without those before."""


def check_files(header: Path, fields: Any) -> None:
    """Compare the size of each signal file of a single segment with what its header announces.

    Raises:
        FileNotFoundError: a signal file is missing.
        FormatError: a format is unknown, or a file is too short; the message says by how much.
    """
    for name in dict.fromkeys(fields.file_name):
        path = beside(header, name)
        leads = [i for i, file in enumerate(fields.file_name) if file == name]
        if not path.is_file():
            raise FileNotFoundError(
                f"{path}: there is no such signal file; {header.name} stores {len(leads)} of its "
                f"{fields.n_sig} leads there"
            )
        format = fields.fmt[leads[0]]
        if format not in BITS:
            raise FormatError(
                header, f"signal format {format} is unknown; known are {', '.join(BITS)}"
            )
        rates = [fields.samps_per_frame[i] for i in leads]
        frame = sum(rates)
        if min(rates) < 1:
            raise FormatError(header, f"the WFDB header is malformed ({frame} samples a frame)")
        if fields.sig_len is None:
            continue
        # All leads are brought to the highest rate, and decoding takes a few copies.
        expanded = fields.sig_len * max(fields.samps_per_frame) * len(leads) * _DECODED
        check_expansion(path, path.stat().st_size, expanded)
        if format in _COMPRESSED:
            continue
        size = _BYTES.get(format, Fraction(BITS[format], 8))
        data = path.stat().st_size - (fields.byte_offset[leads[0]] or 0)
        found = max(int(data / size), 0) // frame
        if found < fields.sig_len:
            raise FormatError(
                path,
                f"the signal file is cut off: {header.name} announces {fields.sig_len} samples a "
                f"lead, {found} are there; fetch it again, or correct the number in the header to "
                "read those",
            )


def missing(bits: int) -> int:
    """The digital value that stands for a missing sample."""
    return -(1 << (bits - 1))


def fits(low: int, high: int, bits: int) -> bool:
    """True if values from ``low`` to ``high`` can be stored, the missing value left free."""
    return missing(bits) < low and high < -missing(bits)


def write(
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
            file.write(pack(block.reshape(-1), bits))
    checksum = (total & 0xFFFF).astype(np.int64)
    checksum -= (checksum >> 15) << 16
    return ([] if first is None else first.tolist()), checksum.tolist()


def pack(samples: NDArray[np.int64], bits: int) -> bytes:
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

"""Limits that a file must keep before memory is given to it: a few bytes can announce terabytes."""

from __future__ import annotations

import os
import re

from ipmdae.formats.errors import FormatError

MAX_SAMPLES = 1 << 31
"""Values of all leads together that a file may announce: 16 GiB in memory, 24 h of 12 leads at
2 kHz."""

_MAX_EXPANSION = 200
"""Largest ratio of decompressed to stored size; an ECG in float64 reaches 20."""

_ALWAYS_FINE = 1 << 27
"""Bytes up to which no expansion is suspicious."""


_MAX_GAPS = 16
"""Largest ratio of missing samples to stored ones."""

_ALWAYS_FINE_GAPS = 1 << 23
"""Values, missing ones included, up to which gaps have any length: 9 h of a lead at 250 Hz."""


def check_samples(
    path: str | os.PathLike[str], samples: int, leads: int, held: int | None = None
) -> None:
    """Refuse a recording of no samples or leads, or of more than memory can hold.

    Args:
        path: the file.
        samples: of each lead, missing ones included.
        leads: number of leads.
        held: samples of each lead that the file holds; the others are missing. By default all.

    Raises:
        FormatError: with the numbers.
    """
    if samples < 1 or leads < 1:
        raise FormatError(path, f"holds no signal ({max(samples, 0)} samples of {leads} leads)")
    if samples * leads > MAX_SAMPLES:
        raise FormatError(
            path, f"announces {samples} samples of {leads} leads, more than memory can hold"
        )
    if held is None or samples * leads <= _ALWAYS_FINE_GAPS:
        return
    if samples - held > _MAX_GAPS * held:
        raise FormatError(
            path,
            f"has gaps of {samples - held} samples in all between the {held} that are there; "
            "split it at its gaps",
        )


def check_expansion(path: str | os.PathLike[str], stored: int, expanded: int) -> None:
    """Refuse content that is implausibly larger than what is stored of it (bytes).

    Raises:
        FormatError: with the numbers.
    """
    if expanded > most(stored):
        raise FormatError(
            path,
            f"{stored} bytes expand to {expanded} or more, which no recording does; if you trust "
            "the file, expand it first",
        )


def most(stored: int) -> int:
    """Bytes that a file of ``stored`` bytes may become in memory."""
    return max(_ALWAYS_FINE, _MAX_EXPANSION * stored)


class Budget:
    """Memory that the content of a file may take, all of its entries together.

    Attributes:
        left: bytes that are not spent yet.
    """

    def __init__(self, path: str | os.PathLike[str], stored: int) -> None:
        """Begin with what a file of ``stored`` bytes may become."""
        self._path, self._stored = path, stored
        self.left = most(stored)
        self._whole = self.left

    def spend(self, size: int) -> None:
        """Take ``size`` bytes.

        Raises:
            FormatError: so many are not left.
        """
        self.left -= size
        if self.left < 0:
            check_expansion(self._path, self._stored, self._whole - self.left)


_LONG = re.compile(rb"[eE][-+]?\d{4}")
"""Part of :data:`_EXPONENT` that is quick to find."""

_EXPONENT = re.compile(rb"(?<![\w.,])[-+]?[\d.,]+[eE][-+]?\d{4}")


def check_exponents(path: str | os.PathLike[str], table: bytes) -> None:
    """Refuse a table with exponents of four digits, on which the parser of pandas may crash.

    Raises:
        FormatError: with the number.
    """
    if (b"e" not in table and b"E" not in table) or not _LONG.search(table):
        return
    found = _EXPONENT.search(table)
    if found:
        raise FormatError(path, f"holds a number with too large an exponent ({found[0]!r:.40})")

"""Duration of the data records of an EDF file, such that signals of all rates fill them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ipmdae.formats.edf_range import eight
from ipmdae.formats.errors import FormatError

_MAX_RECORD = 61440
"""Bytes a record may have, by the specification."""

_SHORTEST, _LONGEST = 0.2, 10.0
"""Seconds of a record within which a good length is looked for."""

_ROUND = (0.2, 0.25, 0.5, 2, 3, 4, 5, 6, 8, 10)
"""Durations in s that are tried besides those around a second."""

_NEAR = 50


@dataclass(frozen=True)
class Layout:
    """Data records of a file.

    Attributes:
        duration: of a record in s, as it is written.
        counts: samples a record has of each signal.
        records: number of records.
    """

    duration: str
    counts: tuple[int, ...]
    records: int


def plan(path: Path, rates: Sequence[float], samples: Sequence[int], width: int) -> Layout:
    """Records of about a second that the signals fill, all or all but the last.

    Args:
        path: named where it cannot be done.
        rates: of the signals in Hz.
        samples: number of samples of each.
        width: bytes of a sample.

    Raises:
        FormatError: the rates have no record in common that is short enough.
    """
    exact = [Fraction(rate).limit_denominator(1_000_000) for rate in rates]
    # The shortest time in which every signal has a whole number of samples.
    numerator = math.lcm(*(rate.denominator for rate in exact))
    denominator = math.gcd(*(rate.numerator * (numerator // rate.denominator) for rate in exact))
    shortest = Fraction(numerator, denominator)
    per = [int(rate * shortest) for rate in exact]
    if sum(per) * width > _MAX_RECORD * 16 or shortest > 3600:
        raise FormatError(
            path,
            f"rates of {', '.join(f'{rate:g}' for rate in dict.fromkeys(rates))} Hz have no data "
            "record in common that EDF can hold",
        )
    longest = max(min(_MAX_RECORD // (sum(per) * width), int(_LONGEST / shortest)), 1)
    total = samples[0] // per[0]
    even = all(count == total * each for count, each in zip(samples, per, strict=True))

    def merit(k: int) -> tuple[float, bool, float]:
        """An exact rate counts most, then records that are all full, then about a second."""
        full = even and total % k == 0 and k * shortest >= _SHORTEST
        return _error(k * shortest), not full, abs(math.log(k * shortest))

    second = round(1 / shortest)
    tried = {1, *range(second - _NEAR, second + _NEAR), *(round(s / shortest) for s in _ROUND)}
    tried |= {k for k in range(1, longest + 1) if even and total % k == 0}
    k = min((k for k in tried if 1 <= k <= longest), key=merit)
    records = max(-(-count // (k * each)) for count, each in zip(samples, per, strict=True))
    return Layout(eight(float(k * shortest)), tuple(k * each for each in per), records)


def _error(duration: Fraction) -> float:
    """Relative error of a duration written in 8 characters, as far as it matters."""
    error = abs(Fraction(eight(float(duration))) - duration) / duration
    return float(error) if error > Fraction(1, 10**9) else 0.0

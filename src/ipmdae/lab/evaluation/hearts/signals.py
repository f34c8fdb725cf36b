"""Synthetic test signals for bandwidth and distortion.

The triangle and the pulse are those of the standards for electrocardiographs (IEC 60601-2-25,
IEC 60601-2-47): a triangle of 1.5 mV and 20 ms at its base, repeated; a rectangular pulse of 3 mV
and 100 ms, after which the line may neither deviate by more than 0.1 mV nor slope by more than
0.3 mV/s. Sines are added to a synthetic ECG, since alone they do not look like an ECG.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ipmdae.lab.evaluation.hearts import leads
from ipmdae.lab.evaluation.hearts.gains import gain
from ipmdae.lab.evaluation.hearts.leads import NONE, SINES
from ipmdae.lab.evaluation.hearts.method import MethodUnderTest, Row
from ipmdae.lab.evaluation.results import Array

SIGNAL = "test signal"
TRIANGLE = "triangle of 1.5 mV and 20 ms: peak kept"
OFFSET = "pulse of 3 mV and 100 ms: offset behind it (mV)"
SLOPE = "pulse of 3 mV and 100 ms: slope behind it (mV/s)"
HERTZ = (1.0, 2.0, 5.0, 10.0, 20.0, 40.0)

FS = 500.0  # Hz
_SECONDS, _PULSE_AT, _HEIGHT = 30.0, 15.0, 3.0  # s, s, mV
_BESIDE, _WATCHED, _FITTED = 0.1, 2.0, 0.2  # s
_SINE = 0.2  # mV
_SEED = 0

_WAVES = ((-0.17, 0.022, 0.12), (-0.022, 0.008, -0.1), (0.0, 0.010, 1.1), (0.026, 0.009, -0.2),
          (0.28, 0.045, 0.28))  # fmt: skip
"""Time from the R peak and standard deviation in s, and height in mV, of the synthetic ECG."""


def rows(method: MethodUnderTest, datasets: Path, name: str) -> list[Row]:
    """All test signals, without any database."""
    return [*_triangles(method), *_pulse(method), *_sines(method)]


def triangles() -> Array:
    """One triangle per second on a flat line, (time,) in mV."""
    time = _time()
    return 1.5 * np.clip(1 - np.abs((time - 0.5) % 1.0 - 0.5) / 0.01, 0, 1)


def pulse() -> Array:
    """One rectangular pulse on a flat line, (time,) in mV."""
    time = _time()
    return _HEIGHT * ((time >= _PULSE_AT) & (time < _PULSE_AT + 0.1)).astype(float)


def ecg(rate: float = 70.0) -> Array:
    """A synthetic ECG at a steady heart rate, (time,) in mV."""
    time, period = _time(), 60 / rate
    phase = (time + period / 2) % period - period / 2
    waves = [
        height * np.exp(-0.5 * ((phase + turn - at) / deviation) ** 2)
        for at, deviation, height in _WAVES
        for turn in (-period, 0.0, period)
    ]
    total: Array = np.sum(waves, axis=0)
    return total


def peak_kept(cleaned: Array) -> float:
    """Median height of the triangles in the output relative to the input."""
    tops = np.arange(6, 25) * round(FS)
    near = round(0.005 * FS)
    aside = round(0.1 * FS)
    found = []
    for top in tops:
        level = np.median(cleaned[[*range(top - 2 * aside, top - aside),
                                   *range(top + aside, top + 2 * aside)]])  # fmt: skip
        found.append(cleaned[top - near : top + near + 1].max() - level)
    return float(np.median(found)) / 1.5


def offset_and_slope(cleaned: Array) -> tuple[float, float]:
    """Largest deviation of the line after the pulse, mV, and its steepest slope, mV/s.

    From 0.1 s after the pulse on, for 2 s; the level is that of the first 10 s.
    """
    level = float(np.median(cleaned[round(2 * FS) : round(10 * FS)]))
    first = round((_PULSE_AT + 0.1 + _BESIDE) * FS)
    behind = cleaned[first : first + round(_WATCHED * FS)] - level
    width = round(_FITTED * FS)
    time = (np.arange(width) - (width - 1) / 2) / FS
    slopes = np.convolve(behind, time[::-1], "valid") / (time @ time)
    return float(np.abs(behind).max()), float(np.abs(slopes).max())


def _triangles(method: MethodUnderTest) -> Iterator[Row]:
    for condition, wander in _conditions():
        cleaned = method.clean(triangles() + wander, FS)
        share = float(cleaned.readable.mean())
        kept = peak_kept(cleaned.signal)
        yield Row(SIGNAL, TRIANGLE, condition, "", kept, kept if share > 0.5 else np.nan, share)


def _pulse(method: MethodUnderTest) -> Iterator[Row]:
    cleaned = method.clean(pulse(), FS)
    share = float(cleaned.readable.mean())
    for case, value in zip((OFFSET, SLOPE), offset_and_slope(cleaned.signal), strict=True):
        yield Row(SIGNAL, case, NONE, "", value, value if share > 0.5 else np.nan, share)


def _sines(method: MethodUnderTest) -> Iterator[Row]:
    time = _time()
    judged = (time >= leads.SCORED[0]) & (time < leads.SCORED[1])
    for condition, wander in _conditions():
        before = method.clean(ecg() + wander, FS)
        for hertz in HERTZ:
            sine = _SINE * np.sin(2 * np.pi * hertz * time)
            after = method.clean(ecg() + sine + wander, FS)
            measured = gain(after.signal - before.signal, sine, judged, after.readable)
            yield Row(SIGNAL, f"sine of {hertz:g} Hz on an ECG: gain", condition, "", *measured)


def _conditions() -> list[tuple[str, Array]]:
    time = _time()
    wander = leads.sines(time, np.random.default_rng(_SEED))
    return [(NONE, np.zeros(len(time))), (SINES, wander)]


def _time() -> Array:
    return np.arange(round(_SECONDS * FS)) / FS


SHOWN: dict[str, Callable[[], Array]] = {"triangles": triangles, "pulse": pulse}
"""The signals that are drawn."""

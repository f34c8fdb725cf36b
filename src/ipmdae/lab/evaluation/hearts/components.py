"""Components added to real leads: waves and beats that sinus rhythm does not have.

Shapes, rates and sizes are drawn at random for each lead, within textbook ranges; they share no
code with the rhythms that networks are trained on. Sizes are relative to the span of the lead's
ECG, or to the height of its beats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, sosfiltfilt

from ipmdae.lab.evaluation.hearts.leads import Lead
from ipmdae.lab.evaluation.results import Array

RATES = (150, 180, 210, 240, 300)
"""Beats a minute of the fast rhythms."""

_BEFORE, _AFTER = 0.22, 0.45  # s around a removed beat
_LEVEL = 0.02  # s at each side of a gap over which its level is averaged


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """A lead without a component, and the component.

    Attributes:
        before: (time,) in mV: the lead, without the beats that the component replaces.
        component: (time,) in mV, what is added.
        judged: (time,), mask of the samples that are scored.
    """

    before: Array
    component: Array
    judged: NDArray[np.bool_]


def fibrillatory_waves(lead: Lead, rng: np.random.Generator) -> Pair:
    """Fibrillatory waves of the atria: 4 to 9 Hz, 0.02 to 0.2 of the ECG's size.

    Skewed waves, each with its own length and height.
    """
    rate, height = rng.uniform(4, 9), lead.size * np.exp(rng.uniform(np.log(0.02), np.log(0.2)))
    periods = rng.normal(1 / rate, 0.08 / rate, round(2 * rate * lead.time[-1])).clip(0.5 / rate)
    starts = np.cumsum(periods) - 1  # s; the ends of the spline lie outside of the lead
    skew = rng.uniform(0.3, 0.45)
    tops = height / 2 * rng.gamma(16, 1 / 16, len(starts))
    knots = np.stack([starts, starts + skew * periods], axis=1).ravel()
    values = np.stack([-tops, tops], axis=1).ravel()
    wave = CubicSpline(knots, values)(lead.time)
    return _added(lead, wave - wave.mean())


def flutter(lead: Lead, rng: np.random.Generator) -> Pair:
    """Flutter waves: a rounded saw-tooth of 3.3 to 6 Hz, 0.1 to 0.3 of the ECG's size."""
    phase = (rng.uniform(3.3, 6) * lead.time + rng.random()) % 1
    fall = rng.uniform(0.6, 0.8)
    tooth = np.where(phase < fall, 0.5 - phase / fall, (phase - fall) / (1 - fall) - 0.5)
    wave = gaussian_filter1d(tooth * rng.choice((-1, 1)), 0.012 * lead.fs)
    return _added(lead, lead.size * rng.uniform(0.1, 0.3) * (wave - wave.mean()))


def dissociated_p_waves(lead: Lead, rng: np.random.Generator) -> Pair:
    """P waves at an independent rate, 60 to 110 a minute, as in complete AV block."""
    wave = np.zeros(len(lead.time))
    width, late = rng.uniform(0.016, 0.024), rng.uniform(0.02, 0.035)
    second = rng.uniform(-0.6, 1.0)
    at, period = rng.uniform(0, 0.5), 60 / rng.uniform(60, 110)
    while at < lead.time[-1]:
        wave += _bump(lead.time, at, width) + second * _bump(lead.time, at + late, 1.2 * width)
        at += period * rng.normal(1, 0.02)
    height = lead.size * rng.uniform(0.05, 0.15) * rng.choice((-1, 1))
    return _added(lead, height * wave / np.abs(wave).max())


def single_ectopics(lead: Lead, rng: np.random.Generator) -> Pair:
    """A premature ventricular beat in place of every sixth or so of the beats."""
    return _ectopics(lead, rng, range(int(rng.integers(2, 5)), len(lead.beats) - 1, 6))


def bigeminy(lead: Lead, rng: np.random.Generator) -> Pair:
    """A premature ventricular beat in place of every other beat."""
    return _ectopics(lead, rng, range(1 + int(rng.integers(2)), len(lead.beats) - 1, 2))


def run_of_ectopics(lead: Lead, rng: np.random.Generator) -> Pair:
    """Ventricular tachycardia: 4 to 8 s of wide beats, 130 to 200 a minute."""
    start = rng.uniform(8, 14)
    stop = start + rng.uniform(4, 8)
    period = 60 / rng.uniform(130, 200)
    beats = np.arange(start + 0.3, stop - 0.3, period)
    beats = beats + rng.normal(0, 0.01, len(beats))
    shape = _ectopic(lead, rng, rest=period)
    inside = (lead.beats >= start * lead.fs) & (lead.beats < stop * lead.fs)
    return _added(lead, _placed(lead, beats, shape), without_beats(lead, inside))


def st_shift(lead: Lead, rng: np.random.Generator) -> Pair:
    """A shift of ST and T, locked to the beats, that comes on within 2 s and stays."""
    height = lead.size * rng.uniform(0.1, 0.3) * rng.choice((-1, 1))
    onset = np.clip((lead.time - rng.uniform(7, 13)) / 2, 0, 1)
    return _added(lead, height * onset * st_shape(lead))


def fine_fibrillation(lead: Lead, rng: np.random.Generator) -> Pair:
    """Fine ventricular fibrillation: 0.08 to 0.2 of the ECG's size."""
    return _fibrillation(lead, rng, rng.uniform(0.08, 0.2))


def coarse_fibrillation(lead: Lead, rng: np.random.Generator) -> Pair:
    """Coarse ventricular fibrillation: 0.4 to 1 of the ECG's size."""
    return _fibrillation(lead, rng, rng.uniform(0.4, 1.0))


def fast_beats(rate: int) -> Callable[[Lead, np.random.Generator], Pair]:
    """The lead's own QRS complex at a given rate, with a P and a T wave; QRS is scored.

    Faster beats are narrower: unchanged up to 150, by three tenths at 300.
    """

    def make(lead: Lead, rng: np.random.Generator) -> Pair:
        period = 60 / rate
        beats = np.arange(0.1, lead.time[-1], period)
        beats = beats + rng.normal(0, 0.01 * period, len(beats))
        squeeze = 1 - 0.3 * (rate - min(RATES)) / (max(RATES) - min(RATES))
        qrs, half = _qrs(lead), _QRS * squeeze
        shape = CubicSpline(np.linspace(-half, half, len(qrs)), qrs, extrapolate=False)
        top = np.ptp(qrs)
        t_wave, p_wave = top * rng.uniform(0.12, 0.25), top * rng.uniform(0.05, 0.12)

        def beat(time: Array) -> Array:
            wave = np.nan_to_num(shape(time))
            wave = wave + t_wave * _bump(time, 0.48 * period, 0.085 * period)
            return wave + p_wave * _bump(time, -0.24 * period, max(0.05 * period, 0.01))

        wave = _placed(lead, beats, beat, period)
        near = np.abs(lead.time[:, np.newaxis] - beats).min(axis=1) <= half
        return Pair(before=np.zeros(len(wave)), component=wave, judged=lead.scored & near)

    return make


COMPONENTS: dict[str, Callable[[Lead, np.random.Generator], Pair]] = {
    "f waves": fibrillatory_waves,
    "flutter waves": flutter,
    "dissociated P waves": dissociated_p_waves,
    "PVCs, single": single_ectopics,
    "PVCs, bigeminy": bigeminy,
    "PVCs, run": run_of_ectopics,
    "ST shift": st_shift,
    "fine VF": fine_fibrillation,
    "coarse VF": coarse_fibrillation,
}
FAST = {f"QRS at {rate}/min": fast_beats(rate) for rate in RATES}

_QRS = 0.06  # s on each side of a beat's mark


def make(lead: Lead) -> dict[str, Pair]:
    """All components for a lead by name; those that do not fit into it are left out."""
    pairs = {}
    for i, (name, of) in enumerate((COMPONENTS | FAST).items()):
        pair = of(lead, lead.random(i))
        if np.any(pair.component[pair.judged]):
            pairs[name] = pair
    return pairs


def st_shape(lead: Lead) -> Array:
    """A shift of 1 from the end of QRS to that of T of each beat, (time,).

    It rises between 40 and 60 ms after a beat's mark and falls between 0.5 and 0.8 of the usual
    length of QT, 0.39 s at 60 beats a minute (Bazett), the latest.
    """
    shape = np.zeros(len(lead.time))
    ends = np.append(lead.beats[1:], lead.beats[-1] + np.diff(lead.beats).mean())
    for beat, following in zip(lead.beats / lead.fs, ends / lead.fs, strict=True):
        length = 0.39 * np.sqrt(min(following - beat, 1.0))
        knots = beat + np.array([0.04, 0.06, max(0.5 * length, 0.13), max(0.8 * length, 0.18)])
        shape = np.maximum(shape, np.interp(lead.time, knots, (0, 1, 1, 0), 0, 0))
    return shape


def without_beats(lead: Lead, which: NDArray[np.bool_] | Sequence[bool]) -> Array:
    """The lead without some beats, which a line from the level before to that after replaces."""
    signal, level = lead.signal.astype(np.float64), round(_LEVEL * lead.fs)
    gap = np.zeros(len(signal), np.bool_)
    for beat, gone in zip(lead.beats, which, strict=True):
        if gone:
            gap[max(beat - round(_BEFORE * lead.fs), 0) : beat + round(_AFTER * lead.fs)] = True
    for beat, gone in zip(lead.beats, which, strict=True):
        if not gone:  # the neighbourhood of a kept beat is kept
            gap[max(beat - round(0.5 * _BEFORE * lead.fs), 0) : beat + round(0.2 * lead.fs)] = False
    edges = np.flatnonzero(np.diff(np.concatenate([[0], gap, [0]])))
    for start, stop in edges.reshape(-1, 2):
        left, right = signal[max(start - level, 0) : start], signal[stop : stop + level]
        ends = [part.mean() if len(part) else np.nan for part in (left, right)]
        low, high = (np.nanmean(ends) if np.isnan(end) else end for end in ends)
        signal[start:stop] = np.linspace(low, high, stop - start)
    silent: Array = signal
    return silent


def _ectopics(lead: Lead, rng: np.random.Generator, replaced: range) -> Pair:
    """Premature beats in place of some beats of the lead (their numbers)."""
    shape = _ectopic(lead, rng, rest=1.0)
    gone = np.isin(np.arange(len(lead.beats)), list(replaced))
    marks, early = lead.beats / lead.fs, rng.uniform(0.55, 0.75)
    beats = [marks[i - 1] + early * (marks[i] - marks[i - 1]) for i in replaced]
    return _added(lead, _placed(lead, beats, shape), without_beats(lead, gone))


def _ectopic(lead: Lead, rng: np.random.Generator, rest: float) -> Callable[[Array], Array]:
    """A wide beat of 0.12 to 0.18 s with a discordant T wave, as a function of time in s.

    Its height is 0.8 to 1.6 of the lead's beats; it is over after ``rest`` s at the latest.
    """
    width = rng.uniform(0.12, 0.18)
    inner = np.sort(rng.uniform(0.15, 0.85, 2))
    knots = np.concatenate([[0], inner, [1]]) * width - width / 2
    main = rng.choice((-1, 1))
    values = np.array([0, main, -main * rng.uniform(-0.5, 0.7), 0])
    qrs = PchipInterpolator(knots, values, extrapolate=False)
    delay = min(rng.uniform(0.26, 0.32), 0.55 * rest)
    discordant, broad = -main * rng.uniform(0.25, 0.5), min(rng.uniform(0.045, 0.06), 0.12 * rest)
    grid = np.arange(-0.3, 0.6, 1 / lead.fs)
    wave = gaussian_filter1d(np.nan_to_num(qrs(grid)), 0.008 * lead.fs)
    wave += discordant * _bump(grid, delay, broad)
    wave *= lead.height * rng.uniform(0.8, 1.6) / np.ptp(wave)
    return CubicSpline(grid, wave)


def _fibrillation(lead: Lead, rng: np.random.Generator, share: float) -> Pair:
    """Narrow-band noise of 3 to 8 Hz with varying amplitude, replacing all beats after its onset.

    In every other lead it lasts from the start, in the others from some 7 to 10 s on.
    """
    onset = 0.0 if lead.number % 2 else rng.uniform(7, 10)
    middle = rng.uniform(4, 6)
    sections = butter(2, (middle - 1, middle + 1.5), "bandpass", fs=lead.fs, output="sos")
    wave = sosfiltfilt(sections, rng.standard_normal(len(lead.time)))
    swell = 1 + 0.4 * np.sin(2 * np.pi * (rng.uniform(0.1, 0.3) * lead.time + rng.random()))
    wave *= swell * np.clip((lead.time - onset) / 0.3, 0, 1) if onset else swell
    low, high = np.percentile(wave, (0.5, 99.5))
    gone = lead.beats >= (onset - 0.2) * lead.fs
    before = without_beats(lead, gone) if onset else np.zeros(len(wave))
    return _added(lead, lead.size * share * wave / (high - low), before)


def _added(lead: Lead, component: Array, before: Array | None = None) -> Pair:
    return Pair(
        before=lead.signal if before is None else before, component=component, judged=lead.scored
    )


def _placed(
    lead: Lead, beats: Sequence[float] | Array, shape: Callable[[Array], Array], reach: float = 0.6
) -> Array:
    """A shape at each of some times in s, (time,)."""
    wave = np.zeros(len(lead.time))
    for beat in beats:
        near = (lead.time >= beat - min(reach, 0.3)) & (lead.time < beat + min(reach, 0.59))
        wave[near] += shape(lead.time[near] - beat)
    return wave


def _qrs(lead: Lead) -> Array:
    """The lead's median QRS complex, which begins and ends at zero, (time,) in mV."""
    half = round(_QRS * lead.fs)
    inside = lead.beats[(lead.beats >= half) & (lead.beats + half < len(lead.signal))]
    around: Array = lead.signal[inside[:, np.newaxis] + np.arange(-half, half + 1)]
    ends = np.linspace(around[:, 0], around[:, -1], 2 * half + 1, axis=1)
    middle: Array = np.median(around - ends, axis=0)
    return middle


def _bump(time: Array, at: float, deviation: float) -> Array:
    """A Gaussian of height 1."""
    bump: Array = np.exp(-0.5 * ((time - at) / deviation) ** 2)
    return bump

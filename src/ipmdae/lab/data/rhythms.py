"""Synthetic rhythms for training targets: what databases of sinus rhythm do not hold.

A network that has seen sinus rhythm alone takes atrial fibrillation, flutter, ectopic beats and ST
shifts for noise. :class:`Rhythms` therefore adds them to clean windows, before any noise: the
network's input and its target change alike. Arrays are one lead's window (time, 1) in mV, float32;
sizes are relative to the window's ECG (:func:`ecg_size`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Beats = NDArray[np.intp]
Generator = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Rhythms:
    """Synthetic rhythms and how often each is drawn.

    Attributes:
        fs: sampling rate in Hz.
        share: share of the windows that get one rhythm or, in a third of them, two.
        weights: relative frequency of each function of this module, by its name.
    """

    fs: float
    share: float = 0.55
    weights: tuple[tuple[str, float], ...] = (
        ("fibrillatory_waves", 0.13),
        ("flutter_waves", 0.09),
        ("dissociated_p_waves", 0.12),
        ("ectopic_beats", 0.20),
        ("ventricular_fibrillation", 0.03),
        ("ventricular_flutter", 0.02),
        ("st_shift", 0.12),
        ("t_alternans", 0.02),
        ("pause", 0.03),
        ("narrow_beats", 0.05),
        ("resynthesised", 0.19),
    )

    def apply(self, clean: Array, beats: Beats, rng: Generator) -> Array:
        """Give a clean window one or two rhythms, or none.

        Args:
            clean: (time, 1), its baseline near 0 mV.
            beats: samples of the R peaks in the window; rhythms that are locked to beats are left
                out where there are fewer than three.
        """
        if rng.random() >= self.share:
            return clean
        names, weights = zip(*self.weights, strict=True)
        probability = np.array(weights) / sum(weights)
        count = 2 if rng.random() < 1 / 3 else 1
        chosen = rng.choice(len(names), count, replace=False, p=probability)
        # In the order of the list: what replaces the signal comes after what is added to it.
        x = clean[:, 0].astype(np.float64)
        size = float(ecg_size(clean[:, 0]))
        for i in sorted(chosen, reverse=True):
            x = RHYTHMS[names[i]](x, beats, size, self.fs, rng)
            if names[i] == "resynthesised":  # the beats are elsewhere now
                beats = beats[:0]
        result: Array = x[:, np.newaxis].astype(np.float32)
        return result


def ecg_size(x: Array) -> Array:
    """Distance between the 0.5th and the 99.5th percentile: about the height of the QRS, in mV.

    Sorting takes a tenth of the time of ``np.percentile``.

    Args:
        x: (..., time).

    Returns:
        (...).
    """
    ordered, last = np.sort(x), x.shape[-1] - 1

    def percentile(percent: float) -> Array:
        below, part = divmod(last * percent / 100, 1)
        low, high = (ordered[..., min(int(below) + i, last)] for i in (0, 1))
        value: Array = low + (high - low) * np.float32(part)
        return value

    return percentile(99.5) - percentile(0.5)


Signal = NDArray[np.float64]


def fibrillatory_waves(x: Signal, beats: Beats, size: float, fs: float, rng: Generator) -> Signal:
    """f waves of atrial fibrillation: 4 to 9 Hz with harmonics, of changing rate and height."""
    del beats
    phase = _phase(len(x), rng.uniform(4, 9), 0.1, fs, rng)
    wave = np.sin(phase)
    for harmonic, limit in ((2, 0.6), (3, 0.3)):
        wave = wave + rng.uniform(0, limit) * np.sin(harmonic * phase + rng.uniform(0, 2 * np.pi))
    height = size * _log_uniform(rng, 0.01, 0.15)
    return x + height * wave * (1 + 0.4 * _slow(len(x), 0.5, fs, rng))


def flutter_waves(x: Signal, beats: Beats, size: float, fs: float, rng: Generator) -> Signal:
    """Saw-tooth waves of atrial flutter, 3.3 to 6 Hz, of constant rate and height."""
    del beats
    phase = _phase(len(x), rng.uniform(3.3, 6), 0.005, fs, rng)
    return x + size * _log_uniform(rng, 0.03, 0.35) * _saw_tooth(phase, rng)


def dissociated_p_waves(x: Signal, beats: Beats, size: float, fs: float, rng: Generator) -> Signal:
    """P waves that do not keep to the QRS complexes, as in complete AV block."""
    del beats
    interval = 60 / rng.uniform(45, 150)
    sd, height = rng.uniform(0.014, 0.04), size * _log_uniform(rng, 0.03, 0.3)
    biphasic = rng.uniform(-1, 1) if rng.random() < 0.3 else 0.0
    sign = 1 if rng.random() < 0.8 else -1

    def shape(t: Signal) -> Signal:
        return sign * (_bump(t, sd) - biphasic * _bump(t - 2 * sd, sd))

    centres = _train_of(len(x) / fs, interval, rng.uniform(0, 0.04), rng)
    return x + height * _placed(len(x), centres, shape, 0.25, fs)


def ectopic_beats(x: Signal, beats: Beats, size: float, fs: float, rng: Generator) -> Signal:
    """Wide beats with a discordant T wave: single, every second or third, or in a run.

    The sinus beat under an ectopic beat is suppressed in most windows.
    """
    shape = _ectopic(rng)
    height = size * rng.uniform(0.3, 1.6) * rng.choice((1, -1))
    seconds = len(x) / fs
    pattern = rng.random()
    if pattern < 0.45 and len(beats) > 3:  # coupled to the sinus beats before them
        step = int(rng.choice((2, 2, 3, 4)))
        rr = float(np.median(np.diff(beats))) / fs
        coupling = rr * rng.uniform(0.45, 0.8)
        centres: Signal = beats[rng.integers(step) :: step] / fs + coupling
        centres = centres + rng.normal(0, 0.01, len(centres))
    elif pattern < 0.75:
        centres = _train_of(seconds, rng.uniform(0.8, 6), 0.3, rng)
    else:  # ventricular tachycardia
        rate = 60 / rng.uniform(100, 250)
        run = np.arange(int(rng.integers(3, 60))) * rate
        jitter = rng.normal(0, 0.02 * rate, len(run))
        centres = rng.uniform(-2, seconds - 1) + run + jitter
    heights = rng.normal(1, rng.choice((0.02, 0.15)), len(centres))
    added = _placed(len(x), centres, shape, 0.7, fs, heights)
    if rng.random() < 0.85:
        cover = _placed(len(x), centres, lambda t: _plateau(t, -0.15, 0.45, 0.04), 0.7, fs)
        x = x * (1 - np.clip(cover, 0, 1))
    result: Signal = x + height * added
    return result


def ventricular_fibrillation(
    x: Signal, beats: Beats, size: float, fs: float, rng: Generator
) -> Signal:
    """Chaotic waves of 3 to 8 Hz in place of the ECG, from some time on or all along."""
    del beats
    low = rng.uniform(2.5, 5)
    wave = _narrow_band(len(x), low, low + rng.uniform(1, 3.5), fs, rng)
    wave = wave * (1 + 0.5 * _slow(len(x), 0.4, fs, rng))
    return _replaced(x, size * _log_uniform(rng, 0.04, 0.4) * wave, fs, rng)


def ventricular_flutter(x: Signal, beats: Beats, size: float, fs: float, rng: Generator) -> Signal:
    """Large, nearly sinusoidal waves of 3 to 5 Hz in place of the ECG."""
    del beats
    phase = _phase(len(x), rng.uniform(2.8, 5.2), 0.02, fs, rng)
    wave = np.sin(phase) + rng.uniform(0, 0.4) * np.sin(2 * phase + rng.uniform(0, 2 * np.pi))
    return _replaced(x, size * rng.uniform(0.2, 0.8) * wave, fs, rng)


def st_shift(x: Signal, beats: Beats, size: float, fs: float, rng: Generator) -> Signal:
    """ST elevation or depression locked to the beats, steady or in an episode."""
    if len(beats) < 3:
        return x
    rr = float(np.median(np.diff(beats))) / fs
    onset = rng.uniform(0.03, 0.07)
    end = min(rng.uniform(0.18, 0.34), 0.55 * rr)
    slope = rng.uniform(-0.5, 0.5)

    def shape(t: Signal) -> Signal:
        inside = np.clip((t - onset) / max(end - onset, 0.02), 0, 1)
        return _plateau(t, onset, end, rng_edge) * (1 + slope * (inside - 0.5))

    rng_edge = rng.uniform(0.01, 0.04)
    height = size * _log_uniform(rng, 0.03, 0.5) * rng.choice((1, -1))
    added = _placed(len(x), beats / fs, shape, 0.6, fs)
    result: Signal = x + height * added * _episode(len(x), fs, rng)
    return result


def t_alternans(x: Signal, beats: Beats, size: float, fs: float, rng: Generator) -> Signal:
    """T waves of alternating height."""
    sd, delay = rng.uniform(0.03, 0.06), rng.uniform(0.2, 0.3)
    height = size * _log_uniform(rng, 0.02, 0.2) * rng.choice((1, -1))
    added = _placed(len(x), beats[::2] / fs + delay, lambda t: _bump(t, sd), 0.25, fs)
    result: Signal = x + height * added
    return result


def pause(x: Signal, beats: Beats, size: float, fs: float, rng: Generator) -> Signal:
    """No beat for two to eight seconds."""
    del beats, size
    t = np.arange(len(x)) / fs
    start = rng.uniform(0, t[-1])
    return x * (1 - _plateau(t, start, start + rng.uniform(2, 8), 0.05))


def narrow_beats(x: Signal, beats: Beats, size: float, fs: float, rng: Generator) -> Signal:
    """QRS complexes as narrow as in children: a sharp wave on each beat, or separate beats."""
    sd = rng.uniform(0.004, 0.012)
    height = size * rng.uniform(0.3, 1.2) * rng.choice((1, -1))
    own = len(beats) < 3 or rng.random() < 0.4
    times = _train_of(len(x) / fs, 60 / rng.uniform(60, 280), 0.02, rng) if own else beats / fs
    result: Signal = x + height * _placed(len(x), times, lambda t: _bump(t, sd), 0.1, fs)
    return result


def resynthesised(x: Signal, beats: Beats, size: float, fs: float, rng: Generator) -> Signal:
    """The window's own beats in another rhythm: fast, irregular with f waves, or AV block.

    A beat keeps its QRS; what is far from it is compressed or stretched by the root of the change
    in RR, as repolarisation follows rate less than in proportion.
    """
    if len(beats) < 4:
        return x
    kind = rng.choice(3, p=(0.5, 0.25, 0.25))
    rate = rng.uniform(*((120, 300), (60, 180), (25, 55))[kind])
    jitter = (rng.uniform(0, 0.06), rng.uniform(0.15, 0.35), rng.uniform(0, 0.03))[kind]
    times = _train_of(len(x) / fs, 60 / rate, jitter, rng)
    before = 0.07 if kind else 0.22  # without the P wave, unless it is sinus rhythm
    y = _beats_at(x, beats, times, before, fs, rng)
    if kind == 1:
        return fibrillatory_waves(y, beats, size, fs, rng)
    if kind == 2:
        return dissociated_p_waves(y, beats, size, fs, rng)
    return y


Rhythm = Callable[[Signal, Beats, float, float, Generator], Signal]

RHYTHMS: dict[str, Rhythm] = {
    f.__name__: f
    for f in (
        fibrillatory_waves,
        flutter_waves,
        dissociated_p_waves,
        ectopic_beats,
        ventricular_fibrillation,
        ventricular_flutter,
        st_shift,
        t_alternans,
        pause,
        narrow_beats,
        resynthesised,
    )
}
"""Each rhythm by its name: (signal in mV, R peaks, ECG size in mV, fs, generator) -> signal."""


def _beats_at(
    x: Signal, beats: Beats, times: Signal, before: float, fs: float, rng: Generator
) -> Signal:
    """Beats of ``x``, drawn at random, with their R peaks at ``times`` (s), on a flat line."""
    rr_old = float(np.median(np.diff(beats))) / fs
    whole = beats[(beats > rr_old * fs * 0.4) & (beats < len(x) - rr_old * fs * 0.7)]
    if not len(whole):
        return x
    some = whole[rng.integers(len(whole), size=min(len(whole), 4))]
    intervals = np.diff(times, append=2 * times[-1] - times[-2] if len(times) > 1 else times + 1)
    ratio = np.sqrt(np.clip(intervals / rr_old, 0.15, 2))
    source = some[rng.integers(len(some), size=len(times))]
    start, stop = -before, 0.6 * min(rr_old, 0.9)
    last = ((times + stop * ratio) * fs).astype(np.intp) + 1
    t, beat = _spans(np.ceil((times + start * ratio) * fs).astype(np.intp), last, len(x))
    offset, ratio_t = t / fs - times[beat], ratio[beat]
    near = 0.05 * np.minimum(ratio_t, 1)
    distance = np.abs(offset)
    old = np.where(distance < near, offset, np.sign(offset) * (near + (distance - near) / ratio_t))
    samples = np.arange(len(x))
    values = np.interp(source[beat] + old * fs, samples, x)
    left, right = (np.interp(source + edge * fs, samples, x) for edge in (start, stop))
    position = np.clip((old - start) / (stop - start), 0, 1)
    values -= left[beat] + (right - left)[beat] * position
    values *= _plateau(old, start + 0.02, stop - 0.04, 0.02)
    return _summed(t, values, len(x))


def _spans(
    first: NDArray[np.intp], last: NDArray[np.intp], length: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Samples of all spans first … last - 1 within a signal, and the number of each one's span."""
    first = np.clip(first, 0, length)
    count = np.clip(last, first, length) - first
    span = np.repeat(np.arange(len(first)), count)
    return np.arange(len(span)) - (np.cumsum(count) - count)[span] + first[span], span


def _ectopic(rng: Generator) -> Callable[[Signal], Signal]:
    """The shape of a ventricular beat about its peak, peak about 1, t in s."""
    first, second = rng.uniform(0.022, 0.06, 2)
    gap, depth = rng.uniform(0.06, 0.13), rng.uniform(-0.9, 0.6)
    delay, width, t_height = (
        rng.uniform(0.24, 0.36),
        rng.uniform(0.045, 0.09),
        rng.uniform(0.1, 0.6),
    )

    def shape(t: Signal) -> Signal:
        qrs = _bump(t, first) + depth * _bump(t - gap, second)
        st = -0.5 * t_height * rng_st * _plateau(t, 0.1, delay, 0.05)
        return qrs + st - t_height * _bump(t - delay, width)

    rng_st = rng.uniform(0, 1)
    return shape


def _placed(
    length: int,
    centres: Signal,
    shape: Callable[[Signal], Signal],
    reach: float,
    fs: float,
    heights: Signal | None = None,
) -> Signal:
    """The sum of ``shape`` (t in s) at each of ``centres`` (s), within ``reach`` (s) of them."""
    first, last = (((centres + side * reach) * fs).astype(np.intp) for side in (-1, 1))
    t, k = _spans(first, last + 1, length)
    values = shape(t / fs - centres[k])
    return _summed(t, values if heights is None else heights[k] * values, length)


def _summed(t: NDArray[np.intp], values: Signal, length: int) -> Signal:
    """A signal that is the sum of all values at each sample."""
    y: Signal = np.bincount(t, values, length).astype(np.float64, copy=False)
    return y


def _train_of(seconds: float, interval: float, jitter: float, rng: Generator) -> Signal:
    """Times of events about ``interval`` s apart that vary by ``jitter`` (a share of it)."""
    count = int(seconds / interval) + 3
    steps = interval * np.clip(rng.normal(1, jitter, count), 0.4, 2.5)
    times: Signal = np.cumsum(steps) - interval * rng.uniform(0, 2)
    return times[times < seconds + 0.5]


def _bump(t: Signal, sd: float) -> Signal:
    y: Signal = np.exp(-0.5 * (t / sd) ** 2)
    return y


def _plateau(t: Signal, start: float, stop: float, edge: float) -> Signal:
    """1 between ``start`` and ``stop``, 0 outside, with smooth edges."""
    y: Signal = _sigmoid((t - start) / edge) * _sigmoid((stop - t) / edge)
    return y


def _sigmoid(x: Signal) -> Signal:
    y: Signal = 0.5 * (1 + np.tanh(x))
    return y


def _saw_tooth(phase: Signal, rng: Generator) -> Signal:
    """A rounded saw-tooth, ascending or descending, of height about 1 from peak to peak."""
    sharpness = rng.uniform(0.8, 2)
    terms = [np.sin(k * phase + rng.uniform(-0.4, 0.4)) / k**sharpness for k in range(1, 6)]
    y: Signal = rng.choice((1, -1)) * np.sum(terms, axis=0)
    return y / np.ptp(y)


def _phase(length: int, frequency: float, modulation: float, fs: float, rng: Generator) -> Signal:
    """Phase of a wave whose frequency varies slowly by ``modulation`` (a share of it)."""
    speed = frequency * (1 + modulation * _slow(length, 0.8, fs, rng))
    phase: Signal = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.cumsum(speed) / fs
    return phase


def _slow(length: int, edge: float, fs: float, rng: Generator) -> Signal:
    """Random values of variance about 1 that change no faster than ``edge`` Hz."""
    knots = max(int(length / fs * edge * 2), 2)
    y: Signal = np.interp(
        np.linspace(0, knots - 1, length), np.arange(knots), rng.normal(size=knots)
    )
    return np.clip(y, -2, 2)


def _narrow_band(length: int, low: float, high: float, fs: float, rng: Generator) -> Signal:
    """Gaussian noise between two frequencies in Hz, of standard deviation 1."""
    frequency = np.fft.rfftfreq(length, 1 / fs)
    inside = (frequency >= low) & (frequency <= high)
    spectrum = inside * (rng.normal(size=len(inside)) + 1j * rng.normal(size=len(inside)))
    y: Signal = np.fft.irfft(spectrum, length)
    return y / max(float(y.std()), 1e-9)


def _replaced(x: Signal, wave: Signal, fs: float, rng: Generator) -> Signal:
    """``wave`` in place of ``x``: all along, or from some time on."""
    if rng.random() < 0.5:
        return wave
    t = np.arange(len(x)) / fs
    share = _sigmoid((t - rng.uniform(0, t[-1])) / 0.2)
    return x * (1 - share) + wave * share


def _episode(length: int, fs: float, rng: Generator) -> Signal:
    """1 all along, or from a random time to another with edges of one to five seconds."""
    if rng.random() < 0.6:
        return np.ones(length)
    t = np.arange(length) / fs
    start, stop = np.sort(rng.uniform(-5, t[-1] + 5, 2))
    return _plateau(t, float(start), float(stop), rng.uniform(0.3, 2))


def _log_uniform(rng: Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))

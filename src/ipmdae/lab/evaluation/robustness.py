"""Protocol robustness: other recorders, bad contacts, other noise.

Each condition takes a test segment of protocol clinic,
with the mixture of all three kinds of noise at :data:`SNR` dB, and changes one thing. Samples of a
lost contact are not scored. A method is applied as in the package, with its way of dealing with
missing samples, but for the output in unreadable segments, which is the network's own. A rate at
which it does not work has no score.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from ipmdae.engine import model_names
from ipmdae.lab.evaluation import candidates, metrics, pages
from ipmdae.lab.evaluation.benchmarks import PieceBenchmark, of_piece
from ipmdae.lab.evaluation.candidates import Candidate
from ipmdae.lab.evaluation.intervals import NOWHERE, Interval, over_records
from ipmdae.lab.evaluation.pages import estimate, grid
from ipmdae.lab.evaluation.results import Array, Result, anchor_of, load_all
from ipmdae.lab.protocols.clinic_test import CONDITIONS as NOISES
from ipmdae.lab.protocols.clinic_test import FS, MIXTURE, SCORED, Piece, add_noise
from ipmdae.methods import Classical
from ipmdae.pipeline.resample import resample
from ipmdae.recording import Recording

MEASURES = ("snr_improvement", "snr")

CLASSICAL = ("none", "iir", "butterworth-0.5-40", "kalman", "wavelet", "neurokit")
"""Methods to compare with: the identity baseline, and classical methods that need no training."""

SNR = 5.0
"""dB, of the mixture and of the synthetic noise that stands in for it."""

RATES = (125.0, 200.0, 360.0, 500.0, 1000.0)  # Hz

GAINS = (0.1, 10.0)

LOST = (13.5, 16.5)
"""Seconds of a segment in which the contact is lost."""

CLIPPED = 1.0
"""Percent of the samples that lie beyond each end of the recorder's range."""

HUM = 0.1
"""Amplitude of the mains in mV."""

_EVERY = 2.0  # s between two events of synthetic noise, on average

_DECAY = (0.1, 1.0)  # s

_BURST, _BAND = (0.5, 3.0), (1.0, 10.0)  # s, Hz


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A lead to clean, and what should come out.

    Attributes:
        fs: sampling rate in Hz.
        noisy: (time,); NaN is a missing sample.
        clean: (time,), at the same rate and scale.
        scored: (time,), which samples are.
    """

    fs: float
    noisy: Array
    clean: Array
    scored: NDArray[np.bool_]


def case(piece: Piece, condition: str) -> Case:
    """Modify a segment by one of :data:`CONDITIONS`, with a random seed that depends on it only."""
    noisy = piece.noisy()[NOISES.index((MIXTURE, SNR))]
    rng = np.random.default_rng((piece.number, list(CONDITIONS).index(condition)))
    return CONDITIONS[condition](piece.clean, noisy, rng)


def _as_it_is(clean: Array, noisy: Array, rng: np.random.Generator) -> Case:
    return Case(fs=FS, noisy=noisy, clean=clean, scored=_middle(len(clean), FS))


def _at_rate(fs: float, clean: Array, noisy: Array, rng: np.random.Generator) -> Case:
    x, y = (resample(part, FS, fs) for part in (clean, noisy))
    return Case(fs=fs, noisy=y, clean=x, scored=_middle(len(x), fs))


def _scaled(gain: float, clean: Array, noisy: Array, rng: np.random.Generator) -> Case:
    return _as_it_is(gain * clean, gain * noisy, rng)


def _missing(clean: Array, noisy: Array, rng: np.random.Generator) -> Case:
    return _without_contact(clean, noisy, np.nan)


def _flat(clean: Array, noisy: Array, rng: np.random.Generator) -> Case:
    return _without_contact(clean, noisy, float(noisy.max()))


def _without_contact(clean: Array, noisy: Array, value: float) -> Case:
    lost = slice(*(round(second * FS) for second in LOST))
    noisy, scored = noisy.copy(), _middle(len(clean), FS)
    noisy[lost], scored[lost] = value, False
    return Case(fs=FS, noisy=noisy, clean=clean, scored=scored)


def _saturated(clean: Array, noisy: Array, rng: np.random.Generator) -> Case:
    low, high = np.percentile(noisy, (CLIPPED, 100 - CLIPPED))
    return _as_it_is(clean, np.clip(noisy, low, high), rng)


def _with_mains(frequency: float, clean: Array, noisy: Array, rng: np.random.Generator) -> Case:
    phase = 2 * np.pi * (frequency * np.arange(len(clean)) / FS + rng.random())
    return _as_it_is(clean, noisy + HUM * np.sin(phase), rng)


def _with_steps(clean: Array, noisy: Array, rng: np.random.Generator) -> Case:
    """Steps of the electrode's potential that fade exponentially."""
    noise, time = np.zeros(len(clean)), np.arange(len(clean)) / FS
    for start in _events(time[-1], rng):
        height = rng.choice((-1, 1)) * rng.uniform(0.3, 1)
        after = time >= start
        noise[after] += height * np.exp((start - time[after]) / rng.uniform(*_DECAY))
    return _as_it_is(clean, add_noise(clean, noise, SNR), rng)


def _with_bursts(clean: Array, noisy: Array, rng: np.random.Generator) -> Case:
    """Bursts of noise in the band of the P and T waves, as of a shaken cable."""
    time, envelope = np.arange(len(clean)) / FS, np.zeros(len(clean))
    for start in _events(time[-1], rng):
        share = (time - start) / rng.uniform(*_BURST)
        inside = (share >= 0) & (share < 1)
        envelope[inside] += rng.uniform(0.3, 1) * np.sin(np.pi * share[inside]) ** 2
    sections = butter(2, _BAND, "bandpass", fs=FS, output="sos")
    noise = envelope * sosfiltfilt(sections, rng.standard_normal(len(clean)))
    return _as_it_is(clean, add_noise(clean, noise, SNR), rng)


def _events(seconds: float, rng: np.random.Generator) -> Array:
    """Times at which something happens, at least once."""
    return rng.uniform(0, seconds, 1 + rng.poisson(seconds / _EVERY))


def _middle(samples: int, fs: float) -> NDArray[np.bool_]:
    time = np.arange(samples) / fs
    return (time >= SCORED[0]) & (time < SCORED[1])


AS_IT_IS = "as it is"

CONDITIONS: dict[str, Callable[[Array, Array, np.random.Generator], Case]] = {
    AS_IT_IS: _as_it_is,
    **{f"{fs:g} Hz": partial(_at_rate, fs) for fs in RATES},
    **{f"gain {gain:g}": partial(_scaled, gain) for gain in GAINS},
    "inverted": partial(_scaled, -1.0),
    "contact missing": _missing,
    "contact flat": _flat,
    "saturated": _saturated,
    **{f"mains {mains:g} Hz": partial(_with_mains, mains) for mains in (50.0, 60.0)},
    "steps": _with_steps,
    "bursts": _with_bursts,
}
"""Modifications by name; ``steps`` and ``bursts`` replace the mixture."""


@dataclass(frozen=True)
class RobustnessBenchmark(PieceBenchmark):
    """A few segments under many conditions.

    See :class:`ipmdae.lab.evaluation.benchmarks.Benchmark`.
    """

    most = 3

    @property
    def methods(self) -> list[str]:
        """Some classical methods and the models that ship; any other can be named."""
        return [*CLASSICAL, *model_names()]

    def scorer(self, candidate: Candidate) -> Callable[[Piece], pd.DataFrame]:
        """Create a function that measures a segment under all conditions."""
        return partial(_score, candidate)

    def diverged(self, scores: pd.DataFrame) -> bool:
        """True if the method gave no finite signal for the unmodified segment."""
        return bool(np.isnan(scores[MEASURES[0]].iloc[0]))

    def summary(self, result: Result) -> str:
        """Mean improvement of the SNR as it is, and the least under any condition."""
        condition, gain = result["condition"], result["snr_improvement"]
        means = {name: float(gain[condition == name].mean()) for name in CONDITIONS}
        worst = min(means, key=lambda name: np.nan_to_num(means[name], nan=np.inf))
        return (
            f"SNR improvement {means[AS_IT_IS]:.2f} dB, at the least {means[worst]:.2f} ({worst})"
        )


def _score(candidate: Candidate, piece: Piece) -> pd.DataFrame:
    """A segment's :data:`MEASURES` under all conditions."""
    cases = [case(piece, condition) for condition in CONDITIONS]
    measured = np.stack([measure(part, clean(candidate, part)) for part in cases], axis=1)
    return of_piece(
        piece,
        {"condition": list(CONDITIONS), **dict(zip(MEASURES, measured, strict=True))},
    )


def clean(candidate: Candidate, part: Case) -> Array:
    """Clean a lead with missing samples; (time,), all NaN where a method cannot at that rate."""
    if candidate.file is not None:
        return candidate.clean(part.noisy, part.fs)
    method = Classical(candidate.name, _Lead(candidate))
    try:
        cleaned = method.clean(Recording.from_array(part.noisy, part.fs))
    except ValueError:
        return np.full_like(part.noisy, np.nan)
    return cleaned.recording.signal[:, 0]


def measure(part: Case, cleaned: Array) -> Array:
    """SNR improvement and SNR in dB over what is scored, of signals less their mean, (2,)."""
    x, z, y = (
        signal[np.newaxis, part.scored, np.newaxis] for signal in (part.clean, part.noisy, cleaned)
    )
    return np.concatenate(
        [
            metrics.snr_improvement(x, z, y, centred=True),
            metrics.snr(x, y, centred=True),
        ]
    )


@dataclass(frozen=True)
class _Lead:
    """A candidate as a method for single leads."""

    candidate: Candidate

    def denoise(self, x: Array, fs: float) -> Array:
        return self.candidate.clean(x, fs)


def write(results: Path, output: Path, *, against: str | None = None) -> list[Path]:
    """Write ``robustness.md``; see :class:`ipmdae.lab.evaluation.benchmarks.Reporter`.

    Raises:
        ValueError: nothing is stored of the method ``against``.
    """
    stored = load_all(results / "robustness", [*CLASSICAL, *model_names()])
    if not stored:
        return []
    candidates.warn_of_outdated(stored)
    anchor = anchor_of(stored, against, _best_model(stored))
    return [pages.write(markdown(stored, anchor), output / "robustness.md")]


def markdown(results: Sequence[Result], anchor: Result | None) -> str:
    """Format all tables as Markdown, with differences to ``anchor`` if given."""
    others = [result for result in results if result is not anchor]
    against = anchor if others else None

    def by_condition(
        of: Callable[[Result, str], Interval], columns: Sequence[Result], skipped: str = ""
    ) -> str:
        rows = {name: name for name in CONDITIONS if name != skipped}
        titles = {result.title("segments"): result for result in columns}
        return grid("condition", rows, titles, lambda name, result: estimate(of(result, name), 2))

    return pages.render(
        "robustness.md.j2",
        snr=f"{SNR:g}",
        lost=f"{LOST[1] - LOST[0]:g}",
        clipped=(f"{CLIPPED:g}", f"{100 - CLIPPED:g}"),
        hum=f"{HUM:g}",
        partial=any(result.done < result.total for result in results),
        improvement=by_condition(improvement, results),
        loss=by_condition(loss, results, skipped=AS_IT_IS),
        anchor=against and against.method,
        difference=against and by_condition(partial(_difference, against), others),
    )


def improvement(result: Result, condition: str) -> Interval:
    """Mean SNR improvement under a condition, dB."""
    rows = result.where(condition=condition)
    return _mean(rows["snr_improvement"].to_numpy(), rows["record"].to_numpy())


def loss(result: Result, condition: str) -> Interval:
    """Decrease of the output SNR under a condition relative to the unmodified segments, dB."""
    rows, usual = (result.where(condition=name) for name in (condition, AS_IT_IS))
    lost = usual["snr"].to_numpy() - rows["snr"].to_numpy()
    return _mean(lost, rows["record"].to_numpy())


def difference(result: Result, other: Result, condition: str) -> Interval:
    """Output SNR less that of another method on the same signals, dB."""
    return _mean(*result.less(other, "snr", condition=condition))


def _mean(values: Array, records: NDArray[np.str_]) -> Interval:
    """Mean of the records' means; NaN if the method failed on a segment."""
    if np.isnan(values).any():
        return NOWHERE
    return over_records(values, records)


def _difference(other: Result, result: Result, condition: str) -> Interval:
    return difference(result, other, condition)


def _best_model(results: Sequence[Result]) -> str:
    """Shipped model with the highest mean gain without modification; empty if none was run."""
    gains = {
        result.method: improvement(result, AS_IT_IS).mean
        for result in results
        if result.method in model_names() and not result.diverged
    }
    return max(gains, key=gains.__getitem__, default="")

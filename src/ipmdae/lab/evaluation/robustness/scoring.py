"""Segments of protocol clinic under conditions that training did not have, cleaned and scored.

A method is used as a user uses it (:func:`ipmdae.methods.open_method`), with its ways of dealing
with missing samples; a rate at which it does not work has no score.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from ipmdae.engine import model_names
from ipmdae.lab.evaluation import metrics
from ipmdae.lab.evaluation.benchmark import Array, Result
from ipmdae.lab.evaluation.robustness.conditions import AS_IT_IS, CONDITIONS, Case, case
from ipmdae.lab.evaluation.subject_benchmark import PieceBenchmark, Scores, of_piece
from ipmdae.lab.evaluation.subjects import Subject
from ipmdae.lab.protocols.clinic_test import Piece
from ipmdae.methods import Classical
from ipmdae.recording import Recording

MEASURES = ("snr_improvement", "snr")

CLASSICAL = ("none", "iir", "wavelet", "neurokit")
"""Methods to compare with: the identity baseline, and the best of each kind in protocol clinic."""


@dataclass(frozen=True)
class RobustnessBenchmark(PieceBenchmark):
    """A few segments under many conditions.

    See :class:`ipmdae.lab.evaluation.benchmark.Benchmark`.
    """

    most = 3

    @property
    def methods(self) -> list[str]:
        """Some classical methods and the models that ship; any other can be named."""
        return [*CLASSICAL, *model_names()]

    def scorer(self, subject: Subject) -> Callable[[Piece], Scores]:
        """Create a function that measures a segment under all conditions."""
        return partial(_score, subject)

    def summary(self, result: Result) -> str:
        """Mean improvement of the SNR as it is, and the least under any condition."""
        condition, gain = result.labels["condition"], result.values["snr_improvement"]
        means = {name: float(gain[condition == name].mean()) for name in CONDITIONS}
        worst = min(means, key=lambda name: np.nan_to_num(means[name], nan=np.inf))
        return (
            f"SNR improvement {means[AS_IT_IS]:.2f} dB, at the least {means[worst]:.2f} ({worst})"
        )


def _score(subject: Subject, piece: Piece) -> Scores:
    """A segment's :data:`MEASURES` under all conditions."""
    cases = [case(piece, condition) for condition in CONDITIONS]
    measured = np.stack([measure(part, clean(subject, part)) for part in cases], axis=1)
    return of_piece(
        piece,
        labels={"condition": np.array(list(CONDITIONS))},
        values=dict(zip(MEASURES, measured, strict=True)),
        diverged=bool(np.isnan(measured[0, 0])),
    )


def clean(subject: Subject, part: Case) -> Array:
    """Clean a lead with missing samples; (time,), all NaN where a method cannot at that rate."""
    if subject.file is not None:
        return subject.clean(part.noisy, part.fs)
    method = Classical(subject.name, _Lead(subject))
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
    """A subject as a rival."""

    subject: Subject

    def denoise(self, x: Array, fs: float) -> Array:
        return self.subject.clean(x, fs)

"""Pieces of protocol clinic under conditions that no training knew, cleaned and scored.

A method is used as a user uses it (:func:`ipmdae.methods.open_method`), with its ways of dealing
with missing samples; a rate at which it does not work has no score.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from ipmdae.engine import model_names
from ipmdae.evaluation import metrics
from ipmdae.evaluation.benchmark import Array, Mapper, Result, spread
from ipmdae.evaluation.robustness.conditions import AS_IT_IS, CONDITIONS, Case, case
from ipmdae.evaluation.subject_benchmark import SubjectBenchmark
from ipmdae.evaluation.subjects import Subject
from ipmdae.methods import Classical
from ipmdae.protocols.clinic_test import PIECES, Piece
from ipmdae.recording import Recording

MEASURES = ("snr_improvement", "snr")

CLASSICAL = ("none", "iir", "wavelet", "neurokit")
"""What the models are compared with: nothing, and the best of each kind in protocol clinic."""

_PIECES = 3


@dataclass(frozen=True)
class RobustnessBenchmark(SubjectBenchmark):
    """A few pieces under many conditions; see :class:`ipmdae.evaluation.benchmark.Benchmark`."""

    unit = "pieces"

    @property
    def methods(self) -> list[str]:
        """Some classical methods and the models that ship; any other can be named."""
        return [*CLASSICAL, *model_names()]

    def size(self, part: int | None) -> int:
        """Pieces of all leads."""
        return len(self.test) // PIECES * min(part or _PIECES, _PIECES)

    def run(
        self,
        method: str,
        *,
        part: int | None = None,
        mapper: Mapper = map,
        done: Callable[[int], None] = lambda pieces: None,
    ) -> Result:
        """Clean the pieces under all conditions and score them; an item is a signal.

        Args:
            method: name of a classical method or of a model, or a model file.
            part: how many pieces of each lead, evenly spread; by default all three.
            mapper: what applies a function to pieces.
            done: called with the number of pieces whenever some more are done.
        """
        subject = self.subject(method)
        pieces = list(self.test.pieces(spread(PIECES, min(part or _PIECES, _PIECES))))
        scores: list[Array] = []
        for score in mapper(partial(_scores, subject), pieces):
            scores.append(score)
            done(1)
        each = len(CONDITIONS)
        values = np.concatenate(scores, axis=1)
        return Result(
            method=subject.name,
            version=subject.version,
            network=subject.network,
            total=self.size(None),
            done=len(pieces),
            diverged=sum(bool(np.isnan(score[0, 0])) for score in scores),
            item=np.concatenate([piece.number * each + np.arange(each) for piece in pieces]),
            record=np.repeat([piece.record for piece in pieces], each),
            labels={"condition": np.tile(list(CONDITIONS), len(pieces))},
            values=dict(zip(MEASURES, values, strict=True)),
        )

    def summary(self, result: Result) -> str:
        """Mean improvement of the SNR as it is, and the least under any condition."""
        condition, gain = result.labels["condition"], result.values["snr_improvement"]
        means = {name: float(gain[condition == name].mean()) for name in CONDITIONS}
        worst = min(means, key=lambda name: np.nan_to_num(means[name], nan=np.inf))
        return (
            f"SNR improvement {means[AS_IT_IS]:.2f} dB, at the least {means[worst]:.2f} ({worst})"
        )


def _scores(subject: Subject, piece: Piece) -> Array:
    """A piece's :data:`MEASURES` under all conditions, (measures, conditions)."""
    cases = [case(piece, condition) for condition in CONDITIONS]
    return np.stack([measure(part, clean(subject, part)) for part in cases], axis=1)


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

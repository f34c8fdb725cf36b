"""The beats of protocol P2 cleaned by a method, scored one by one, and stored.

A result is one file a method. It holds everything that tables and figures need, so that they can
be made again without the databases and without the method.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ipmdae import rivals
from ipmdae.evaluation import metrics
from ipmdae.files import replacing
from ipmdae.protocols.deepfilter import VERSIONS, DeepFilter, NoisyBeats

Array = NDArray[np.float64]

#: What is scored, in the order of the published table and then ours.
MEASURES = (
    "ssd",
    "mad",
    "prd_deepfilter",
    "cosine",
    "prd",
    "snr_improvement",
    "cosine_centred",
    "rmse",
)

_CHUNK = 128
_EXAMPLE_FACTORS = (0.3, 0.8, 1.25, 1.75)


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Some beats as they were, with noise and cleaned.

    Attributes:
        factor: noise factor, (examples,).
        clean, noisy, cleaned: (examples, 512) in mV.
    """

    factor: Array
    clean: Array
    noisy: Array
    cleaned: Array


@dataclass(frozen=True, kw_only=True)
class Result:
    """Scores of one method, one value a beat, the versions of the protocol one after the other.

    Attributes:
        method: its name.
        total: how many beats the test has; less are scored where only a part was asked for.
        beat: which of them are scored, int64.
        record: name of the record of each beat.
        factor: noise factor of each beat.
        values: for each of :data:`MEASURES` (beats,), NaN where the method gave no finite signal.
        examples: beats for a figure.
    """

    method: str
    total: int
    beat: NDArray[np.int64]
    record: NDArray[np.str_]
    factor: Array
    values: dict[str, Array]
    examples: Examples

    def __len__(self) -> int:
        return len(self.factor)

    @property
    def diverged(self) -> int:
        """On how many beats the method gave no finite signal."""
        return int(np.isnan(self.values["ssd"]).sum())


class Mapper(Protocol):
    """``map``, or that of a pool of processes: results in the order of the items."""

    def __call__(
        self, function: Callable[[Any], Any], items: Iterable[Any], /
    ) -> Iterator[Any]: ...


def run(
    protocol: DeepFilter,
    method: str,
    *,
    beats: int | None = None,
    mapper: Mapper = map,
    done: Callable[[int], None] = lambda beats: None,
) -> Result:
    """Clean the test beats of both versions and score them.

    A method that learns is fitted for each version on its training beats. Beats are cleaned one by
    one, in chunks that do not depend on the number of processes behind ``mapper``.

    Args:
        protocol: where the beats come from.
        method: name of a rival.
        beats: how many beats of each version, evenly spread; by default all.
        mapper: what applies a function to chunks of beats.
        done: called with the number of beats whenever some more are done.
    """
    rival = rivals.get(method)
    numbers, records, factors, scores, total = [], [], [], [], 0
    examples = None
    for version in VERSIONS:
        if isinstance(rival, rivals.Learner):
            training = protocol.noisy_beats("train", version, fresh=rival.fresh_noise)
            rival.fit(training.noisy, training.clean, protocol.fs)
        test = protocol.noisy_beats("test", version)
        chosen = _spread(len(test), beats)
        chunks = np.split(test.noisy[chosen], range(_CHUNK, len(chosen), _CHUNK))
        cleaned = []
        for chunk in mapper(partial(_clean, rival, protocol.fs), chunks):
            cleaned.append(chunk)
            done(len(chunk))
        if examples is None:
            examples = _examples(rival, test, protocol.fs)
        scores.append(_score(test, chosen, np.concatenate(cleaned)))
        numbers.append(total + chosen)
        records.append(test.record[chosen])
        factors.append(test.factor[chosen])
        total += len(test)
    assert examples is not None
    return Result(
        method=method,
        total=total,
        beat=np.concatenate(numbers),
        record=np.concatenate(records),
        factor=np.concatenate(factors),
        values={name: np.concatenate([score[name] for score in scores]) for name in MEASURES},
        examples=examples,
    )


def save(result: Result, path: Path) -> None:
    """Write a result; the file appears when it is complete."""
    arrays: dict[str, Any] = {
        "method": result.method,
        "total": result.total,
        "beat": result.beat,
        "record": result.record,
        "factor": result.factor,
        **result.values,
        **{f"example_{name}": value for name, value in vars(result.examples).items()},
    }
    with replacing(path) as aside:
        np.savez_compressed(aside, **arrays)


def load(path: Path) -> Result:
    """Read a result that :func:`save` wrote.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no such file.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return Result(
                method=str(stored["method"]),
                total=int(stored["total"]),
                beat=stored["beat"],
                record=stored["record"],
                factor=stored["factor"],
                values={name: stored[name] for name in MEASURES},
                examples=Examples(
                    factor=stored["example_factor"],
                    clean=stored["example_clean"],
                    noisy=stored["example_noisy"],
                    cleaned=stored["example_cleaned"],
                ),
            )
    except (KeyError, ValueError, BadZipFile) as error:
        raise ValueError(f"{path} is no stored result ({error}); run it with --force") from error


def _clean(rival: rivals.Rival, fs: float, noisy: Array) -> Array:
    """Clean beats (beats, 512) one by one; a beat whose result is not finite becomes NaN."""
    with np.errstate(all="ignore"):
        cleaned = np.stack([rival.denoise(beat, fs) for beat in noisy])
    cleaned[~np.isfinite(cleaned).all(axis=1)] = np.nan
    return cleaned


def _score(test: NoisyBeats, chosen: NDArray[np.int64], cleaned: Array) -> dict[str, Array]:
    x, noisy, y = (
        beats[..., np.newaxis] for beats in (test.clean[chosen], test.noisy[chosen], cleaned)
    )
    return {
        "ssd": metrics.ssd(x, y),
        "mad": metrics.mad(x, y),
        "prd_deepfilter": metrics.prd_deepfilter(x, y, float(test.clean.mean())),
        "cosine": metrics.cosine_similarity(x, y),
        "prd": metrics.prd(x, y),
        "snr_improvement": metrics.snr_improvement(x, noisy, y),
        "cosine_centred": metrics.cosine_similarity(x, y, centred=True),
        "rmse": metrics.rmse(x, y),
    }


def _examples(rival: rivals.Rival, test: NoisyBeats, fs: float) -> Examples:
    """Beats of the first record: for each factor of the figure the first that is nearest."""
    factors = test.factor[test.record == test.record[0]]
    shown = [int(np.abs(factors - wanted).argmin()) for wanted in _EXAMPLE_FACTORS]
    return Examples(
        factor=test.factor[shown],
        clean=test.clean[shown],
        noisy=test.noisy[shown],
        cleaned=_clean(rival, fs, test.noisy[shown]),
    )


def _spread(total: int, wanted: int | None) -> NDArray[np.int64]:
    """Indices of ``wanted`` of ``total`` beats, evenly spread."""
    count = total if wanted is None else min(wanted, total)
    return np.rint(np.linspace(0, total - 1, count)).astype(np.int64)

"""Training pairs of protocol deepfilter: one model for each version of the noise.

The published protocol has no validation set; works that use it hold back random training beats,
although neighbouring beats and the same segments of noise are trained on. Here whole patients of
the training records validate, with the noise of the other version's training: the first half of the
other channel, which the test noise repeats (:mod:`ipmdae.lab.data.nstdb`). The epoch is therefore
selected on noise of the test, on other patients. Training uses the published pairs, these pairs
transformed anew in each epoch, or beats and noise that are drawn anew in each epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.lab.data import splits
from ipmdae.lab.data.augment import POLARITIES
from ipmdae.lab.protocols import Pair, Pairs
from ipmdae.lab.protocols.deepfilter import (
    FACTORS,
    FS,
    PADDING,
    WINDOW,
    Beats,
    DeepFilter,
    Version,
    add_noise,
)

Array = NDArray[np.float64]

_LEAST = 0.05  # mV, peak to peak: smaller beats are not trained on


@dataclass(frozen=True, kw_only=True)
class DeepFilterTraining:
    """The training side of the protocol; beats and noise are read on first use.

    Attributes:
        qtdb_folder: folder of the QT Database's records.
        nstdb_folder: folder of the noise database's records.
        version: of the noise, 1 or 2.
        seed: of all random draws.
        augmented: draw transformed published pairs, not other beats and noise.
    """

    qtdb_folder: Path | str
    nstdb_folder: Path | str
    version: Version = 1
    seed: int = 0
    augmented: bool = False

    name = "deepfilter"
    fs = FS
    leads = 1
    window = WINDOW

    def __post_init__(self) -> None:
        if self.version not in (1, 2):
            raise ValueError(f"the noise has versions 1 and 2, not {self.version}")

    @cached_property
    def records(self) -> tuple[list[str], list[str]]:
        """Names of the training and of the validation records that are in the folder.

        Raises:
            DatasetNotFoundError: there is no QT Database in the folder.
            ValueError: the folder has no record for one of the sides.
        """
        held_back = set(splits.load(self.name, "validation"))
        present = self._published.records["train"]
        training = [name for name in present if name not in held_back]
        validation = [name for name in present if name in held_back]
        if not training or not validation:
            raise ValueError(
                f"{self.qtdb_folder} has {len(training)} training and {len(validation)} "
                f"validation records of protocol {self.name}; both must be there"
            )
        return training, validation

    def training(self, *, fresh: bool) -> Pairs:
        """The published training pairs, or others in each epoch."""
        published = self._published_pairs(0, self.version)
        if not fresh:
            return published
        if self.augmented:
            return AugmentedPairs(published, self.seed)
        return FreshPairs(
            clean=self._beats.clean,
            other_lead=self._published.beats("train", 1).clean,
            number=self._numbers(0),
            noise=self._published.noise("train", self.version),
            seed=self.seed,
        )

    def validation(self) -> Pairs:
        """Validation pairs: other patients, other noise, the published factors."""
        return self._published_pairs(1, 2 if self.version == 1 else 1)

    def _published_pairs(self, side: int, noise: Version) -> PublishedPairs:
        return PublishedPairs(
            clean=self._beats.clean,
            factor=self._published.factors["train"],
            number=self._numbers(side),
            noise=self._published.noise("train", noise),
        )

    def _numbers(self, side: int) -> NDArray[np.intp]:
        """Indices of the published training beats of the records of a side, (pairs,)."""
        return np.flatnonzero(np.isin(self._beats.record, self.records[side]))

    @cached_property
    def _beats(self) -> Beats:
        return self._published.beats("train")

    @cached_property
    def _published(self) -> DeepFilter:
        return DeepFilter(qtdb_folder=self.qtdb_folder, nstdb_folder=self.nstdb_folder)


@dataclass(frozen=True, kw_only=True)
class PublishedPairs:
    """Beats with their published segment of noise, (512, 1) each, in mV; the same in each epoch.

    Attributes:
        clean: all published training beats, (beats, 512) in mV.
        factor: published noise factor of each of them.
        number: index of these pairs; it also selects the segment of noise.
        noise: (time,), of any scale.
    """

    clean: Array
    factor: Array
    number: NDArray[np.intp]
    noise: Array

    def __len__(self) -> int:
        return len(self.number)

    def draw(self, index: int, epoch: int = 0) -> Pair:
        beat = self.number[index]
        start = beat % (len(self.noise) // WINDOW) * WINDOW
        return _pair(self.clean[beat], self.noise[start : start + WINDOW], self.factor[beat])


@dataclass(frozen=True)
class AugmentedPairs:
    """Published pairs, (512, 1) each, in mV, transformed anew in each epoch.

    Beat and noise together are turned upside down half of the time, and stretched in time by up to
    a third; where the noise ends, it is reflected. Half of the noisy beats get a synthetic baseline
    wander: three cosines of at most 1 Hz, together at most as large as the beat. The published
    noise is all the noise there is, and no segment of it comes with another beat than its own.

    Attributes:
        published: the pairs.
        seed: seed of all random draws.
    """

    published: PublishedPairs
    seed: int

    def __len__(self) -> int:
        return len(self.published)

    def draw(self, index: int, epoch: int = 0) -> Pair:
        rng = np.random.default_rng((self.seed, epoch, index))
        noisy, clean = (side[:, 0].astype(np.float64) for side in self.published.draw(index))
        noise = noisy - clean
        place = PADDING + (np.arange(WINDOW) - PADDING) * np.exp(rng.uniform(-0.3, 0.3))
        samples, last = np.arange(WINDOW), WINDOW - 1
        sign = rng.choice((1.0, -1.0))
        clean = sign * np.interp(place, samples, clean, left=0, right=0)
        noise = sign * np.interp(last - np.abs(last - np.abs(place)), samples, noise)
        if rng.random() < 0.5:
            noise += np.ptp(clean) * _synthetic_wander(rng)
        pair = ((clean + noise)[:, np.newaxis], clean[:, np.newaxis])
        return pair[0].astype(np.float32), pair[1].astype(np.float32)


def _synthetic_wander(rng: np.random.Generator) -> Array:
    """Three cosines of random frequency, phase and amplitude, together at most 1, (512,)."""
    frequency, phase = rng.uniform(0, 1, (3, 1)), rng.uniform(0, 2 * np.pi, (3, 1))
    angle = 2 * np.pi * frequency * np.arange(WINDOW) / FS + phase
    wander: Array = (rng.uniform(0, 1 / 3, (3, 1)) * np.cos(angle)).sum(axis=0)
    return wander


@dataclass(frozen=True, kw_only=True)
class FreshPairs:
    """Beats with baseline wander, (512, 1) each, in mV, that are drawn anew in each epoch.

    Random are the noise (position, direction, sign, mixture, factor) and the beat (projection,
    polarity, tempo).

    Attributes:
        clean: all published training beats, (beats, 512) in mV.
        other_lead: the same beats in the record's other lead.
        number: index of these pairs.
        noise: (time,), of any scale.
        seed: seed of all random draws.
    """

    clean: Array
    other_lead: Array
    number: NDArray[np.intp]
    noise: Array
    seed: int

    def __len__(self) -> int:
        return len(self.number)

    def draw(self, index: int, epoch: int = 0) -> Pair:
        rng = np.random.default_rng((self.seed, epoch, index))
        noise, factor = self._mixture(rng), rng.integers(*FACTORS) / 100
        return _pair(self._turned(int(self.number[index]), rng), noise, factor)

    def _turned(self, beat: int, rng: np.random.Generator) -> Array:
        """Augment a beat by random lead projection, polarity and tempo, (512,).

        Half of the draws have a random polarity, the others a random projection in the plane of the
        two leads, since patients and shapes of beats are few. Half of the beats are stretched by up
        to a third, as far as the window permits.
        """
        drawn: Array = rng.choice(POLARITIES) * self.clean[beat]
        if rng.random() < 0.5:
            angle = rng.uniform(0, 2 * np.pi)
            mixed = np.cos(angle) * self.clean[beat] + np.sin(angle) * self.other_lead[beat]
            drawn = mixed if np.ptp(mixed) > _LEAST else drawn
        if rng.random() < 0.5:
            length = WINDOW - PADDING - int(np.argmax(drawn[::-1] != 0))
            tempo = max(np.exp(rng.uniform(-0.3, 0.3)), length / (WINDOW - PADDING))
            position = np.arange(WINDOW - PADDING) * tempo
            beat_alone = np.append(drawn[PADDING:], 0)
            drawn[PADDING:] = np.interp(position, np.arange(len(beat_alone)), beat_alone)
        return drawn

    def _mixture(self, rng: np.random.Generator) -> Array:
        """A segment from a random position, half of the time mixed with another one, (512,)."""
        share = rng.random() if rng.random() < 0.5 else 0.0
        return (1 - share) * self._piece(rng) + share * self._piece(rng)

    def _piece(self, rng: np.random.Generator) -> Array:
        """Flip sign and direction at random, and scale to a peak-to-peak value of one."""
        start = int(rng.integers(len(self.noise) - WINDOW + 1))
        piece = self.noise[start : start + WINDOW][:: rng.choice((1, -1))]
        turned: Array = piece * (rng.choice((1.0, -1.0)) / np.ptp(piece))
        return turned


def _pair(clean: Array, noise: Array, factor: float) -> Pair:
    """A beat with noise and without, both given as (512,)."""
    noisy = add_noise(clean[np.newaxis], noise[np.newaxis], np.array([factor]))
    return noisy.T.astype(np.float32), clean[:, np.newaxis].astype(np.float32)

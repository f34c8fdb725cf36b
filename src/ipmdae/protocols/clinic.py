"""P3 "clinic": the network sees a noisy lead alone, in mV, and gives it back clean in mV.

Windows of one lead of the QT Database, with the recording's constant offset taken off and no
other filter, so that the ST segment is a target as it is. Noise of all kinds, alone and mixed,
from the first 15 min of both channels, of which validation keeps the last sixth to itself; the test
has the last 15 min. SNR by AC power. Records are divided by patient. Test records (those of P2) and
test noise are read by the evaluation alone, so that neither picks a checkpoint.

What the network is given is scaled by the noisy window itself, exactly as in use
(:func:`ipmdae.pipeline.window.robust_scale`); the target is the clean window, less its own median,
by the same scale: what is clean comes back as it went in.

With ``augment`` the training set is made for recordings of any kind, not for this test alone:
targets without noise of their own, a wider range of SNR, and the changes of
:mod:`ipmdae.data.augment`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.data import augment, mixing, nstdb, qtdb, splits
from ipmdae.data.augment import Augmentation
from ipmdae.pipeline.window import robust_scale
from ipmdae.protocols import Pair

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Clinic:
    """The protocol with its settings; windows are read when first asked for.

    Attributes:
        qtdb_folder: folder of the QT Database's records.
        nstdb_folder: folder of the noise database's records.
        time_win: length of a window in s.
        snr_range: lowest and highest SNR of a noisy window in dB.
        clean_share: share of windows to which no noise is added.
        augment: train on selected targets, with all that may happen to a recording.
        projected: with ``augment``, train on leads between those recorded, too.
        seed: of all that is drawn.
    """

    qtdb_folder: Path | str
    nstdb_folder: Path | str
    time_win: float = 10
    snr_range: tuple[float, float] = (-5.0, 20.0)
    clean_share: float = 0.15
    augment: bool = False
    projected: bool = True
    seed: int = 0

    name = "clinic"
    fs = qtdb.FS
    leads = 1

    @property
    def window(self) -> int:
        """Samples of a window."""
        return round(self.time_win * self.fs)

    @cached_property
    def records(self) -> tuple[list[str], list[str]]:
        """Names of the training and of the validation records that are in the folder.

        Raises:
            DatasetNotFoundError: there is no QT Database in the folder.
            ValueError: the folder has no record for one of the sides.
        """
        present = set(qtdb.record_names(Path(self.qtdb_folder)))
        training, validation = (
            [name for name in splits.load(self.name, part) if name in present]
            for part in ("train", "validation")
        )
        if not training or not validation:
            raise ValueError(
                f"{self.qtdb_folder} has {len(training)} training and {len(validation)} "
                "validation records of this protocol; both must be there"
            )
        return training, validation

    def training(self, *, fresh: bool) -> ClinicPairs:
        """Training pairs, anew in each epoch where ``fresh``, else those of the first epoch."""
        return self._pairs(self.records[0], self._noise()[0], fresh=fresh, select=self.augment)

    def validation(self) -> ClinicPairs:
        """Validation pairs: other patients, other noise, always the same draw."""
        return self._pairs(self.records[1], self._noise()[1], fresh=False, select=False)

    def _noise(self) -> tuple[Array, Array]:
        """Noise to train and to validate with, (kinds, time, channels) each."""
        noise = nstdb.load(Path(self.nstdb_folder), self.fs).part("train")
        boundary = round(noise.shape[1] * (1 - VALIDATION_SHARE))
        return noise[:, :boundary], noise[:, boundary:]

    def _pairs(self, records: list[str], noise: Array, *, fresh: bool, select: bool) -> ClinicPairs:
        signals = [qtdb.read_centred(Path(self.qtdb_folder), name) for name in records]
        return ClinicPairs(
            recordings=signals,
            noise=noise,
            window=self.window,
            augmentation=self._augmentation(select) if self.augment else None,
            select=select,
            snr_range=self.snr_range,
            clean_share=self.clean_share,
            seed=self.seed,
            fresh=fresh,
        )

    def _augmentation(self, training: bool) -> Augmentation:
        """Validation pairs are of leads and noise that were recorded."""
        changes = Augmentation(fs=self.fs)
        return changes if training and self.projected else replace(changes, projection=0)


@dataclass(frozen=True, kw_only=True)
class ClinicPairs:
    """Pairs drawn from single leads: a place, a polarity, a mixture of noise and an SNR.

    Attributes:
        recordings: signals in mV, (time, 2) each.
        noise: (kinds, time, channels).
        augmentation: what else may happen to the signal, if anything.
        select: only windows that are clean enough to be a target.
    """

    recordings: list[Array]
    noise: Array
    window: int
    augmentation: Augmentation | None
    select: bool
    snr_range: tuple[float, float]
    clean_share: float
    seed: int
    fresh: bool

    @cached_property
    def _starts(self) -> list[tuple[int, int, int]]:
        """Recording, lead and first sample of each window."""
        places = []
        for recording, signal in enumerate(self.recordings):
            windows = mixing.cut(signal, self.window)
            for lead in range(signal.shape[1]):
                good = np.ones(len(windows), np.bool_)
                if self.select:
                    good = augment.good_targets(windows[..., lead], qtdb.FS)
                places += [(recording, lead, int(i) * self.window) for i in np.flatnonzero(good)]
        return places

    def __len__(self) -> int:
        return len(self._starts)

    @property
    def records(self) -> NDArray[np.intp]:
        """Which recording each pair is of, by its number, (pairs,)."""
        return np.array([recording for recording, _, _ in self._starts], np.intp)

    def draw(self, index: int, epoch: int = 0) -> Pair:
        rng = np.random.default_rng((self.seed, epoch if self.fresh else 0, index))
        clean = self._window(index, rng)
        noisy = clean
        if rng.random() >= self.clean_share:
            noisy = mixing.mix(
                clean, self._noise(rng), rng.uniform(*self.snr_range), of="ac", per_lead=True
            )
        if self.augmentation:
            noisy, clean = self._augmented(noisy, clean, self.augmentation, rng)
        noisy, _, scale = robust_scale(noisy[np.newaxis])
        return noisy[0], (clean - np.median(clean, axis=0)) / scale[0]

    def _window(self, index: int, rng: np.random.Generator) -> Array:
        recording, lead, start = self._starts[index]
        signal = self.recordings[recording]
        tempo = self._tempo(rng)
        start += int(rng.integers(-(self.window // 2), self.window // 2 + 1))
        start = min(max(start, 0), len(signal) - augment.reach(self.window, tempo))
        leads = augment.at_tempo(signal, start, self.window, tempo)
        turned: Array = leads[:, [lead]] * np.float32(rng.choice(augment.POLARITIES))
        angle = self._angle(rng)
        if angle is None:
            return turned
        projected = augment.project(leads, angle)
        return projected if augment.good_targets(projected.T, qtdb.FS)[0] else turned

    def _noise(self, rng: np.random.Generator) -> Array:
        """One kind alone (half of the draws) or all three in random shares, (window, 1)."""
        channel, tempo = rng.integers(self.noise.shape[2]), self._tempo(rng)
        length = augment.reach(self.window, tempo)
        drawn = mixing.draw_pieces(self.noise, length, rng)
        angle = self._angle(rng)
        drawn = drawn[..., [channel]] if angle is None else augment.project(drawn, angle)
        pieces = np.stack([augment.at_tempo(piece, 0, self.window, tempo) for piece in drawn])
        weights = rng.dirichlet(np.ones(len(pieces)))
        if rng.random() < 0.5:
            weights = np.eye(len(pieces))[rng.integers(len(pieces))]
        deviation = pieces.std(axis=1, keepdims=True) + np.float32(1e-6)
        mixture: Array = np.tensordot(weights.astype(np.float32), pieces / deviation, axes=1)
        return mixture

    def _tempo(self, rng: np.random.Generator) -> float:
        return self.augmentation.tempo(rng) if self.augmentation else 1.0

    def _angle(self, rng: np.random.Generator) -> float | None:
        return self.augmentation.angle(rng) if self.augmentation else None

    def _augmented(
        self, noisy: Array, clean: Array, changes: Augmentation, rng: np.random.Generator
    ) -> Pair:
        """What else happens to a pair; without a signal the target is a flat line."""
        size = float(np.ptp(np.percentile(clean, (0.5, 99.5))))
        edge = changes.bandwidth(rng)
        if edge is not None:
            noisy, clean = (augment.low_pass(x, edge, changes.fs) for x in (noisy, clean))
        if rng.random() < changes.noise_only:
            noisy, clean = noisy - clean, np.zeros_like(clean)
        return changes.disturb(noisy, size, rng), clean


#: Share of the first 15 min of noise that validates: two and a half minutes.
VALIDATION_SHARE = 1 / 6

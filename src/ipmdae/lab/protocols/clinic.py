"""Protocol clinic: single leads in mV, whose noise the network removes without other information.

Windows of one lead of the QT Database, with the recording's constant offset subtracted and no
other filter, so that ST segments in the target are unfiltered. Noise of all kinds, single and
mixed, from the training, validation and test minutes of both channels
(:data:`ipmdae.lab.data.nstdb.INTERVALS`). SNR by AC power. Records are split by patient. Test
records (those of protocol deepfilter) and test noise are read by the evaluation only, so that
neither selects a checkpoint.

The input is scaled by the noisy window itself, exactly as in use
(:func:`ipmdae.pipeline.window.robust_scale`); the target is the clean window, less its own median,
by the same scale, so that a clean signal is its own target.

With ``augment`` the training set covers recordings of any kind, not this test only: targets without
noise, a wider range of SNR, and the changes of :mod:`ipmdae.lab.data.augment`. With ``rhythms`` the
targets also have other rhythms than the sinus rhythm of nearly all of the QT Database: synthetic
ones (:mod:`ipmdae.lab.data.rhythms`), and real ones of the MIT-BIH Arrhythmia Database and of the
CinC 2017 challenge; and motion is added to the noise (:mod:`ipmdae.lab.data.motion`), so that the
network learns to distinguish rhythm and motion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ipmdae.lab.data import augment, cinc2017, ecgnext, mitdb, mixing, motion, nstdb, qtdb, splits
from ipmdae.lab.data.augment import Augmentation
from ipmdae.lab.data.rhythms import Beats, Rhythms, ecg_size
from ipmdae.lab.protocols import Pair
from ipmdae.pipeline.resample import resample
from ipmdae.pipeline.survey import median
from ipmdae.pipeline.window import robust_scale
from ipmdae.recording import Recording

Array = NDArray[np.float32]

NoiseKind = Array | Callable[[int, float, np.random.Generator], Array]
"""A kind of noise: a signal (time, channels), or a function of length, fs and generator."""

NO_BEATS: Beats = np.empty(0, np.intp)

WIDE: dict[str, Any] = {"augment": True, "snr_range": [-10.0, 25.0]}
"""Settings to train for recordings of any kind, equal to those that a run's JSON file returns."""


def rhythm_settings(root: Path) -> dict[str, Any]:
    """Settings for rhythms in the targets and motion in the noise.

    Args:
        root: folder of the databases.
    """
    return {
        "mitdb_folder": str(root / mitdb.FOLDER),
        "cinc2017_folder": str(root / cinc2017.FOLDER),
        "ecgnext_folder": str(root / ecgnext.FOLDER),
        "rhythms": 0.55,
        "motion": True,
        "target_wander": 0.05,
    }


@dataclass(frozen=True)
class Source:
    """A recording to train on.

    Attributes:
        signal: (time, leads) in mV.
        beats: samples of its R peaks, as far as known.
    """

    signal: Array
    beats: Beats


@dataclass(frozen=True, kw_only=True)
class Clinic:
    """The protocol with its settings; windows are read on first use.

    Attributes:
        qtdb_folder: folder of the QT Database's records.
        nstdb_folder: folder of the noise database's records.
        time_win: length of a window in s.
        snr_range: lowest and highest SNR of a noisy window in dB.
        clean_share: share of windows to which no noise is added.
        augment: train on selected targets, with random changes.
        projected: with ``augment``, use random lead projection.
        rhythms: share of the training windows with a synthetic rhythm; 0 for none.
        mitdb_folder, cinc2017_folder: further databases to train on, if any.
        ecgnext_folder: recordings of motion, used as a further kind of noise, if any.
        target_wander: with ``augment``, largest power of a target below 0.5 Hz, relative to that
            above; the rest of the baseline wander is not a target.
        motion: synthetic sway, taps and muscle bursts as further kinds of noise.
        seed: seed of all random draws.
    """

    qtdb_folder: Path | str
    nstdb_folder: Path | str
    mitdb_folder: Path | str | None = None
    cinc2017_folder: Path | str | None = None
    ecgnext_folder: Path | str | None = None
    rhythms: float = 0.0
    motion: bool = False
    target_wander: float = 0.1
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
                "validation records of this protocol; both are needed"
            )
        return training, validation

    def training(self, *, fresh: bool) -> ClinicPairs:
        """Training pairs, drawn anew in each epoch if ``fresh``, else those of the first epoch."""
        signals = [*self._qtdb(self.records[0]), *self._mitdb(), *self._cinc2017()]
        return self._pairs(signals, "train", fresh=fresh, select=self.augment)

    def validation(self) -> ClinicPairs:
        """Validation pairs: other patients, other noise, always the same draw."""
        return self._pairs(self._qtdb(self.records[1]), "validation", fresh=False, select=False)

    def _qtdb(self, records: list[str]) -> list[Source]:
        folder = Path(self.qtdb_folder)
        sources = []
        for name in records:
            beats = qtdb.r_peaks(folder, name) if self.rhythms else NO_BEATS
            sources.append(Source(qtdb.read_centred(folder, name), beats))
        return sources

    def _mitdb(self) -> list[Source]:
        if self.mitdb_folder is None:
            return []
        folder = Path(self.mitdb_folder)
        names = [n for n in mitdb.record_names(folder) if n in splits.load("mitdb", "train")]
        sources = []
        for name in names:
            recording = mitdb.read(folder, name)
            beats = mitdb.r_peaks(recording) * (self.fs / recording.fs)
            sources.append(Source(self._centred(recording), beats.astype(np.intp)))
        return sources

    def _cinc2017(self) -> list[Source]:
        if self.cinc2017_folder is None:
            return []
        folder = Path(self.cinc2017_folder)
        held_back = set(splits.load("cinc2017", "held_back"))
        names = [name for name in cinc2017.rhythms(folder) if name not in held_back]
        signals = (self._centred(cinc2017.read(folder, name)) for name in names)
        return [Source(signal, NO_BEATS) for signal in signals if len(signal) >= self.window]

    def _centred(self, recording: Recording) -> Array:
        """Signal at the protocol's rate, (time, leads) in mV without the leads' medians."""
        signal = resample(recording.signal, recording.fs, self.fs)
        return (signal - np.median(signal, axis=0)).astype(np.float32)

    def _noise(self, part: Literal["train", "validation"]) -> list[tuple[NoiseKind, float]]:
        """Kinds of noise for training or validation, with their relative frequencies."""
        noise = nstdb.load(Path(self.nstdb_folder), self.fs).segments(part)
        weights = (1.0, 2.0, 1.5) if self.motion else (1.0, 1.0, 1.0)
        kinds: list[tuple[NoiseKind, float]] = [
            (np.concatenate(noise[kind]), weight)
            for kind, weight in zip(nstdb.KINDS, weights, strict=True)
        ]
        if self.ecgnext_folder is not None:
            folder = Path(self.ecgnext_folder)
            people = {ecgnext.person(name) for name in ecgnext.record_names(folder)}
            validation = set(splits.load("ecgnext", "validation"))
            training = people - validation - set(splits.load("ecgnext", "test"))
            some = training if part == "train" else validation
            kinds.append((np.concatenate(motion.wrist_noise(folder, some, self.fs)), 1.5))
        if self.motion:
            kinds += [(motion.sway, 1.0), (motion.taps, 1.0)]
        return kinds

    def _pairs(
        self,
        signals: list[Source],
        part: Literal["train", "validation"],
        *,
        fresh: bool,
        select: bool,
    ) -> ClinicPairs:
        return ClinicPairs(
            sources=signals,
            noise=self._noise(part),
            window=self.window,
            augmentation=self._augmentation(select) if self.augment else None,
            rhythms=Rhythms(fs=self.fs, share=self.rhythms) if self.rhythms else None,
            select=self.target_wander if select else None,
            snr_range=self.snr_range,
            clean_share=self.clean_share,
            seed=self.seed,
            fresh=fresh,
        )

    def _augmentation(self, training: bool) -> Augmentation:
        """Random changes of the pairs; those of validation are without lead projection."""
        changes = Augmentation(fs=self.fs)
        return changes if training and self.projected else replace(changes, projection=0)


@dataclass(frozen=True, kw_only=True)
class ClinicPairs:
    """Pairs from single leads: a random position, polarity, mixture of noise and SNR.

    Attributes:
        sources: recordings to cut windows from.
        noise: each kind as a signal (time, channels) or as a function that synthesises it, with
            its relative frequency.
        augmentation: random changes of the signal, if any.
        rhythms: synthetic rhythms of the targets, if any.
        select: only windows with at most this share of baseline wander, see
            :func:`ipmdae.lab.data.augment.good_targets`; ``None`` for all windows.
    """

    sources: list[Source]
    noise: list[tuple[NoiseKind, float]]
    window: int
    augmentation: Augmentation | None
    rhythms: Rhythms | None
    select: float | None
    snr_range: tuple[float, float]
    clean_share: float
    seed: int
    fresh: bool

    @cached_property
    def _starts(self) -> list[tuple[int, int, int]]:
        """Recording, lead and first sample of each window."""
        places = []
        for recording, source in enumerate(self.sources):
            windows = mixing.cut(source.signal, self.window)
            for lead in range(source.signal.shape[1]):
                good = np.ones(len(windows), np.bool_)
                if self.select is not None:
                    good = augment.good_targets(windows[..., lead], qtdb.FS, self.select)
                places += [(recording, lead, int(i) * self.window) for i in np.flatnonzero(good)]
        return places

    def __len__(self) -> int:
        return len(self._starts)

    @property
    def records(self) -> NDArray[np.intp]:
        """Recording of each pair, by number, (pairs,)."""
        return np.array([recording for recording, _, _ in self._starts], np.intp)

    def draw(self, index: int, epoch: int = 0) -> Pair:
        rng = np.random.default_rng((self.seed, epoch if self.fresh else 0, index))
        clean, beats = self._window(index, rng)
        if self.rhythms:
            clean = self.rhythms.apply(clean - median(clean[:, 0]), beats, rng)
        noisy = clean
        if rng.random() >= self.clean_share:
            noisy = mixing.mix(
                clean, self._noise(rng), rng.uniform(*self.snr_range), of="ac", per_lead=True
            )
        if self.augmentation:
            noisy, clean = self._augmented(noisy, clean, self.augmentation, rng)
        noisy, _, scale = robust_scale(noisy[np.newaxis])
        return noisy[0], (clean - median(clean[:, 0])) / scale[0]

    def _window(self, index: int, rng: np.random.Generator) -> tuple[Array, Beats]:
        """A window (time, 1), and the samples of the R peaks in it."""
        recording, lead, start = self._starts[index]
        source = self.sources[recording]
        tempo = min(self._tempo(rng), (len(source.signal) - 1) / self.window)
        start += int(rng.integers(-(self.window // 2), self.window // 2 + 1))
        start = max(min(start, len(source.signal) - augment.reach(self.window, tempo)), 0)
        leads = augment.at_tempo(source.signal, start, self.window, tempo)
        beats = ((source.beats - start) / tempo).astype(np.intp)
        beats = beats[(beats >= 0) & (beats < self.window)]
        turned: Array = leads[:, [lead]] * np.float32(rng.choice(augment.POLARITIES))
        angle = self._angle(rng)
        if angle is None or leads.shape[1] < 2:
            return turned, beats
        projected = augment.project(leads, angle)
        wander = 0.1 if self.select is None else self.select
        good = augment.good_targets(projected.T, qtdb.FS, wander)[0]
        return (projected if good else turned), beats

    def _noise(self, rng: np.random.Generator) -> Array:
        """One kind of noise (half of the draws) or all with random weights, (window, 1)."""
        kinds, often = zip(*self.noise, strict=True)
        weights = rng.dirichlet(np.ones(len(kinds)))
        if rng.random() < 0.5:
            weights = np.eye(len(kinds))[rng.choice(len(kinds), p=np.array(often) / sum(often))]
        mixture = np.zeros((self.window, 1), np.float32)
        for kind, weight in zip(kinds, weights, strict=True):
            if weight > 0:
                piece = self._piece(kind, rng)
                mixture += np.float32(weight) * piece / (piece.std() + np.float32(1e-6))
        return mixture

    def _piece(self, kind: NoiseKind, rng: np.random.Generator) -> Array:
        """A window of one kind of noise, (window, 1)."""
        if callable(kind):
            return kind(self.window, qtdb.FS, rng)
        tempo, angle = self._tempo(rng), self._angle(rng)
        drawn = mixing.draw_pieces(kind[np.newaxis], augment.reach(self.window, tempo), rng)[0]
        channels = drawn.shape[1]
        if angle is None or channels < 2:
            drawn = drawn[:, [rng.integers(channels)]]
        else:
            drawn = augment.project(drawn, angle)
        return augment.at_tempo(drawn, 0, self.window, tempo)

    def _tempo(self, rng: np.random.Generator) -> float:
        return self.augmentation.tempo(rng) if self.augmentation else 1.0

    def _angle(self, rng: np.random.Generator) -> float | None:
        return self.augmentation.angle(rng) if self.augmentation else None

    def _augmented(
        self, noisy: Array, clean: Array, changes: Augmentation, rng: np.random.Generator
    ) -> Pair:
        """Augment a pair; for noise-only input the target is a flat line."""
        size = float(ecg_size(clean[:, 0]))
        edge = changes.bandwidth(rng)
        if edge is not None:
            noisy, clean = (augment.low_pass(x, edge, changes.fs) for x in (noisy, clean))
        if rng.random() < changes.noise_only:
            noisy, clean = noisy - clean, np.zeros_like(clean)
        return changes.disturb(noisy, size, rng), clean

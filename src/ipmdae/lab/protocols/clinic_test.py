"""Test set of protocol clinic: segments of recordings in mV, with noise of test minutes.

The 14 test records, lead by lead, with the recording's constant offset subtracted and otherwise
unprocessed. From each lead ten evenly spaced segments of 30 s, without added noise and with each
kind of noise from the noise records' test minutes (:data:`ipmdae.lab.data.nstdb.INTERVALS`), single
and mixed with equal power, at -5, 0, 5 and 10 dB by AC power over the segment. The only input of a
method is the noisy segment. The middle 20 s are scored, so that edge effects do not count.

Noise comes from positions evenly spaced over both channels, no two of them equal, in a fixed
random order. The noise of the two leads of a record comes from distant positions, so that it is
independent; the four levels of a segment use the same noise.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.lab.data import mixing, nstdb, qtdb, splits

Array = NDArray[np.float64]

FS = qtdb.FS
SNRS = (-5, 0, 5, 10)
MIXTURE = "mixture"
KINDS = (*nstdb.KINDS, MIXTURE)
CLEAN = "clean"
PIECES = 10
LENGTH, SCORED = 30.0, (5.0, 25.0)  # s

CONDITIONS = ((CLEAN, np.inf), *((kind, float(snr)) for kind in KINDS for snr in SNRS))
"""Kind of noise and SNR in dB of each signal of a segment."""

_LEADS = 2
_SEED = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Piece:
    """A segment of a lead, and the noise that is added to it.

    Attributes:
        number: index among all segments of the test, independent of the available data.
        record: name of the record.
        lead: its number, 0 or 1.
        clean: (time,) in mV.
        noise: one row per kind, (3, time), any scale.
    """

    number: int
    record: str
    lead: int
    clean: Array
    noise: Array

    def noisy(self) -> Array:
        """The segment under each of :data:`CONDITIONS`, (conditions, time) in mV."""
        by_kind = dict(zip(nstdb.KINDS, self.noise, strict=True))
        deviation = self.noise.std(axis=1, keepdims=True)
        by_kind[MIXTURE] = (self.noise / deviation).sum(axis=0)
        return np.stack(
            [
                self.clean if kind == CLEAN else add_noise(self.clean, by_kind[kind], snr)
                for kind, snr in CONDITIONS
            ]
        )


@dataclass(frozen=True, kw_only=True)
class ClinicTest:
    """The test; records and noise are read on first use.

    Attributes:
        qtdb_folder: folder of the QT Database's records.
        nstdb_folder: folder of the noise database's records.
    """

    qtdb_folder: Path
    nstdb_folder: Path

    @cached_property
    def records(self) -> list[str]:
        """Names of the test records that are in the folder.

        Raises:
            DatasetNotFoundError: there is no QT Database in the folder.
            ValueError: none of the test records is in it.
        """
        listed, present = all_records(), set(qtdb.record_names(self.qtdb_folder))
        records = [name for name in listed if name in present]
        if not records:
            raise ValueError(f"{self.qtdb_folder} has no test record of protocol clinic")
        if len(records) < len(listed):
            warnings.warn(
                f"{len(listed) - len(records)} of the {len(listed)} test records are not in "
                f"{self.qtdb_folder}: this is not the whole test",
                stacklevel=2,
            )
        return records

    def __len__(self) -> int:
        """Number of segments."""
        return len(self.records) * _LEADS * PIECES

    def pieces(self, chosen: NDArray[np.int64]) -> Iterator[Piece]:
        """Segments, record by record and lead by lead.

        Args:
            chosen: indices among the ten segments of each lead.
        """
        listed, length = all_records(), round(LENGTH * FS)
        for record in self.records:
            signal = qtdb.read_centred(self.qtdb_folder, record).astype(np.float64)
            starts = np.rint(np.linspace(0, len(signal) - length, PIECES)).astype(int)
            for lead in range(_LEADS):
                for at in chosen:
                    place = listed.index(record) * PIECES + int(at)
                    yield Piece(
                        number=(listed.index(record) * _LEADS + lead) * PIECES + int(at),
                        record=record,
                        lead=lead,
                        clean=signal[starts[at] : starts[at] + length, lead],
                        noise=self._noise_at(place, lead, length),
                    )

    @cached_property
    def noise(self) -> list[Array]:
        """Test noise, (time, channels) of each kind, z-scored."""
        return noise_of_test_minutes(self.nstdb_folder)

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        """Positions of the noise for lead 0 of each segment, by kind, (kinds, segments)."""
        count = len(all_records()) * PIECES
        rngs = [np.random.default_rng((_SEED, kind)) for kind in range(len(nstdb.KINDS))]
        return np.stack([rng.permutation(count) for rng in rngs])

    def _noise_at(self, place: int, lead: int, length: int) -> Array:
        """Noise added to a segment, (kinds, time), from alternating halves of the noise record."""
        count = self._order.shape[1]
        places = self._order[:, place] + count * ((lead + place) % 2)
        return np.stack(
            [
                piece_of(self.noise[kind], int(at), _LEADS * count, length)
                for kind, at in enumerate(places)
            ]
        )


@cache
def noise_of_test_minutes(nstdb_folder: Path, fs: float = FS) -> list[Array]:
    """The test minutes of each kind of noise, joined, (time, channels) at ``fs`` Hz, z-scored.

    They are read once in each process.
    """
    segments = nstdb.load(nstdb_folder, fs).segments("test")
    return [np.concatenate(segments[kind]).astype(np.float64) for kind in nstdb.KINDS]


def all_records() -> list[str]:
    """The names of the 14 test records."""
    return splits.load("clinic", "test")


def piece_of(noise: Array, place: int, places: int, length: int) -> Array:
    """One of ``places`` evenly spaced segments of noise (time, channels), alternating channels.

    Raises:
        ValueError: the noise is shorter than a segment.
    """
    if len(noise) < length:
        raise ValueError(f"noise of {len(noise)} samples is shorter than a piece of {length}")
    start = round(place * (len(noise) - length) / max(places - 1, 1))
    return noise[start : start + length, place % noise.shape[1]]


def add_noise(clean: Array, noise: Array, snr: float) -> Array:
    """Add noise to a lead, both (time,), at ``snr`` dB of AC power."""
    signals = (clean[:, np.newaxis], noise[:, np.newaxis])
    mixed = mixing.mix(*signals, snr, of="ac", per_lead=True)  # type: ignore[arg-type]
    return mixed[:, 0].astype(np.float64)

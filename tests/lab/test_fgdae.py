"""Protocol fgdae: its windows, masks and noise are those of the published generator."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from excerpts import NSTDB, QTDB
from scipy.signal import resample_poly

from ipmdae.lab.data import nstdb, qtdb
from ipmdae.lab.evaluation import metrics
from ipmdae.lab.protocols import fgdae
from ipmdae.lab.protocols.deepfilter import VERSIONS, Version, beat_bounds

pytestmark = pytest.mark.filterwarnings("ignore:100 of the 105 records:UserWarning")


@cache
def protocol() -> fgdae.FGDAE:
    return fgdae.FGDAE(qtdb_folder=QTDB, nstdb_folder=NSTDB)


def test_windows_are_beats_end_to_end_cut_with_overlap_and_centred() -> None:
    marks = qtdb.read_marks(QTDB, "sele0121", "pu1")
    signal, joined = qtdb.read(QTDB, "sele0121").signal[:, 0], np.empty(0)
    for start, stop in beat_bounds(marks.sample, np.array(marks.symbol), longest=np.inf):
        beat, count = signal[start:stop], -(-(stop - start) * 36 // 25)
        mirrored = np.concatenate([beat[::-1], beat, beat[::-1]])
        joined = np.append(joined, resample_poly(mirrored, 36, 25)[count - 1 : 2 * count - 1])
    starts = range(0, len(joined) - 511, 256)
    expected = [joined[at : at + 512] - joined[at : at + 512].mean() for at in starts]
    test = protocol().windows("test", 1)
    np.testing.assert_allclose(test.clean, expected, atol=1e-12)
    assert set(test.record) == {"sele0121"}


@pytest.mark.parametrize(("version", "channel"), [(1, 1), (2, 0)])
def test_noise_of_the_test_side_is_that_of_the_published_draws(
    version: Version, channel: int
) -> None:
    count = [len(protocol().windows(part, 1)) for part in ("train", "test")]
    stream = np.random.RandomState(1234)
    factor = [stream.randint(20, 200, size=n) / 100 for n in count][1]
    mask = [stream.randint(0, 2, size=(n, 3)) for n in count][1]
    kinds = [nstdb.read(NSTDB, kind).signal[:, channel] for kind in ("bw", "ma", "em")]
    test, place = protocol().windows("test", version), 0
    for number, clean in enumerate(test.clean):
        noise = sum(
            on * kind[len(kind) // 2 : -1] for on, kind in zip(mask[number], kinds, strict=True)
        )
        added = test.noisy[number] - clean
        if mask[number].any():
            piece = np.asarray(noise)[place : place + 512]
            scale = factor[number] * np.ptp(clean) / np.ptp(piece)
            np.testing.assert_allclose(added, scale * piece, atol=1e-9)
        else:
            assert not added.any()
            assert test.factor[number] == 0
        place = 0 if place + 512 > len(kinds[0]) - len(kinds[0]) // 2 - 1 - 512 else place + 512
    assert (test.factor == 0).any()
    assert (test.factor > 0).any()


def test_every_window_of_training_is_of_another_record_and_the_first_half() -> None:
    train = protocol().windows("train", 1)
    assert set(train.record) == {"sel100", "sel36", "sel52", "sele0122"}
    assert train.clean.shape == train.noisy.shape == (len(train.record), 512)
    first, second = (protocol().windows("train", version).noisy for version in VERSIONS)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(train.noisy, first)


def test_its_metrics_are_there() -> None:
    assert all(callable(getattr(metrics, name)) for name in fgdae.METRICS)

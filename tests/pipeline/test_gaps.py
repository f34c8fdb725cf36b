from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ipmdae.pipeline.gaps import GapFiller, fill_gaps

NAN = np.nan


def bridged(signal: np.ndarray, limit: int, chunks: list[int]) -> np.ndarray:
    filler: GapFiller[np.float64] = GapFiller(signal.shape[1], limit, np.float64)
    edges = np.cumsum([0, *chunks])
    pieces = [filler.feed(signal[a:b]) for a, b in zip(edges, [*edges[1:], None], strict=True)]
    return np.concatenate([*pieces, filler.flush()])


def test_gaps_are_filled_linearly() -> None:
    x = np.array([[NAN, NAN], [1, NAN], [NAN, NAN], [NAN, NAN], [4, NAN], [NAN, NAN]])
    assert_array_equal(fill_gaps(x), [[1, 0], [1, 0], [2, 0], [3, 0], [4, 0], [4, 0]])
    assert np.isnan(x[0, 0])
    whole = np.ones((3, 2))
    assert fill_gaps(whole) is whole


@pytest.mark.parametrize(
    ("signal", "expected"),
    [
        ([1, NAN, NAN, 4], [1, 2, 3, 4]),
        ([1, NAN, NAN, NAN, 4], [1, 1, 2, 3, 4]),
        ([1, *[NAN] * 6, 7], [1, 1, 1, 1, 1, 3, 5, 7]),
        ([NAN, NAN, 5], [5, 5, 5]),
        ([NAN, NAN, NAN, 6], [0, 2, 4, 6]),
        ([5, *[NAN] * 4], [5] * 5),
        ([NAN] * 4, [0] * 4),
        ([3, NAN, 5, NAN, NAN, NAN, 2], [3, 4, 5, 5, 4, 3, 2]),
    ],
)
@pytest.mark.parametrize("chunks", [[], [1] * 9, [2, 2], [3]])
def test_a_long_gap_holds_its_value_until_the_line(
    signal: list[float], expected: list[float], chunks: list[int]
) -> None:
    filled = bridged(np.array(signal)[:, None], 2, chunks)
    assert_array_equal(filled[:, 0], expected)


@given(st.data(), st.integers(1, 6), st.integers(0, 40))
@settings(deadline=None)
def test_the_pieces_do_not_matter_and_little_is_held_back(
    data: st.DataObject, limit: int, samples: int
) -> None:
    signal = np.random.default_rng(samples).normal(size=(samples, 2))
    gaps = data.draw(st.lists(st.booleans(), min_size=2 * samples, max_size=2 * samples))
    signal[np.reshape(gaps, (samples, 2)).astype(bool)] = NAN
    whole = bridged(signal, limit, [])
    filler: GapFiller[np.float64] = GapFiller(2, limit, np.float64)
    pieces = []
    for i in range(samples):
        pieces.append(filler.feed(signal[i : i + 1]))
        assert sum(map(len, pieces)) >= i + 1 - limit
    np.testing.assert_allclose(np.concatenate([*pieces, filler.flush()]), whole, atol=1e-12)
    known = ~np.isnan(signal)
    assert_array_equal(whole[known], signal[known])
    assert not np.isnan(whole).any()

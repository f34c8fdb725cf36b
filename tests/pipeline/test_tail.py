from __future__ import annotations

import numpy as np
from numpy.testing import assert_array_equal

from ipmdae.pipeline.tail import Tail


def test_rows_keep_their_index_when_those_before_are_forgotten() -> None:
    tail: Tail[np.float64] = Tail(2, np.float64)
    whole = np.arange(40.0).reshape(20, 2)
    tail.append(whole[:7])
    tail.append(whole[7:7])
    tail.drop(3)
    tail.append(whole[7:])
    tail.drop(2)
    assert (tail.first, tail.stop) == (3, 20)
    assert_array_equal(tail.rows(3, 20), whole[3:])
    assert_array_equal(tail.rows(10, 12), whole[10:12])
    assert tail.rows(5, 5).shape == (0, 2)
    tail.drop(20)
    assert (tail.first, tail.stop) == (20, 20)


def test_rows_one_by_one_are_rows_at_once() -> None:
    tail: Tail[np.float64] = Tail(1, np.float64)
    views = []
    for i in range(1000):
        tail.append(np.full((1, 1), i))
        views.append(tail.rows(max(tail.first, i - 5), i + 1))
        tail.drop(i - 50)
    assert_array_equal(tail.rows(949, 1000)[:, 0], np.arange(949, 1000))
    assert [view[-1, 0] for view in views] == list(range(1000))


def test_the_first_index_may_be_negative() -> None:
    tail: Tail[np.int64] = Tail(1, np.int64, first=-3)
    tail.append(np.arange(5)[:, None])
    assert tail.stop == 2
    assert_array_equal(tail.rows(-1, 1)[:, 0], [2, 3])

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


def test_the_first_index_may_be_negative() -> None:
    tail: Tail[np.int64] = Tail(1, np.int64, first=-3)
    tail.append(np.arange(5)[:, None])
    assert tail.stop == 2
    assert_array_equal(tail.rows(-1, 1)[:, 0], [2, 3])

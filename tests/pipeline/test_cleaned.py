from __future__ import annotations

import warnings

import numpy as np
import pytest
from fakes import recording
from numpy.testing import assert_array_equal

from ipmdae.pipeline.guarantees import UNWANTED, check_rate, idle, mix, report
from ipmdae.result import finish

NOISY = recording(
    np.column_stack([np.arange(9.0), np.full(9, 2.0), np.full(9, np.nan), np.arange(9.0)]),
    leads=("I", "II", "III", "Resp"),
    units=("mV", "mV", "mV", "l/s"),
    comments=("A",),
)
WHY = ["", "flat", "without samples", "in l/s"]


def test_leads_that_need_no_cleaning() -> None:
    assert [idle(NOISY, i) for i in range(4)] == WHY
    step = NOISY.with_signal(NOISY.signal * 1e-6)
    assert idle(step, 0) == "flat"


def test_what_was_done_is_told() -> None:
    with pytest.warns(UserWarning, match="left unchanged") as caught:
        comments = report(NOISY.header, WHY, "it", 0.5)
    assert len(caught) == 2
    assert comments == (
        "A",
        "Cleaned by it, strength 0.5: I",
        "Unchanged, flat: II",
        "Unchanged, without samples: III",
        "Unchanged, in l/s: Resp",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert report(NOISY.header, [UNWANTED] * 4, "it")[1] == "Unchanged, not asked for: I"


def test_finish_mixes_and_tells() -> None:
    with pytest.warns(UserWarning, match="left unchanged"):
        done = finish(NOISY, NOISY.signal * 0, WHY, "it", 0.25)
    assert_array_equal(done.recording.signal, 0.75 * NOISY.signal)
    assert_array_equal(done.noise, 0.25 * NOISY.signal)
    assert done.noisy is NOISY
    assert done.sd is None
    with pytest.raises(ValueError, match="strength must be 0"):
        finish(NOISY, NOISY.signal, WHY, "it", 2)


def test_all_of_it_is_exact() -> None:
    x, y = np.array([0.1, np.nan]), np.array([0.7, np.nan])
    assert_array_equal(mix(x, y, 1), y)
    assert_array_equal(mix(x, y, 0), x)


@pytest.mark.parametrize("fs", [59.9, 4001, np.nan, -3])
def test_rates_that_make_no_sense(fs: float) -> None:
    with pytest.raises(ValueError, match="for an ECG"):
        check_rate(fs)

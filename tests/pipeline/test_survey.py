from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ipmdae.pipeline.survey import Survey
from ipmdae.recording import Header


def survey(signal: np.ndarray, block: int, fs: float = 100, units: tuple[str, ...] = ()) -> Survey:
    leads = tuple(f"L{i}" for i in range(signal.shape[1]))
    result = Survey(Header(samples=len(signal), fs=fs, leads=leads, units=units))
    for i in range(0, len(signal), block):
        result.add(signal[i : i + block])
    return result


@pytest.mark.parametrize("block", [1, 999, 1000, 2700, 10_000])
def test_the_offset_is_the_median_of_medians_whatever_the_blocks(block: int) -> None:
    signal = np.random.default_rng(0).normal([3, -400], size=(5300, 2))
    signal[2000:2900, 0] = np.nan
    medians = [np.nanmedian(signal[i : i + 1000], axis=0) for i in range(0, 5300, 1000)]
    offset = survey(signal, block).leads().offset
    assert_allclose(offset, [3, -400], atol=0.1)
    for lead in range(2):
        assert offset[lead] in np.array(medians)[:, lead]


def test_a_short_recording_has_its_own_median() -> None:
    signal = np.array([[1.0, 5], [2, np.nan], [9, 7], [3, np.nan]])
    assert_array_equal(survey(signal, 3).leads().offset, [2.5, 6])


def test_neither_a_short_piece_nor_a_bad_start_move_the_offset() -> None:
    signal = np.concatenate([np.full(2000, 5.0), np.zeros(4000), np.full(3, 9.0)])[:, None]
    assert_array_equal(survey(signal, 777).leads().offset, [0])


def test_leads_with_nothing_to_clean_are_told() -> None:
    signal = np.column_stack(
        [np.arange(50.0), np.full(50, 2.0), np.full(50, np.nan), np.arange(50.0)]
    )
    found = survey(signal, 7, units=("mV", "mV", "mV", "mmHg")).leads()
    assert found.active == [0]
    assert found.why == ["", "flat", "without samples", "in mmHg"]
    assert_array_equal(found.offset[1:3], [2, 0])

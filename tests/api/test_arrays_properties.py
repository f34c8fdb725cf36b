"""``ipmdae.denoise`` of any pieces of a lead, with gaps, at any rate."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from ecg_arrays import CLASSICAL, FS, ecg
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

import ipmdae
from ipmdae.pipeline.resample import resample

odd = st.sampled_from(["iir", CLASSICAL, "median", "wavelet", "none"])
scaling = odd | st.just("ipmdae-base")
methods = scaling | st.just("tv")  # which stops iterating at an absolute change
quickly = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def signals(draw: st.DrawFn, fs: float) -> NDArray[Any]:
    """Pieces of the noisy example (time, leads) or (time,), at ``fs`` Hz, with gaps."""
    leads = draw(st.integers(1, 3))
    begin, length = draw(st.integers(0, 10_000)), draw(st.integers(leads + 1, 1500))
    x = resample(ecg(60, leads)[begin:][: round(length * FS / fs) + leads], FS, fs)[:length].copy()
    for _ in range(draw(st.integers(0, 3))):
        first = draw(st.integers(0, len(x) - 1))
        length = draw(st.integers(1, 600))
        x[first : first + length, draw(st.integers(0, leads - 1))] = np.nan
    x = x[:, 0] if leads == 1 and draw(st.booleans()) else x
    signal: NDArray[Any] = x.astype(draw(st.sampled_from([np.float32, np.float64])))
    return signal


@pytest.mark.slow
@quickly
@given(data=st.data(), method=methods, fs=st.floats(60, 4000))
def test_shape_dtype_and_gaps_are_kept_and_all_else_is_finite(
    data: st.DataObject, method: str, fs: float
) -> None:
    x = data.draw(signals(fs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        cleaned = ipmdae.denoise(x, fs, method=method)
    assert (cleaned.shape, cleaned.dtype) == (x.shape, x.dtype)
    assert_array_equal(np.isnan(cleaned), np.isnan(x))
    assert not np.isinf(cleaned).any()


@quickly
@given(data=st.data(), method=scaling, gain=st.floats(0.3, 3), offset=st.floats(-1000, 1000))
def test_gain_and_offset_go_through(
    data: st.DataObject, method: str, gain: float, offset: float
) -> None:
    x = data.draw(signals(FS)).astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        known = [lead[~np.isnan(lead)] for lead in x.reshape(len(x), -1).T]
        assume(all(len(lead) and np.ptp(lead) > 0.1 for lead in known))
        # The least height of a QRS complex, in mV, does not scale: a network needs whole beats.
        assume(method != "ipmdae-base" or (len(x) > 3 * FS and not np.isnan(x).any()))
        plain = ipmdae.denoise(x, FS, method=method)
        other = ipmdae.denoise(gain * x + offset, FS, method=method)
    assert_allclose((other - offset) / gain, plain, atol=2e-3 * max(np.nanstd(x), 1))


@quickly
@given(data=st.data(), method=odd)
def test_a_lead_upside_down_gives_the_result_upside_down(data: st.DataObject, method: str) -> None:
    x = data.draw(signals(FS)).astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        plain, inverted = (ipmdae.denoise(sign * x, FS, method=method) for sign in (1, -1))
    assert_allclose(inverted, -plain, atol=1e-9)


def test_a_network_turns_nothing_upside_down() -> None:
    x = ecg(30)
    plain, inverted = (ipmdae.denoise(sign * x, FS) for sign in (1, -1))
    for lead in range(2):
        assert np.corrcoef(plain[:, lead], -inverted[:, lead])[0, 1] > 0.75

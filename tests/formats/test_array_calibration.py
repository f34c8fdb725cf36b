"""Gain and baseline that stand beside arrays of whole numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ipmdae import formats
from ipmdae.formats import FormatError, ReadOptions, calibration

pytestmark = pytest.mark.usefixtures("in_this_process")

ECG = np.random.default_rng(0).normal(0, 1, (300, 2))
STEPS = np.rint(ECG * 200 + 1024).astype("i2")


@pytest.fixture(params=["x.npz", "x.mat", "x.h5"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where to write."""
    return tmp_path / str(request.param)


def save(path: Path, **arrays: Any) -> Path:
    """Write arrays as users do; in HDF5, what is beside the signal as its attributes."""
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".mat":
        pytest.importorskip("scipy.io").savemat(path, arrays)
    else:
        with pytest.importorskip("h5py").File(path, "w") as file:
            (first, signal), *others = arrays.items()
            file[first] = signal
            file[first].attrs.update(others)
    return path


@pytest.mark.parametrize("name", ["val", "d_signal", "ecg"])
@pytest.mark.parametrize("units", [{}, {"units": ["adu"]}, {"units": ["mV", "mV"]}])
def test_wfdbs_gain_and_baseline(path: Path, name: str, units: dict[str, Any]) -> None:
    for gain in ({"adc_gain": [200.0, 200.0]}, {"gain": 200}):
        save(path, **{name: STEPS}, **gain, baseline=[1024, 1024], fs=250, **units)
        r = formats.read(path)
        assert r.units == ("mV", "mV")
        assert_allclose(r.signal, (STEPS - 1024.0) / 200)


def test_netcdfs_scale_and_offset(path: Path) -> None:
    save(path, ecg=STEPS, scale_factor=5.0, add_offset=-5120.0, units="uV", fs=250)
    assert_allclose(formats.read(path).signal, (STEPS - 1024.0) / 200, atol=1e-12)


def test_a_plain_gain_is_taken_as_steps_with_a_warning(path: Path) -> None:
    save(path, ecg=STEPS - 1024, gain=200.0, fs=250)
    with pytest.warns(UserWarning, match="gain of 200, taken as steps"):
        assert_allclose(formats.read(path).signal, (STEPS - 1024.0) / 200)


@pytest.mark.filterwarnings("ignore:.*says no unit")
def test_a_scale_without_a_unit_leaves_it_open(path: Path) -> None:
    save(path, ecg=STEPS, scale_factor=5.0, add_offset=-5120.0, fs=250)
    assert_allclose(formats.read(path).signal, (STEPS - 1024.0) / 200, atol=1e-12)
    save(path, ecg=STEPS * 1000, scale_factor=5.0, fs=250)
    with pytest.raises(FormatError, match="too large for mV and uV"):
        formats.read(path)


@pytest.mark.parametrize("dtype", ["i2", "i4", "f8"])
def test_wfdbs_code_of_a_missing_sample(path: Path, dtype: str) -> None:
    steps = STEPS.astype(dtype)
    steps[100:120, 0] = -(1 << 15)
    save(path, d_signal=steps, adc_gain=[200, 200], baseline=[1024, 1024], fs=250)
    signal = formats.read(path).signal
    assert np.isnan(signal[100:120, 0]).all()
    assert np.isnan(signal).sum() == 20


@pytest.mark.parametrize("code", ["_FillValue", "missing_value"])
@pytest.mark.parametrize(("dtype", "number"), [("i2", -999), ("f4", 9.96921e36), ("f4", -99.9)])
def test_netcdfs_codes_of_missing_samples(path: Path, code: str, dtype: str, number: float) -> None:
    stored = STEPS.astype(dtype)
    stored[100:120, 1] = number
    if path.suffix == ".mat" and code.startswith("_"):
        pytest.skip("no name of MATLAB's")
    save(path, ecg=stored, scale_factor=5.0, units="uV", fs=250, **{code: number})
    signal = formats.read(path).signal
    assert np.isnan(signal[100:120, 1]).all()
    assert np.isnan(signal).sum() == 20
    save(path, ecg=stored, units="uV", fs=250, **{code: "none"})
    with pytest.raises(FormatError, match="is no number"):
        formats.read(path)


@pytest.mark.parametrize(
    ("stated", "named"),
    [
        ({"adc_gain": 200, "offset": 1024}, "offset beside adc_gain"),
        ({"scale_factor": 0.005, "baseline": 1024}, "baseline beside scale_factor"),
        ({"adc_gain": 200, "scale_factor": 0.005}, "scale_factor beside adc_gain"),
        ({"scale_factor": 0.005, "adc_zero": 1024}, "adc_zero beside scale_factor"),
    ],
)
def test_what_is_not_applied_beside_a_gain_is_named(
    path: Path, stated: dict[str, Any], named: str
) -> None:
    save(path, ecg=STEPS, units="mV", fs=250, **stated)
    with pytest.warns(UserWarning, match=f"says {named}, which is not applied"):
        assert_allclose(formats.read(path).signal, STEPS / 200)


def test_a_converters_resolution_needs_not_be_applied(path: Path) -> None:
    save(path, ecg=STEPS, adc_gain=200, baseline=1024, adc_zero=0, adc_resolution=16, fs=250)
    assert_allclose(formats.read(path).signal, (STEPS - 1024.0) / 200)


@pytest.mark.parametrize("units", [{}, {"units": "uV"}])
def test_the_gain_of_an_amplifier_is_refused(path: Path, units: dict[str, str]) -> None:
    save(path, ecg=np.rint(ECG * 1000).astype("i2"), gain=24, fs=250, **units)
    with pytest.raises(FormatError, match="gain of 24, which may be"):
        formats.read(path)
    with pytest.warns(UserWarning, match="says gain; unit=uV overrules"):
        r = formats.read(path, options=ReadOptions(unit="uV"))
    assert_allclose(r.signal, ECG, atol=0.51e-3)


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"gain": 0.005}, r"gain of 0\.005.*or the size of a step"),
        ({"adc_gain": [200.0, 0.0]}, "adc_gain is not understood"),
        ({"adc_gain": [200.0, 200.0, 200.0, np.nan]}, "adc_gain is not understood"),
        ({"gain": "200/mV"}, "gain is not understood"),
        ({"adc_gain": 200.0, "baseline": [1.0, 2.0, 3.0]}, "3 of baseline for 2 leads"),
    ],
)
def test_calibrations_that_may_be_anything(
    path: Path, stated: dict[str, Any], message: str
) -> None:
    save(path, ecg=STEPS, fs=250, **stated)
    with pytest.raises(FormatError, match=message):
        formats.read(path)


@pytest.mark.filterwarnings("ignore:.*says no unit")
def test_what_is_not_applied_is_named(path: Path) -> None:
    save(path, ecg=STEPS, resolution=16, offset=3, fs=250)
    with pytest.warns(UserWarning, match="says offset, resolution beside whole numbers"):
        formats.read(path)
    with pytest.warns(UserWarning, match="says offset, resolution; unit=5uV overrules"):
        assert_allclose(formats.read(path, options=ReadOptions(unit="5uV")).signal, STEPS / 200)


def test_physical_values_are_left_alone(path: Path) -> None:
    save(path, ecg=ECG, adc_gain=200.0, baseline=1024, fs=250, units="mV")
    assert_allclose(formats.read(path).signal, ECG)
    save(path, p_signal=np.rint(ECG * 1000), adc_gain=200.0, baseline=0, fs=250, units="uV")
    assert_allclose(formats.read(path).signal, np.rint(ECG * 1000) / 1000)


def test_what_describes_a_signal_is_none(path: Path) -> None:
    save(path, mine=ECG, gain=[200.0, 200.0, 200.0], resolution=[16, 16, 16], fs=250, units="mV")
    assert_allclose(formats.read(path).signal, ECG)
    save(path, resolution=np.full(500, 16), fs=250)
    with pytest.raises(FormatError, match="has no array called"):
        formats.read(path)


def test_attributes_belong_to_their_own_array(tmp_path: Path) -> None:
    with pytest.importorskip("h5py").File(tmp_path / "x.h5", "w") as file:
        file.attrs["fs"] = 250
        file["acc"], file["ecg"] = ECG, ECG
        file["acc"].attrs.update(units="g", gain=[3, 3])
        file["ecg"].attrs["units"] = "uV"
    r = formats.read(tmp_path / "x.h5")
    assert r.units == ("mV", "mV")
    assert_allclose(r.signal, ECG / 1000)


@given(
    gain=st.floats(-1e4, 1e4).filter(lambda g: abs(g) > 1e-3),
    baseline=st.integers(-(1 << 15), 1 << 15),
)
def test_calibration_is_the_inverse_of_digitization(gain: float, baseline: int) -> None:
    steps = np.rint(ECG * gain + baseline)
    scopes = [{"adc_gain": np.array(gain), "baseline": np.array(baseline)}]
    signal, units = calibration.physical(
        Path("x"), "ecg", steps, scopes, np.array([True, True]), ["", "counts"], ReadOptions()
    )
    assert units == ["mV", "mV"]
    assert_allclose(signal, ECG, atol=0.51 / abs(gain))

"""``ipmdae.denoise``: what came in goes out, and nothing is silently wrong."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ecg_arrays import CLASSICAL, FS, ecg
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

import ipmdae
from ipmdae import examples, formats
from ipmdae.result import Result

# What came in goes out


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("one", [True, False])
def test_arrays_keep_shape_and_dtype(dtype: type[np.floating[Any]], one: bool) -> None:
    x = ecg()[:, 0 if one else slice(None)].astype(dtype)
    kept = x.copy()
    cleaned = ipmdae.denoise(x, FS)
    assert (cleaned.shape, cleaned.dtype) == (x.shape, x.dtype)
    assert_array_equal(x, kept)
    reference = ipmdae.denoise(x.astype(np.float64), FS)
    assert_allclose(cleaned.astype(np.float64), reference, atol=4 * float(np.finfo(dtype).eps))


def test_integers_are_taken_as_they_are_and_become_float() -> None:
    x = np.rint(2 * ecg()).astype(np.int16)
    cleaned = ipmdae.denoise(x, FS)
    assert cleaned.dtype == np.float64
    assert_array_equal(cleaned, ipmdae.denoise(x.astype(np.float64), FS))


def test_lists_come_back_as_lists() -> None:
    x = ecg(3)
    for values in (x.tolist(), x[:, 0].tolist()):
        cleaned = ipmdae.denoise(values, FS)
        assert type(cleaned) is list
        assert_array_equal(np.array(cleaned), ipmdae.denoise(np.array(values), FS))


def test_masked_samples_are_missing_and_stay_masked() -> None:
    x = ecg()
    masked = np.ma.MaskedArray(x, mask=np.zeros(x.shape, bool))
    masked[1000:1200, 1] = np.ma.masked
    cleaned = ipmdae.denoise(masked, FS)
    assert_array_equal(cleaned.mask, masked.mask)
    assert_array_equal(cleaned.filled(np.nan), ipmdae.denoise(masked.filled(np.nan), FS))


def test_masked_rows_of_a_list_and_of_a_recording_are_missing_too() -> None:
    x = np.ma.MaskedArray(ecg(), mask=np.zeros((3600, 2), bool))
    x[1000:1200, 1] = np.ma.masked
    x.data[x.mask] = -9999
    cleaned = ipmdae.denoise(x.filled(np.nan), FS)
    assert_array_equal(np.array(ipmdae.denoise(list(x), FS)), cleaned)
    for recording in (
        ipmdae.Recording.from_array(x, FS),
        ipmdae.Recording(signal=x, fs=FS, leads=("I", "II")),
    ):
        assert type(recording.signal) is np.ndarray
        assert_array_equal(recording.signal, x.filled(np.nan))


@pytest.mark.parametrize(
    ("step", "fits"),
    [
        *((1 / FS, True), (1000 / FS, True), (1e9 / FS, True), (1.0, True)),
        *((1 / 250, False), (2.0, False), (-1.0, False), (np.nan, False), (0.0, False)),
    ],
)
def test_an_index_of_numbers_that_contradicts_the_rate_is_warned_of(
    step: float, fits: bool
) -> None:
    frame = pd.DataFrame(ecg(), index=7 + step * np.arange(3600.0))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cleaned = ipmdae.denoise(frame, FS)
    assert [each.filename for each in caught] == [__file__] * (not fits)
    assert all("index" in str(each.message) for each in caught)
    assert_array_equal(cleaned.to_numpy(), ipmdae.denoise(ecg(), FS))


def test_the_default_index_is_no_time_whatever_part_of_it_is_left() -> None:
    frame = pd.DataFrame(ecg()).iloc[::3]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ipmdae.denoise(frame, FS / 3)


@pytest.mark.parametrize("dtype", ["float32", "float64", "Float64"])
def test_a_frame_keeps_index_and_columns(dtype: str) -> None:
    when = pd.date_range("2024-02-29", periods=3600, freq=pd.Timedelta(1 / FS, "s"))
    frame = pd.DataFrame(ecg(), index=when, columns=["MLII", "V1"]).astype(dtype)
    frame.iloc[100:200, 1] = np.nan
    kept = frame.copy()
    cleaned = ipmdae.denoise(frame, FS)
    assert list(cleaned.columns) == ["MLII", "V1"]
    pd.testing.assert_index_equal(cleaned.index, when)
    pd.testing.assert_frame_equal(frame, kept)
    expected = ipmdae.denoise(frame.to_numpy(np.float64, na_value=np.nan), FS)
    assert_allclose(cleaned.to_numpy(), expected, atol=1e-6)
    assert (cleaned.dtypes == (dtype if dtype.islower() else "float64")).all()


def test_a_series_keeps_index_and_name() -> None:
    series = pd.Series(ecg(leads=1)[:, 0], index=np.arange(3600) + 7, name="II")
    cleaned = ipmdae.denoise(series, FS)
    pd.testing.assert_index_equal(cleaned.index, series.index)
    assert cleaned.name == "II"
    assert_array_equal(cleaned, ipmdae.denoise(series.to_numpy(), FS))


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "int32"])
def test_tensors_keep_device_and_dtype_and_lose_the_gradient(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    x = torch.tensor(2 * ecg()).to(getattr(torch, dtype))
    if x.is_floating_point():
        x.requires_grad_()
    cleaned = ipmdae.denoise(x, FS)
    assert isinstance(cleaned, torch.Tensor)
    assert (cleaned.shape, cleaned.device) == (x.shape, x.device)
    assert cleaned.dtype == (x.dtype if x.is_floating_point() else torch.float32)
    assert not cleaned.requires_grad
    expected = ipmdae.denoise(x.detach().double().numpy(), FS)
    tolerance = 0.01 if dtype == "bfloat16" else 1e-5
    assert_allclose(cleaned.double().numpy(), expected, rtol=tolerance, atol=tolerance)


# Which leads, how much, by what


def test_leads_that_were_not_chosen_stay() -> None:
    x = ecg(leads=3)
    cleaned = ipmdae.denoise(x, FS, leads=[2])
    assert_array_equal(cleaned[:, :2], x[:, :2])
    assert_array_equal(cleaned[:, 2:], ipmdae.denoise(x[:, 2:], FS))
    frame = pd.DataFrame(ecg(leads=1), columns=["II"]).assign(who="somebody")
    frame.insert(0, "time", np.arange(3600) / FS)
    cleaned = ipmdae.denoise(frame, FS, leads=["II"])
    assert_array_equal(cleaned["II"], ipmdae.denoise(frame["II"], FS))
    pd.testing.assert_frame_equal(cleaned[["time", "who"]], frame[["time", "who"]])


@pytest.mark.parametrize("method", ["ipmdae-base", CLASSICAL])
def test_strength_is_the_share_that_is_removed(method: str) -> None:
    x = ecg()
    half, full = (ipmdae.denoise(x, FS, method=method, strength=s) for s in (0.5, 1.0))
    assert_allclose(half, (x + full) / 2, atol=1e-9)
    assert_allclose(ipmdae.denoise(x, FS, method=method, strength=0), x, atol=1e-12)


def test_hum_goes_where_mains_are_named() -> None:
    x = ecg()
    hum = 0.5 * np.sin(2 * np.pi * 50.1 * np.arange(len(x)) / FS)[:, None]
    left = ipmdae.denoise(x + hum, FS, method="none", mains=50) - x
    assert np.mean(left**2) < 1e-3 * np.mean(hum**2)


def test_a_method_may_be_passed_open() -> None:
    x = ecg()
    method = ipmdae.open_method("ipmdae-base", mains=50)
    assert_array_equal(ipmdae.denoise(x, FS, method=method), ipmdae.denoise(x, FS, mains=50))


def test_details_tell_what_was_removed_and_what_can_be_read() -> None:
    frame = pd.DataFrame(ecg(leads=3), columns=["I", "II", "III"])
    frame.loc[720:1800, "II"] = np.nan
    details = ipmdae.denoise(frame, FS, method=CLASSICAL, leads=["I", "II"], return_details=True)
    assert isinstance(details, Result)
    pd.testing.assert_frame_equal(
        details.cleaned, ipmdae.denoise(frame, FS, method=CLASSICAL, leads=["I", "II"])
    )
    pd.testing.assert_frame_equal(details.cleaned + details.noise, frame)
    assert (details.noise["III"] == 0).all()
    assert details.uncertainty is None
    assert details.readable.shape == frame.shape
    assert not details.readable[720:1800, 1].any()
    assert details.readable[3000:, 1].all()
    one = ipmdae.denoise(frame["I"], FS, return_details=True)
    assert one.readable.shape == one.noise.shape == (3600,)


def test_saturated_stretches_are_flagged() -> None:
    x = formats.read(examples.path("118e24_excerpt"), annotations=False).signal[:3600, :1].copy()
    top = x.max() + 5
    x[720:1800] = top
    details = ipmdae.denoise(x, FS, return_details=True)
    assert not details.readable[720:1800].any()
    assert details.readable[2160:].mean() > 0.5
    assert np.isfinite(details.cleaned).all()


# Bad input, each with a line that says what to do


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (np.zeros((2, 3, 4)), r"must be \(time,\) or \(time, leads\), got shape \(2, 3, 4\)"),
        (np.float64(1), r"got shape \(\)"),
        (np.zeros(0), "nothing to clean: 0 samples"),
        (np.zeros((0, 2)), "nothing to clean: 0 samples of 2 leads"),
        (np.zeros((9, 0)), "nothing to clean: 9 samples of 0 leads"),
        (np.array([1.0, np.inf] * 9), "infinite values; mark missing samples by NaN"),
        (np.ones(9, complex), "complex128 values, an ECG real numbers"),
        (np.array([1.0, None]), "object values"),
        (np.array(["1", "2"]), "<U1 values"),
        (np.ones(9, bool), "bool values"),
        ([[1.0, 2.0], [3.0]], "rows differ in length"),
        (np.zeros((12, 5000)), r"12 samples of 5000 leads: .* swapped; pass x\.T"),
        (np.column_stack([np.arange(900) / FS, ecg()[:900]]), "lead 0 rises with every sample"),
        (pd.DataFrame({"II": [1.0, 2.0], "note": ["a", "b"]}), "column 'note' holds"),
        (pd.Series(["a", "b"]), "the series holds"),
    ],
)
def test_what_is_no_ecg_is_refused(x: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        ipmdae.denoise(x, FS)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:.*is flat:UserWarning")
def test_a_sample_of_a_few_leads_is_taken_as_it_is() -> None:
    assert ipmdae.denoise(np.zeros((1, 2)), FS).shape == (1, 2)


@pytest.mark.parametrize("fs", ["250", np.array([250.0])])
def test_a_rate_that_is_no_number_is_refused(fs: Any) -> None:
    with pytest.raises(TypeError, match="fs must be a sampling rate in Hz"):
        ipmdae.denoise(np.zeros((1000, 1)), fs)


def test_complex_tensors_are_refused() -> None:
    torch = pytest.importorskip("torch")
    for values in (torch.ones(9, dtype=torch.complex64), torch.ones(9, dtype=torch.bool)):
        with pytest.raises(ValueError, match="values, an ECG real numbers"):
            ipmdae.denoise(values, FS)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"fs": 59}, "too low for an ECG"),
        ({"fs": 4001}, "too high for an ECG"),
        ({"fs": 0}, "must be positive"),
        ({"fs": float("nan")}, "must be positive"),
        ({"strength": 1.5}, "strength"),
        ({"strength": -0.1}, "strength"),
        ({"mains": 55}, "50 or 60"),
        ({"leads": [7]}, "no lead 7; there are: 0, 1"),
        ({"leads": [True, False]}, "no lead True; there are: 0, 1"),
        ({"leads": "II"}, r"must be a list, such as \['II'\]"),
        ({"method": "abacus"}, "unknown method 'abacus'; there are: ipmdae-base"),
        ({"method": "wiener"}, "must be fitted"),
    ],
)
@pytest.mark.parametrize("method", ["ipmdae-base", CLASSICAL])
def test_settings_that_make_no_sense_are_refused(
    options: dict[str, Any], says: str, method: str
) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        ipmdae.denoise(ecg(), **{"fs": FS, "method": method, **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("convert", "says"),
    [
        (lambda x: 1000 * x, "lead [01] has .* are its values microvolts"),
        (lambda x: np.rint(200 * x).astype(np.int16), "are its values microvolts"),
        (lambda x: x / 1000, "are its values volts"),
    ],
)
def test_other_units_are_warned_of(convert: Callable[[Any], Any], says: str) -> None:
    with pytest.warns(UserWarning, match=says):
        ipmdae.denoise(convert(ecg()), FS)


@pytest.mark.parametrize("method", ["ipmdae-base", CLASSICAL])
@pytest.mark.parametrize(
    "lead", [np.full(900, 2.0), np.full(900, np.nan), np.array([3.5]), np.full(2, -1)]
)
def test_flat_and_empty_leads_come_back_with_a_warning(
    method: str, lead: NDArray[np.float64]
) -> None:
    with pytest.warns(UserWarning, match="lead 0 is .* unchanged"):
        assert_array_equal(ipmdae.denoise(lead, FS, method=method), lead)


@pytest.mark.parametrize("method", ["ipmdae-base", "iir", CLASSICAL, "median"])
def test_offsets_of_volts_are_kept(method: str) -> None:
    x = ecg()
    plain, shifted = (ipmdae.denoise(x + offset, FS, method=method) for offset in (0, 5000))
    assert_allclose(shifted - 5000, plain, atol=1e-5)


def test_other_units_of_a_recording_are_said_and_never_called_good() -> None:
    units, leads = ("mV", "uV", "mmHg"), ("I", "II", "ABP")
    recording = ipmdae.Recording(signal=ecg(leads=3), fs=FS, leads=leads, units=units)
    with pytest.warns(UserWarning, match="lead II is in uV, not in mV: left unchanged"):
        details = ipmdae.denoise(recording, method=CLASSICAL, return_details=True)
    assert not (details.grade[:, 1:] == ipmdae.Grade.GOOD).any()
    assert_array_equal(details.recording.signal[:, 1:], recording.signal[:, 1:])


def test_a_frame_without_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="x is a DataFrame without columns"):
        ipmdae.denoise(pd.DataFrame(index=range(900)), FS)

"""Times in arrays: a column of the samples, or an array beside them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from ipmdae import formats
from ipmdae.formats import FormatError, ReadOptions

N = 600
ECG = np.random.default_rng(0).normal(0, 1, (N, 2))
SECONDS = np.arange(N) / 250
pytestmark = [
    pytest.mark.usefixtures("in_this_process"),
    pytest.mark.filterwarnings("ignore:.*says no unit"),
]


def with_times(*columns: NDArray[Any]) -> NDArray[np.float64]:
    return np.column_stack([*columns, ECG])


@pytest.fixture(params=["x.npy", "x.npz"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where to write."""
    return tmp_path / str(request.param)


def save(path: Path, signal: NDArray[Any], **others: Any) -> Path:
    if path.suffix == ".npy":
        np.save(path, signal)
    else:
        np.savez(path, signal=signal, **others)
    return path


@pytest.mark.parametrize(
    "times",
    [SECONDS, SECONDS * 1e3, 1e6 * SECONDS, 100 + SECONDS.round(3), 1.7e9 + SECONDS],
    ids=["s", "ms", "us", "rounded", "epoch"],
)
def test_the_rate_is_that_of_a_column_of_times(path: Path, times: NDArray[np.float64]) -> None:
    for stored in (with_times(times), with_times(times).T):
        r = formats.read(save(path, stored))
        assert (r.fs, r.leads) == (250, ("lead 1", "lead 2"))
        assert_allclose(r.signal, ECG)
        assert r.start == (datetime(2023, 11, 14, 22, 13, 20) if times[0] > 1e9 else None)


def test_a_counter_is_no_lead(path: Path) -> None:
    save(path, with_times(np.arange(N)))
    with pytest.raises(FormatError, match="says no sampling rate"):
        formats.read(path)
    assert_allclose(formats.read(path, fs=250).signal, ECG)
    save(path, with_times(np.arange(N), SECONDS))
    assert_allclose(formats.read(path).signal, ECG)


def test_a_stated_rate_leaves_the_times_out(path: Path) -> None:
    save(path, with_times(SECONDS))
    with pytest.warns(UserWarning, match="says 250 Hz; fs=500 overrules"):
        opened = formats.open_reader(path, options=ReadOptions(fs=500))
    with opened as reader:
        assert (reader.info.fs, len(reader.info.leads)) == (500, 2)
        assert_allclose(reader.read(10, 20), ECG[10:20])


def test_gaps_and_uneven_times(path: Path) -> None:
    r = formats.read(save(path, with_times(SECONDS + (np.arange(N) >= 400) * 0.4)))
    assert (r.fs, r.samples) == (250, N + 100)
    assert np.isnan(r.signal[400:500]).all()
    assert_allclose(r.signal[500:], ECG[400:])
    uneven = np.cumsum(np.random.default_rng(1).choice([0.001, 0.004, 0.02], N))
    save(path, with_times(uneven))
    with pytest.raises(FormatError, match="times are uneven"):
        formats.read(path)
    options = ReadOptions(resample=True, fs=250)
    assert formats.read(path, options=options).signal.shape[1] == 2


@pytest.mark.parametrize("begin", [0, 3000, 20_000])
@pytest.mark.parametrize("fs", [128, 250, 360, 500])
def test_times_as_fine_as_float32_holds_them(path: Path, fs: int, begin: int) -> None:
    stamps = (begin + np.arange(8000) / fs).astype(np.float32)
    ecg = np.resize(ECG, (8000, 2))
    for dtype in (np.float32, np.float64):  # as it is stored; or was, before columns were joined
        r = formats.read(save(path, np.column_stack([stamps, ecg]).astype(dtype)))
        assert (r.fs, r.samples) == (fs, 8000)
    np.savez(path.with_suffix(".npz"), time=stamps, ecg=ecg)
    assert formats.read(path.with_suffix(".npz")).samples == 8000


@pytest.mark.parametrize("fs", [360, 700, 750, 900, 1000])
def test_times_that_are_rounded_to_decimals(path: Path, fs: int) -> None:
    stamps = (5 + np.arange(8000) / fs).round(3)
    ecg = np.resize(ECG, (8000, 2))
    r = formats.read(save(path, np.column_stack([stamps, ecg])))
    assert (r.fs, r.samples) == (fs, 8000)


def test_a_sample_is_lost_among_times_in_whole_ms(path: Path) -> None:
    kept = np.arange(N) != 300
    r = formats.read(save(path, with_times((np.arange(N) / 1000).round(3))[kept]))
    assert (r.fs, r.samples) == (1000, N)


def test_the_first_times_are_missing(path: Path) -> None:
    for begin, start in ((0, None), (1.7e9, datetime(2023, 11, 14, 22, 13, 20, 4000))):
        stamps = begin + SECONDS
        stamps[:1] = np.nan
        with pytest.warns(UserWarning, match="1 of 600 time stamps"):
            r = formats.read(save(path, with_times(stamps)))
        assert (r.fs, r.samples, r.start) == (250, N, start)


@pytest.mark.parametrize(
    "described",
    [
        {"leads": ["II", "V5"], "units": ["uV"]},
        {"leads": ["time", "II", "V5"], "units": ["s", "uV", "uV"]},
        {"leads": ["time", "II", "V5"], "units": ["uV", "uV"]},
    ],
)
def test_names_and_units_of_all_columns_or_of_leads(
    tmp_path: Path, described: dict[str, list[str]]
) -> None:
    r = formats.read(save(tmp_path / "x.npz", with_times(SECONDS), **described))
    assert (r.fs, r.leads, r.units) == (250, ("II", "V5"), ("mV", "mV"))
    assert_allclose(r.signal, ECG / 1000)


@pytest.mark.parametrize("name", ["S1", "T2", "min", "H", "raw_time", "Level 1", "row 1", "epoch1"])
def test_no_lead_is_a_time_by_its_name_alone(tmp_path: Path, name: str) -> None:
    r = formats.read(save(tmp_path / "x.npz", ECG, leads=[name, "V1"], fs=250))
    assert (r.leads, r.samples) == ((name, "V1"), N)
    np.savez(tmp_path / "y.npz", fs=250, **{name: ECG[:, 0]})  # type: ignore[arg-type]
    assert_array_equal(formats.read(tmp_path / "y.npz").signal[:, 0], ECG[:, 0])


def test_what_is_called_a_time_series_is_not_passed_over(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", ecg_time_series=ECG, hr=np.linspace(60, 61, 20), fs=250)
    assert_array_equal(formats.read(tmp_path / "x.npz").signal, ECG)
    np.savez(tmp_path / "y.npz", ecg_time_series=ECG, another=ECG, fs=250)
    with pytest.raises(FormatError, match="several arrays that may be the signal"):
        formats.read(tmp_path / "y.npz")


@pytest.mark.parametrize("fault", ["falling", "again", "packets", "nan"])
def test_times_with_faults_are_no_leads(tmp_path: Path, fault: str) -> None:
    times = {
        "falling": SECONDS[::-1],
        "again": np.tile(SECONDS[: N // 2], 2),
        "packets": np.repeat(SECONDS[::10], 10),
        "nan": np.where(np.arange(N) % 5, np.nan, SECONDS),
    }[fault]
    path = save(tmp_path / "x.npz", with_times(times), leads=["time", "II", "V5"])
    with pytest.raises(FormatError, match="times are uneven"):
        formats.read(path)
    with pytest.warns(UserWarning, match="taken as even at 250 Hz"):
        assert formats.read(path, fs=250).leads == ("II", "V5")


def test_leads_that_are_numbered_are_leads(tmp_path: Path) -> None:
    r = formats.read(save(tmp_path / "x.npz", ECG, leads=["1", "2"], fs=250, units="mV"))
    assert r.leads == ("1", "2")
    assert_array_equal(r.signal, ECG)


@pytest.mark.parametrize("name", ["time", "t", "timestamps"])
def test_an_array_of_times_beside(tmp_path: Path, name: str) -> None:
    arrays: dict[str, Any] = {"mine": ECG, "units": "mV", name: SECONDS}
    np.savez(tmp_path / "x.npz", **arrays)
    r = formats.read(tmp_path / "x.npz")
    assert r.fs == 250
    assert_array_equal(r.signal, ECG)
    np.savez(tmp_path / "y.npz", fs=500, **arrays)
    with pytest.warns(UserWarning, match="states 500 Hz, but its times say 250 Hz"):
        assert formats.read(tmp_path / "y.npz").fs == 500


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        *(("ms", 1e-3), ("minutes", 60), ("hours", 3600), ("seconds since 1970-01-01", 1)),
        *(("minutes since 2026-03-04 10:00:00", 60), ("days since 2026-03-04T10:00:00Z", 86_400)),
    ],
)
def test_the_unit_of_an_array_of_times_is_an_attribute(
    tmp_path: Path, unit: str, factor: float
) -> None:
    epoch = 1_772_618_400 * unit.endswith("1970-01-01")
    with pytest.importorskip("h5py").File(tmp_path / "x.h5", "w") as file:
        file["ecg"], file["time"] = ECG, (60 + SECONDS + epoch) / factor
        file["time"].attrs["units"] = unit
    r = formats.read(tmp_path / "x.h5")
    assert (r.fs, r.samples) == (250, N)
    assert r.start == (datetime(2026, 3, 4, 10, 1) if "since" in unit else None)


def test_an_array_of_times_in_another_unit_is_left_out(tmp_path: Path) -> None:
    with pytest.importorskip("h5py").File(tmp_path / "x.h5", "w") as file:
        file["ecg"], file["time"], file["fs"] = ECG, SECONDS, 300
        file["time"].attrs["units"] = "fortnights"
    with pytest.warns(UserWarning, match="its time is in fortnights; left out"):
        assert formats.read(tmp_path / "x.h5").fs == 300


def test_times_alone_are_no_recording(path: Path) -> None:
    for stored in (SECONDS, np.column_stack([SECONDS, SECONDS * 1e3])):
        with pytest.raises(FormatError, match="times or counts"):
            formats.read(save(path, stored))


def test_a_few_samples_that_rise_are_samples(path: Path) -> None:
    ramp = np.arange(60.0).reshape(30, 2) / 200
    assert_array_equal(formats.read(save(path, ramp), fs=250).signal, ramp)


def test_the_axis_of_a_plot_is_no_signal(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=SECONDS, y=ECG[:, 0], fs=250, units="mV")
    assert_array_equal(formats.read(tmp_path / "x.npz").signal[:, 0], ECG[:, 0])


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_dates_beside_an_array_give_rate_and_start(tmp_path: Path, unit: str) -> None:
    first = np.datetime64("2026-01-02T03:04:05")
    times = (first + np.arange(N) * np.timedelta64(4, "ms")).astype(f"datetime64[{unit}]")
    np.savez(tmp_path / "x.npz", ecg=ECG, time=times)
    r = formats.read(tmp_path / "x.npz")
    assert (r.fs, r.start) == (250, datetime(2026, 1, 2, 3, 4, 5))
    np.savez(tmp_path / "y.npz", ecg=ECG, time=times - times[0])
    assert formats.read(tmp_path / "y.npz").fs == 250


def test_a_marker_in_an_array_is_a_missing_sample(tmp_path: Path) -> None:
    steps = np.round(1000 * ECG).astype(np.int16)
    steps[50:60] = -32768
    np.savez(tmp_path / "x.npz", ecg=steps, fs=250, units="uV")
    with pytest.warns(UserWarning, match="values of -32768, far from all others"):
        r = formats.read(tmp_path / "x.npz")
    assert np.isnan(r.signal).any(axis=1).nonzero()[0].tolist() == [*range(50, 60)]

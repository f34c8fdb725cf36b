"""Rates, starts and gaps from the time columns of tables, and unevenly sampled rows."""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from ipmdae import ReadOptions, formats
from ipmdae.formats import FormatError
from ipmdae.formats.resampling import resampled
from ipmdae.recording import Recording

pytestmark = pytest.mark.usefixtures("in_this_process")

START = datetime(2026, 11, 27, 10)
EPOCH = round((START - datetime(1970, 1, 1)).total_seconds())


def read(tmp_path: Path, stamps: list[str], head: str = "time", **options: object) -> Recording:
    rows = "".join(f"{stamp},{i % 11}\n" for i, stamp in enumerate(stamps))
    (tmp_path / "x.csv").write_text(f"{head},II (mV)\n{rows}")
    return formats.read(tmp_path / "x.csv", options=ReadOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("fs", [130, 125, 128, 200, 360, 512])
@pytest.mark.parametrize("power", [3, 6, 9])
@pytest.mark.parametrize("zero", [0, EPOCH])
@pytest.mark.parametrize("head", ["timestamp", "Timestamp [{}]", "{}"])
def test_whole_stamps_in_parts_of_a_second(
    tmp_path: Path, fs: int, power: int, zero: int, head: str
) -> None:
    unit = {3: "ms", 6: "us", 9: "ns"}[power]
    stamps = [f"{zero * 10**power + round(i * 10**power / fs)}" for i in range(1000)]
    r = read(tmp_path, stamps, head.format(unit))
    assert (r.fs, r.samples) == (fs, 1000)
    assert r.start == (START if zero else None)


@pytest.mark.slow
@given(
    fs=st.floats(60, 1000),
    decimals=st.integers(2, 6),
    rows=st.integers(300, 1500),
    zero=st.sampled_from([0.0, 12.34, 1e9 + 5e8]),
)
def test_the_rate_is_the_mean_within_what_rounding_allows(
    fs: float, decimals: int, rows: int, zero: float
) -> None:
    if 10.0**-decimals > 0.4 / fs:
        decimals = 3
    stamps = [f"{zero + i / fs:.{decimals}f}" for i in range(rows)]
    with TemporaryDirectory() as folder:
        r = read(Path(folder), stamps)
    doubt = fs * (10.0**-decimals + 5e-7 * (zero > 1e6)) / (rows / fs) + 1e-6 * fs
    assert abs(r.fs - fs) <= 2 * doubt
    assert r.samples == rows


def test_a_rate_near_a_common_one_is_not_changed(tmp_path: Path) -> None:
    assert read(tmp_path, [f"{i / 129.6:.4f}" for i in range(5000)]).fs == pytest.approx(129.6)
    assert read(tmp_path, [f"{i / 251:.3f}" for i in range(5000)]).fs == 251


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%dT%H:%M:%S.%f",
        "%Y-%m-%d %H:%M:%S.%f",
        "%Y/%m/%d %H:%M:%S.%f",
        "%d.%m.%Y %H:%M:%S.%f",
        "%Y-%m-%dT%H:%M:%S.%fZ",
        "%Y-%m-%d %H:%M:%S.%f+02:00",
        "%Y-%m-%d %H:%M:%S.%f -0400",
        "%Y-%m-%d %H:%M:%S.%f UTC",
        "%m/%d/%Y %H:%M:%S.%f",
        "%d/%m/%Y %H:%M:%S.%f",
        "%m/%d/%Y %I:%M:%S.%f %p",
    ],
)
def test_dates_begin_where_the_clock_of_the_recorder_stood(tmp_path: Path, form: str) -> None:
    stamps = [(START + timedelta(seconds=i / 200)).strftime(form) for i in range(300)]
    r = read(tmp_path, stamps)
    assert (r.fs, r.samples, r.start) == (200, 300, START)


def test_a_date_that_could_be_another_is_not_known(tmp_path: Path) -> None:
    at = datetime(2026, 4, 3, 23, 59, 59)
    stamps = [f"{at + timedelta(seconds=i / 200):%m/%d/%Y %I:%M:%S.%f %p}" for i in range(600)]
    r = read(tmp_path, stamps)
    assert (r.fs, r.samples, r.start) == (200, 600, None)


@pytest.mark.parametrize("form", ["%Y-%m-%d,%H:%M:%S.%f", "%d.%m.%Y,%H:%M:%S.%f"])
def test_a_date_stands_beside_its_clock(tmp_path: Path, form: str) -> None:
    stamps = [(START + timedelta(seconds=i / 200)).strftime(form) for i in range(300)]
    r = read(tmp_path, stamps, "date,time of day")
    assert (r.fs, r.leads, r.start) == (200, ("II",), START)


@pytest.mark.parametrize("head", ["時間", "ura", "tiempo transcurrido", "czas (s)", "x (s)"])
def test_times_are_found_whatever_they_are_called(tmp_path: Path, head: str) -> None:
    r = read(tmp_path, [f"{i / 125:.3f}" for i in range(500)], head)
    assert (r.fs, r.leads) == (125, ("II",))


@pytest.mark.parametrize("head", ["time", "stamp", ""])
def test_ms_since_1970_that_rise_by_one_are_times(tmp_path: Path, head: str) -> None:
    r = read(tmp_path, [f"{EPOCH * 1000 + i}" for i in range(300)], head)
    assert (r.fs, r.start, r.leads) == (1000, START, ("II",))


def test_clocks_pass_midnight(tmp_path: Path) -> None:
    at = [
        timedelta(hours=23, minutes=59, seconds=59) + timedelta(seconds=i / 200) for i in range(600)
    ]
    stamps = [f"{(datetime(2000, 1, 1) + t):%H:%M:%S.%f}" for t in at]
    r = read(tmp_path, stamps)
    assert (r.fs, r.samples) == (200, 600)


def test_a_column_that_counts_samples_tells_no_rate(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="says no sampling rate"):
        read(tmp_path, [str(i) for i in range(100)])
    assert read(tmp_path, [str(i) for i in range(100)], fs=250).fs == 250


def doubled(rows: int = 1000, fs: float = 130) -> list[str]:
    stamps = [f"{i / fs:.6f}" for i in range(rows)]
    stamps[500] = stamps[499]
    return stamps


@pytest.mark.parametrize("twice", [False, True])
def test_a_doubled_stamp_is_passed_over_with_a_warning(tmp_path: Path, twice: bool) -> None:
    stamps = doubled()
    if twice:  # the whole row
        stamps = [*stamps[:500], *(f"{(i - 1) / 130:.6f}" for i in range(500, 1001))]
    with pytest.warns(UserWarning, match="1 of 100. time stamps are doubled or out of step"):
        r = read(tmp_path, stamps)
    assert (r.fs, r.samples) == (130, len(stamps))
    assert_array_equal(r.signal[:, 0], np.arange(len(stamps)) % 11)


def test_few_wrong_stamps_among_many(tmp_path: Path) -> None:
    stamps = [f"{i / 250:.3f}" for i in range(3000)]
    stamps[100], stamps[200], stamps[2999] = "", "0.1", "nan"
    with pytest.warns(UserWarning, match="3 of 3000 time stamps"):
        r = read(tmp_path, stamps)
    assert (r.fs, r.samples) == (250, 3000)
    stamps[300:400] = ["0"] * 100
    with pytest.raises(FormatError, match=r"103 of 3000 are missing or do not rise, .* row 101"):
        read(tmp_path, stamps)


def jittered(rows: int = 2000, fs: float = 130) -> NDArray[np.float64]:
    noise = np.random.default_rng(0).normal(0, 0.003, rows)
    return np.arange(rows) / fs + noise


def test_uneven_stamps_are_refused_with_what_to_do(tmp_path: Path) -> None:
    stamps = [f"{t:.6f}" for t in jittered()]
    with pytest.raises(FormatError, match=r"its times are uneven: .*give the rate .*--resample"):
        read(tmp_path, stamps)
    with pytest.warns(UserWarning, match=r"uneven: .* taken as even at 130 Hz"):
        r = read(tmp_path, stamps, fs=130)
    assert (r.fs, r.samples) == (130, 2000)


def packets(rows: int = 2000, fs: float = 250, size: int = 10) -> list[list[str]]:
    stamps = [f"{i / fs:.3f}" for i in range(rows)]
    return [stamps[i : i + size] for i in range(0, rows, size)]


@pytest.mark.parametrize("fault", ["twice", "swapped"])
def test_packets_out_of_order_are_refused_and_can_be_sorted(tmp_path: Path, fault: str) -> None:
    p = packets()
    rows = [f"{t},{round(1000 * float(t)) % 17}" for packet in p for t in packet]
    q = [rows[i : i + 10] for i in range(0, 2000, 10)]
    q = [*q[:100], q[99], *q[100:]] if fault == "twice" else [*q[:100], q[101], q[100], *q[102:]]
    text = "\n".join(["time,II (mV)", *(row for packet in q for row in packet)])
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(FormatError, match=r"packet from row 10\d\d .*--resample"):
        formats.read(tmp_path / "x.csv")
    with pytest.warns(UserWarning, match="taken as even at 250 Hz"):
        formats.read(tmp_path / "x.csv", fs=250)
    r = formats.read(tmp_path / "x.csv", options=ReadOptions(resample=True))
    assert (r.fs, r.samples) == (250, 2000)
    assert_allclose(r.signal[:, 0], np.arange(0, 8000, 4) % 17, atol=1e-9)


@pytest.mark.parametrize("back", [1.0, 1.002])
def test_rows_after_a_clock_was_set_back_are_not_sorted_among_others(
    tmp_path: Path, back: float
) -> None:
    stamps = [f"{i / 250 - back * (i >= 1500):.3f}" for i in range(3000)]
    for resample in (False, True):
        with pytest.raises(FormatError, match=r"uneven|clock"):
            read(tmp_path, stamps, resample=resample)


def test_repeated_packets_with_an_empty_lead_are_dropped() -> None:
    t = np.arange(1000) / 250
    x = np.column_stack([np.sin(t), np.full(1000, np.nan)])
    rows = np.concatenate([np.arange(600), np.arange(500, 1000)])
    signal, fs = resampled(Path("x"), t[rows], x[rows], None)
    assert fs == 250
    assert_allclose(signal, x, atol=1e-9)


@pytest.mark.parametrize("fault", ["swapped", "gap"])
def test_a_stated_rate_does_not_hide_faults_of_times(tmp_path: Path, fault: str) -> None:
    p = packets()
    if fault == "swapped":
        p[100], p[101] = p[101], p[100]
    stamps = [t for q in p for t in q]
    if fault == "gap":  # of 2 s between stamps of packets
        stamps = [f"{float(q[0]) + 2 * (k > 99):.3f}" for k, q in enumerate(p) for _ in q]
    rows = "".join(f"{stamp},{i % 11}\n" for i, stamp in enumerate(stamps))
    (tmp_path / "x.csv").write_text(f"Sample Rate: 250 Hz\ntime,II (mV)\n{rows}")
    with pytest.warns(UserWarning, match="taken as even at 250 Hz"):
        formats.read(tmp_path / "x.csv")


@pytest.mark.parametrize("missing", [False, True])
def test_rows_with_the_time_of_their_packet_are_not_resampled(
    tmp_path: Path, missing: bool
) -> None:
    stamps = [t for p in packets() for t in [p[0], *["" if missing else p[0]] * 9]]
    for resample, advice in ((False, "take the rows as even$"), (True, "as even$")):
        with pytest.raises(FormatError, match=advice):
            read(tmp_path, stamps, resample=resample)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_uneven_rows_are_put_on_an_even_grid(tmp_path: Path, suffix: str) -> None:
    pd = pytest.importorskip("pandas")
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    t = np.sort(jittered())
    t[1000:] += 2.0
    frame = pd.DataFrame({"time": t, "II (mV)": np.sin(2 * np.pi * 3 * t)})
    path = tmp_path / f"x.{suffix}"
    frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path, index=False)
    r = formats.read(path, options=ReadOptions(resample=True))
    assert r.fs == 130
    assert abs(r.samples - 2260) <= 1
    at = t[0] + np.arange(r.samples) / 130
    gap = (at > t[999]) & (at < t[1000])
    assert_array_equal(np.isnan(r.signal[:, 0]), gap)
    assert_allclose(r.signal[~gap, 0], np.sin(2 * np.pi * 3 * at)[~gap], atol=0.02)
    assert formats.read(path, options=ReadOptions(resample=True, fs=250)).fs == 250


def test_the_interpolant_is_the_known_one() -> None:
    interpolate = pytest.importorskip("scipy.interpolate")
    rng = np.random.default_rng(1)
    t = np.cumsum(rng.uniform(0.5, 1.5, 300)) / 200
    x = rng.normal(size=(300, 2))
    out, fs = resampled(Path("x"), t, x, 170.0)
    at = t[0] + np.arange(len(out)) / fs
    inside = (at >= t[1]) & (at <= t[-2])  # the ends are extrapolated otherwise
    known = interpolate.PchipInterpolator(t, x)(at)
    assert_allclose(out[inside], known[inside], atol=1e-9)


@pytest.mark.parametrize("rows", [998, 999, 1000, 1001])
def test_a_last_row_whose_time_is_rounded_is_kept(rows: int) -> None:
    t = np.round(np.arange(rows) / 360, 3)
    out, _ = resampled(Path("x"), t, np.arange(rows, dtype=float)[:, None], 360.0)
    assert len(out) == rows
    assert out[-1, 0] == pytest.approx(rows - 1, abs=0.2)


def test_even_rows_stay_as_they_are(tmp_path: Path) -> None:
    r = read(tmp_path, [f"{i / 250:.3f}" for i in range(500)], resample=True)
    assert_array_equal(r.signal[:, 0], np.arange(500) % 11)


@pytest.mark.parametrize("resample", [False, True])
def test_few_bytes_announce_few_samples(tmp_path: Path, resample: bool) -> None:
    stamps = ["0", "0.001", "0.002", "2000000", "2000000.001"]
    with pytest.raises(FormatError, match=r"has 0.005 s of signal and gaps of 2e\+06 s; split"):
        read(tmp_path, stamps, resample=resample, fs=1000 if resample else None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert read(tmp_path, stamps, fs=1000).samples == 5


def test_gaps_of_hours_are_kept(tmp_path: Path) -> None:
    stamps = [f"{i / 100 + 3600 * (i >= 500):.2f}" for i in range(1000)]
    with pytest.warns(UserWarning, match="times have a gap of 1 h before row 501"):
        r = read(tmp_path, stamps)
    assert r.samples == 361_000
    assert np.isfinite(r.signal).sum() == 1000


@pytest.mark.slow
def test_thousands_of_columns_of_one_name(tmp_path: Path) -> None:
    names = ["time", *["a"] * 3000]
    rows = ["".join(f",{i}.5" for i in range(3000))] * 3
    text = "\n".join([",".join(names), *(f"{k / 250}{row}" for k, row in enumerate(rows))])
    (tmp_path / "x.csv").write_text(text)
    with pytest.warns(UserWarning, match="says no unit"):
        r = formats.read(tmp_path / "x.csv")
    assert (len(set(r.leads)), r.leads[2999]) == (3000, "a 3000")


def test_the_head_is_believed_where_times_are_uneven_or_disagree(tmp_path: Path) -> None:
    rows = "".join(f"{t:.6f},{i % 7}\n" for i, t in enumerate(jittered()))
    (tmp_path / "x.csv").write_text("Sample Rate: 130 Hz\ntime,II (mV)\n" + rows)
    assert formats.read(tmp_path / "x.csv").fs == 130
    rows = "".join(f"{i / 125:.3f},{i % 7}\n" for i in range(500))
    (tmp_path / "x.csv").write_text("Sample Rate: 250 Hz\ntime,II (mV)\n" + rows)
    with pytest.warns(UserWarning, match="states 250 Hz, but its times say 125 Hz"):
        assert formats.read(tmp_path / "x.csv").fs == 250
    with pytest.warns(UserWarning, match="says 250 Hz; fs=125 overrules it"):
        assert formats.read(tmp_path / "x.csv", fs=125).fs == 125


@pytest.mark.slow
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
@pytest.mark.parametrize("name", [None, "when"])
def test_an_index_of_dates_is_kept_by_parquet(
    tmp_path: Path, zone: str | None, name: str | None
) -> None:
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    index = pd.date_range(
        START, periods=2600, freq=pd.Timedelta(seconds=1) / 130, tz=zone, name=name
    )
    values = np.arange(2600) % 13 / 10.0
    pd.DataFrame({"ecg (mV)": values}, index=index).to_parquet(tmp_path / "x.parquet")
    r = formats.read(tmp_path / "x.parquet")
    assert (r.fs, r.leads, r.start, r.samples) == (130, ("ecg",), START, 2600)
    formats.write(r, tmp_path / "y.parquet")
    back = pd.read_parquet(tmp_path / "y.parquet")
    assert abs(back.index - index.tz_localize(None)).max() <= pd.Timedelta(10, "us")
    assert_array_equal(back["ecg (mV)"], values)
    assert formats.read(tmp_path / "y.parquet").start == START


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_dates_are_as_fine_as_they_are_rounded(tmp_path: Path, unit: str) -> None:
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    stamps = EPOCH * 1000 + np.round(np.arange(2600) / 130 * 1000)
    times = pd.to_datetime(stamps, unit="ms").as_unit(unit)
    table = pd.DataFrame({"time": times, "ecg (mV)": np.arange(2600) % 13 / 10.0})
    table.to_parquet(tmp_path / "x.parquet")
    r = formats.read(tmp_path / "x.parquet")
    assert (r.fs, r.start, r.samples) == (130, START, 2600)


@pytest.mark.slow
@pytest.mark.parametrize("fs", [130, 1000])
@pytest.mark.parametrize("power", [3, 6, 9])
def test_parquet_counts_from_1970(tmp_path: Path, power: int, fs: int) -> None:
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    stamps = [EPOCH * 10**power + round(i * 10**power / fs) for i in range(1300)]
    frame = pd.DataFrame({"timestamp": stamps, "ecg (uV)": np.arange(1300) % 500, "hr": 70})
    frame.to_parquet(tmp_path / "x.parquet", index=False)
    r = formats.read(tmp_path / "x.parquet")
    assert (r.fs, r.start, r.leads, r.units) == (fs, START, ("ecg", "hr"), ("mV", "bpm"))

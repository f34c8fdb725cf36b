"""Numbers of tables as programs write them: decimal commas, missing values, minus signs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from test_dialects import ECG, T, quiet, read

from ipmdae.formats import FormatError


@pytest.mark.parametrize(
    "row",
    [
        '"{t};{a};{b}"',
        "{t};{a};{b}",
        '"{t}";"{a}";"{b}"',
        "{t}\t{a}\t{b}",
        "{t} {a} {b}",
        '"{t}","{a}","{b}"',
    ],
)
def test_decimal_commas(tmp_path: Path, row: str) -> None:
    row = row if row.count('"') != 2 else row.strip('"')
    rows = [
        row.format(t=f"{k / 250:.3f}", a=f"{ECG[k] / 1000:.3f}", b=f"{-ECG[k] / 1000:.3f}")
        for k in T
    ]
    head = row.format(t="time", a="I_mV", b="II_mV")
    text = "\r\n".join([head, *(r.replace(".", ",") for r in rows)])
    r = read(tmp_path, text)
    assert (r.fs, r.leads, r.samples) == (250, ("I", "II"), len(T))
    assert_allclose(r.signal, np.stack([ECG, -ECG], 1) / 1000)


@pytest.mark.parametrize("head", ["ecg (mV)\n", "", "# one lead\n", "ecg\nmV\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_single_lead_with_decimal_commas(tmp_path: Path, head: str, end: str) -> None:
    text = head + "".join(f"{value / 1000:.3f}\n".replace(".", ",") for value in ECG)
    with quiet():
        r = read(tmp_path, text.replace("\n", end), fs=130)
    assert (r.signal.shape, r.units) == ((len(ECG), 1), ("mV",))
    assert_allclose(r.signal[:, 0], ECG / 1000)


def test_two_columns_of_whole_numbers_are_two(tmp_path: Path) -> None:
    text = "I (uV),II (uV)\n" + "".join(f"{a:.0f},{abs(a):.0f}\n" for a in ECG)
    assert read(tmp_path, text, fs=250).leads == ("I", "II")
    bare = "".join(f"{a:.0f},{abs(a):.0f}\n" for a in ECG)
    with quiet():
        assert read(tmp_path, bare, fs=250).signal.shape == (len(ECG), 2)


ADC = np.round(512 + ECG / 20).astype(int)


def two_whole(head: str, first: NDArray[np.int64] = ADC) -> str:
    """Times or samples and samples of a converter, all of as many digits."""
    return head + "".join(f"{a},{b}\n" for a, b in zip(first, ADC, strict=True))


TIMES_AND_STEPS = [
    two_whole("", 5213 + 4 * T),
    two_whole("", 1_773_479_700_000 + 4 * T),
    *(
        two_whole(f"{head}\n", 5213 + 4 * T)
        for head in ("ms,adc", "time,adc", "millis,adc", "ms,uV", "time,µV", "a title")
    ),
]
TWO_STEPS = [two_whole(""), two_whole("Sampling rate: 250 Hz\n"), two_whole("a title\n", 9 * ADC)]


@pytest.mark.parametrize("text", TIMES_AND_STEPS)
def test_whole_times_and_steps_of_a_converter_are_two_columns(tmp_path: Path, text: str) -> None:
    with quiet():
        r = read(tmp_path, text, unit="uV")
    assert (r.fs, r.signal.shape) == (250, (len(T), 1))
    assert_allclose(r.signal[:, 0], ADC / 1000)


@pytest.mark.parametrize("text", TWO_STEPS)
def test_steps_of_two_converters_are_two_columns(tmp_path: Path, text: str) -> None:
    with quiet():
        r = read(tmp_path, text, fs=250)
    assert r.signal.shape == (len(T), 2)
    assert_allclose(r.signal[:, 1], ADC / 1000)


DECIMAL_COMMAS = [
    "0,125\n-0,250\n-1,500\n0,750\n",
    "Sampling rate: 250 Hz\n0,125\n-0,250\n-1,500\n0,750\n",
    "Unit,mV\n0,125\n-0,250\n-1,500\n0,750\n",
    "ecg\n0,125\n-0,25\n-1,5\n0,75\n",
]


@pytest.mark.parametrize("text", DECIMAL_COMMAS)
def test_few_numbers_with_decimal_commas(tmp_path: Path, text: str) -> None:
    with quiet():
        r = read(tmp_path, text, fs=250)
    assert r.signal.T.tolist() == [[0.125, -0.25, -1.5, 0.75]]


MISSING = ["---", "--", "?", "*", ".", "!", "OFF", "Off", "NaN(0)", "-1.#IND", "nil", "NULL"]


def interrupted(mark: str) -> str:
    """A table with a cell that is missing."""
    rows = [f"{k / 250:.3f},{mark if k == 40 else ECG[k]}" for k in T]
    return "\n".join(["time (s),ECG (uV)", *rows, ""])


@pytest.mark.parametrize("mark", MISSING)
def test_marks_of_missing_values(tmp_path: Path, mark: str) -> None:
    r = read(tmp_path, interrupted(mark))
    assert np.flatnonzero(np.isnan(r.signal)).tolist() == [40]


RULED = interrupted("").replace("\n", "\n---,---\n", 1)
SETTING = "time (s),ECG (uV),notch\n" + "".join(f"{k / 250:.3f},{ECG[k]},off\n" for k in T)


def test_marks_that_are_no_missing_values(tmp_path: Path) -> None:
    assert np.isnan(read(tmp_path, RULED).signal[:, 0]).sum() == 1
    with pytest.warns(UserWarning, match="notch holds no numbers and is left out"):
        assert read(tmp_path, SETTING).leads == ("ECG",)


def test_minus_signs_of_typesetters(tmp_path: Path) -> None:
    text = "ecg (uV)\n" + "".join(f"{value:.0f}\n".replace("-", "\u2212") for value in ECG)
    assert_allclose(read(tmp_path, text, fs=250).signal[:, 0], ECG / 1000)


def off(mark: str) -> str:
    """A lead in V around 1.5 V, off for some samples."""
    values = [1.5 + value / 10_000 for value in ECG]
    rows = [f"{4 * k},{mark if 100 <= k < 120 else f'{values[k]:.3f}'}" for k in T]
    return "\n".join(["time_ms,ECG (V)", *rows, ""])


OFF = ["5", "-1", "0"]


@pytest.mark.parametrize("mark", OFF)
def test_whole_numbers_of_a_lead_off_do_not_make_thousands_of_decimals(
    tmp_path: Path, mark: str
) -> None:
    r = read(tmp_path, off(mark))
    assert_allclose(np.delete(r.signal[:, 0], np.s_[100:120]),
                    np.delete(1500 + ECG / 10, np.s_[100:120]), atol=1)  # fmt: skip


GROUPED = [
    ("Sampling rate: 250 Hz\nII (uV),V1 (uV)", '"{a}","{b}"'),
    ("time (ms),II (uV),V1 (uV)", '{ms},"{a}","{b}"'),
    ("time (s),II (uV),V1 (uV)", '{s},"{a}","{b}"'),
    ("time (ms);II (uV);V1 (uV)", "{ms};{A};{B}"),
]


def grouped(head: str, row: str) -> str:
    """Two leads with the offset of their electrodes, whose thousands are grouped."""
    text = head + "\n"
    for k in T:
        a, b = f"{-6000 - ECG[k]:,.0f}", f"{5500 + ECG[k]:,.0f}"
        times = {"ms": 4 * k, "s": f"{k / 250:.3f}"}
        commas = {"A": a.replace(",", "."), "B": b.replace(",", ".")}
        text += row.format(a=a, b=b, **times, **commas) + "\n"
    return text


@pytest.mark.parametrize(("head", "row"), GROUPED)
def test_thousands_of_an_electrode_offset_are_no_decimals(
    tmp_path: Path, head: str, row: str
) -> None:
    r = read(tmp_path, grouped(head, row))
    assert_allclose(r.signal, np.stack([-6000 - ECG, 5500 + ECG], 1) / 1000, atol=1e-3)


MARKERS = [-32768, 32767, 65535, 99999, -999_999, -(2**31)]


def marked(marker: int) -> str:
    """A lead with a number for missing samples."""
    rows = [f"{k / 250:.3f},{marker if 100 <= k < 110 else ECG[k]}" for k in T]
    return "\n".join(["time (s),ECG (uV)", *rows, ""])


@pytest.mark.parametrize("marker", MARKERS)
def test_numbers_that_mark_missing_samples(tmp_path: Path, marker: int) -> None:
    with pytest.warns(UserWarning, match=f"values of {marker}, far from all others"):
        r = read(tmp_path, marked(marker))
    assert np.flatnonzero(np.isnan(r.signal)).tolist() == [*range(100, 110)]


RAIL = "time (s),ECG (uV)\n" + "".join(f"{k / 250:.3f},{min(ECG[k] * 40, 32767):.0f}\n" for k in T)


def test_a_rail_that_the_signal_reaches_is_no_marker(tmp_path: Path) -> None:
    r = read(tmp_path, RAIL)
    assert not np.isnan(r.signal).any()
    assert r.signal.max() == pytest.approx(32.767)


ENCODINGS = [("cp1251", "Отведение"), ("gbk", "导联二")]


def called(lead: str) -> str:
    """A lead of this name."""
    return f"time (s),{lead} (mV)\n" + "".join(f"{k / 250:.3f},{ECG[k] / 1000}\n" for k in T)


@pytest.mark.parametrize(("encoding", "lead"), ENCODINGS)
def test_names_of_another_encoding_are_doubted(tmp_path: Path, encoding: str, lead: str) -> None:
    with pytest.warns(UserWarning, match="is not UTF-8; names such as"):
        read(tmp_path, called(lead).encode(encoding))
    assert read(tmp_path, called(lead)).leads == (lead,)
    latin = called("Ableitung für µV").encode("latin-1")
    assert read(tmp_path, latin).leads == ("Ableitung für µV",)


def test_a_stamp_that_is_no_time_is_named(tmp_path: Path) -> None:
    seconds = [f"2016-12-31 23:59:{k // 8:02}.{k % 8 * 125:03}" for k in range(len(T))]
    seconds = [*seconds[:390], *(f"2016-12-31 23:59:60.{k:03}" for k in range(10))]
    text = "time,ECG (uV)\n" + "".join(f"{s},{a}\n" for s, a in zip(seconds, ECG, strict=True))
    with pytest.raises(FormatError, match=r"invalid time \('2016-12-31 23:59:60.000' is not"):
        read(tmp_path, text)


def test_a_missing_time_of_the_day_is_named(tmp_path: Path) -> None:
    clocks = [f"10:00:{k // 8:02}.{k % 8 * 125:03}" for k in range(len(T))]
    clocks[300] = ""
    text = "time,ECG (uV)\n" + "".join(f"{s},{a}\n" for s, a in zip(clocks, ECG, strict=True))
    with pytest.raises(FormatError, match=r"invalid time \('' is not a time\)"):
        read(tmp_path, text)

"""Numbers of tables as programs write them: decimal commas, missing values, minus signs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from test_dialects import ECG, T, quiet, read


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

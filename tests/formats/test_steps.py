"""Sizes of a converter's step in the lines above tables, and what only looks like one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from test_dialects import quiet, read

from ipmdae.formats.steps import step_of

STEPS = np.rint(80 * np.sin(np.arange(60) / 5) + 3 * np.cos(np.arange(60))).astype(int)
"""Whole numbers that are taken as µV by their size."""

STATED = [
    *("Resolution: 4.88 uV/LSB", "Resolution (uV/LSB): 4.88", "Resolution [µV/LSB] = 4,88"),
    *("Resolution uV/LSB: 4.88", "Gain: 204.918 LSB/mV", "Gain (LSB/mV): 204.918"),
    *("1 LSB = 4.88 uV", "LSB = 4.88 uV", "one bit: 4.88 uV", "1 mV = 204.918 LSB"),
    *("uV per bit: 4.88", "Resolution: 4.88 uV", "Amplitude resolution; 4.88e-3 mV"),
    *("Scale factor: 0.00488 mV", "Unit: 4.88uV", "Units: 0.00488 mV", "LSB size: 4.88 uV"),
    *("Auflösung: 4,88 µV", "Resolution: 12 bit, 4.88 uV/LSB", "Resolution=4.88\nUnit=uV"),
    "Resolution: 4.88 uV/LSB\nGain: 204.9 LSB/mV",
]

NOT_STATED = [
    *("Resolution: 12 bit", "Resolution: 12", "Resolution (bit): 12", "Filter: 0.05 mV"),
    *("Gain: 10 mm/mV", "10 mm/mV", "Gain (mm/mV): 10", "Scale: 0.5 mV/div", "ADC: 5 V"),
    *("Calibration: 1 mV", "Range (mV): 5", "1 mV = 10 mm", "Time resolution: 4 ms", "Unit: mV"),
    *("Units: 1 mV", "Resolution=16\nUnit=mV", "Resolution: 4.88 uV\nGain: 500 LSB/mV"),
]


def headed(lines: str, columns: str = "ecg") -> str:
    """A table of :data:`STEPS` with lines above, and the headings of columns."""
    row = ",".join(["{0}"] * len(columns.split(",")))
    return f"{lines}\n{columns}\n" + "".join(f"{row.format(value)}\n" for value in STEPS)


@pytest.mark.parametrize("columns", ["ecg", "I,II"])
@pytest.mark.parametrize("lines", STATED)
def test_a_size_of_a_step_is_applied(tmp_path: Path, lines: str, columns: str) -> None:
    with pytest.warns(UserWarning, match="steps of 4.88"):
        r = read(tmp_path, headed(lines, columns), fs=250)
    assert r.leads == tuple(columns.split(","))
    assert_allclose(r.signal[:, 0], STEPS * 0.00488, rtol=1e-5)


@pytest.mark.parametrize("lines", NOT_STATED)
def test_what_is_no_size_of_a_step_is_left_alone(tmp_path: Path, lines: str) -> None:
    with quiet():
        r = read(tmp_path, headed(lines), fs=250)
    assert_allclose(r.signal[:, 0], STEPS if "Unit" in lines else STEPS / 1000)


def test_values_that_are_no_whole_numbers_are_in_the_unit(tmp_path: Path) -> None:
    text = "Resolution=4.88\nUnit=uV\necg\n0.5\n1.25\n-2\n"
    assert_allclose(read(tmp_path, text, fs=250).signal[:, 0], [0.0005, 0.00125, -0.002])


@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from(["", "uV"]))
def test_any_line_states_a_positive_size_or_none(key: str, value: str, unit: str) -> None:
    found = step_of(key, value, unit)
    assert found is None or found > 0

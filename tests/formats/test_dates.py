"""Dates in heads and columns of tables, and the lead that a head names."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from test_dialects import ECG, quiet, read

from ipmdae.formats.dates import local_time

AT = datetime(2026, 3, 14, 9, 26, 53)

DATED = [
    *(
        "14 Mar 2026 09:26:53",
        "14-MAR-2026 09:26:53",
        "14-Mar-26 09:26:53",
        "14. March 2026 9:26:53",
    ),
    *(
        "Sat Mar 14 2026 09:26:53 GMT+0100",
        "Saturday, 14 March 2026 09:26:53",
        "2026-03-14 9:26:53",
    ),
    *("Mar 14, 2026 09:26:53", "Mar 14, 2026 9:26:53 AM", "Sat Mar 14 09:26:53 CET 2026"),
    *("[09:26:53.000 14/03/2026]", "2026-03-14 09:26:53 a.m.", "3/14/2026 9:26:53 AM"),
]
"""Spellings of :data:`AT`."""

UNDATED = ["14 Mar 09:26:53", "1 Jan 1980", "03/04/2026 09:26:53", "14 Foo 2026 09:26:53"]

STAMPED = ["%d %b %Y %H:%M:%S.%f", "%d-%b-%Y %H:%M:%S.%f", "%b %d, %Y %H:%M:%S.%f"]
"""Spellings of dates in a column."""


def dated(text: str) -> str:
    """A table with a date above it."""
    return f"Sampling rate: 250 Hz\nRecorded: {text}\necg (uV)\n1\n2\n3\n"


@pytest.mark.parametrize("text", DATED)
def test_dates_in_many_spellings(tmp_path: Path, text: str) -> None:
    assert local_time(text) == AT
    assert read(tmp_path, dated(text)).start == AT


@pytest.mark.parametrize("text", UNDATED)
def test_what_is_no_date(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, dated(text)).start is None


def test_the_afternoon_is_later_than_the_morning() -> None:
    for text in ("Mar 14, 2026, 9:26:53 PM", "2026-03-14 09:26:53 pm", "14.03.2026 9:26:53 PM"):
        assert local_time(text) == AT.replace(hour=21)
    assert local_time("2026-03-14 12:26:53 AM") == AT.replace(hour=0)


def test_date_and_time_on_lines_of_their_own(tmp_path: Path) -> None:
    text = dated("x").replace("Recorded: x", "Date: 14 Mar 2026\nTime: 09:26:53")
    assert read(tmp_path, text).start == AT


def stamped(form: str) -> str:
    """A table with a date in each row, at 250 Hz."""
    at = np.datetime64(AT) + 4000 * np.arange(len(ECG)).astype("timedelta64[us]")
    rows = [f'"{t.astype(datetime):{form}}",{v:.0f}' for t, v in zip(at, ECG, strict=True)]
    return "\n".join(["time,ecg (uV)", *rows, ""])


@pytest.mark.parametrize("form", STAMPED)
def test_dates_in_a_column(tmp_path: Path, form: str) -> None:
    r = read(tmp_path, stamped(form))
    assert (r.fs, r.start, r.leads) == (250, AT, ("ecg",))


def rdsamp(mark: str) -> str:
    """Text of WFDB's ``rdsamp -p -v`` (tabs) or ``-c -v`` (commas) of a record with a start."""
    rows = ["'Time and date'", "'MLII'"], ["'hh:mm:ss.mmm dd/mm/yyyy'", "'mV'"]
    lines = [mark.join(row) for row in rows]
    for i, value in enumerate(ECG):
        second, rest = divmod(4 * i, 1000)
        stamp = f"[09:26:{53 + second:02}.{rest:03} 14/03/2026]"
        lines.append(mark.join([f"'{stamp}'" if mark == "," else stamp, f"{value / 1000:.3f}"]))
    return "\n".join([*lines, ""])


@pytest.mark.parametrize("mark", [",", "\t"])
def test_rdsamp_with_dates(tmp_path: Path, mark: str) -> None:
    r = read(tmp_path, rdsamp(mark))
    assert (r.fs, r.start, r.leads, r.units) == (250, AT, ("MLII",), ("mV",))
    assert_allclose(r.signal[:, 0], ECG / 1000)


LEADS = {
    "Lead,Lead II": "II",
    "Lead: V1": "V1",
    "Ableitung: aVR": "aVR",
    "Lead: I, II": "",
    "Leadership: II": "",
}
"""Lines of a head, and the lead that they name."""


def of_lead(line: str) -> str:
    """A table without headings below a line that names its lead."""
    return f"Sampling rate: 250 Hz\nUnit: uV\n{line}\n" + "".join(f"{v:.0f}\n" for v in ECG)


@pytest.mark.parametrize("line", LEADS)
def test_the_lead_that_a_head_names(tmp_path: Path, line: str) -> None:
    assert read(tmp_path, of_lead(line)).leads == (LEADS[line] or "lead 1",)


VOLTS = {
    **{"Volt": 1000, "Volts": 1000, "ECG (Volt)": 1000, "ECG Volts": 1000, "mVolt": 1},
    **{"millivolts": 1, "microvolts": 1e-3, "ECG microvolt": 1e-3, "ECG V": 1000},
}
"""Headings, and mV in the unit that they state."""


def in_volts(heading: str) -> str:
    """A table whose heading is the unit, or ends in it."""
    scale = VOLTS.get(heading, 1)
    return f"{heading}\n" + "".join(f"{v / 1000 / scale:.9f}\n" for v in ECG)


@pytest.mark.parametrize("heading", VOLTS)
def test_words_for_volts_are_units(tmp_path: Path, heading: str) -> None:
    r = read(tmp_path, in_volts(heading), fs=250)
    assert r.units == ("mV",)
    assert_allclose(r.signal[:, 0], ECG / 1000, atol=1e-6)


def test_voltage_is_no_unit(tmp_path: Path) -> None:
    for heading in ("Voltage", "ECG Voltage"):
        with quiet(), pytest.warns(UserWarning, match="no unit"):
            assert_allclose(read(tmp_path, in_volts(heading), fs=250).signal[:, 0], ECG / 1000)

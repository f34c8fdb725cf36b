"""Tables of text as programs and spreadsheets export them: heads, signs of numbers, times."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from test_dialects import ECG, T, quiet, read

from ipmdae.formats import FormatError

MV = "".join(f"{value / 1000:.3f}\n" for value in ECG)
TWO = "".join(f"{k / 250:.3f},{ECG[k] / 1000:.3f}\n" for k in T)
RECORDED = datetime(2026, 3, 14, 9, 15)


@pytest.mark.parametrize(
    ("text", "fs"),
    [
        (f"{head}ecg (mV)\n{MV}", fs)
        for head, fs in (
            ("Notch filter: 60 Hz\nSampling rate: 250 Hz\n", 250),
            ("Rate: 72\nSampling rate: 250\n", 250),
            ("Frequency: 50\nSampling interval: 4.000 ms\n", 250),
            ("Sampling rate: 1,000 Hz\n", 1000),
            ("Sampling rate: 1 000 Hz\n", 1000),
            ("Sampling rate (Hz): 1\u00a0000\n", 1000),
            ("Sampling rate: 1.000 kHz\n", 1000),
        )
    ],
)
def test_the_rate_of_a_head_with_others(tmp_path: Path, text: str, fs: float) -> None:
    assert read(tmp_path, text).fs == fs


def test_a_filter_states_no_rate(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="says no sampling rate"):
        read(tmp_path, f"Filter: 150 Hz\necg (mV)\n{MV}")


@pytest.mark.parametrize(
    "line",
    [
        *("LP filter frequency (Hz): 40", "Notch 50 Hz", "dt: 2026-03-14 09:15:00"),
        "Sampling 2 electrodes",
    ],
)
def test_lines_that_state_no_rate(tmp_path: Path, line: str) -> None:
    with pytest.raises(FormatError, match="says no sampling rate"):
        read(tmp_path, f"{line}\necg (mV)\n{MV}")


@pytest.mark.parametrize(
    "text",
    [
        f"{head}fs: 250\necg (mV)\n{MV}"
        for head in (
            "Export date: 2026-05-01 12:00:00\nRecording date: 2026-03-14 09:15:00\n",
            "Date: 14.03.2026\nTime: 09:15:00\n",
            "Exported: 2026-05-01 12:00:00\nDate: 3/14/2026\nTime: 9:15:00 AM\n",
        )
    ],
)
def test_the_start_of_a_head_with_other_dates(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text).start == RECORDED


PAIRS = [f"{value:.0f},{-value:.0f}" for value in ECG]


@pytest.mark.parametrize(
    "text",
    [
        text.replace("{}", "\n".join(PAIRS)).replace("{,}", ",\n".join([*PAIRS, ""]))
        for text in (
            "Sampling rate,250\nUnit,uV\nStart,2026-03-14 09:15:00\nII,V5\n{}",
            "Sampling rate,250,Hz\nUnit,uV,\nStart,2026-03-14 09:15:00,\nII,V5,\n{,}",
            "II,V5\nSampling rate,250\nUnit,uV\nStart,2026-03-14 09:15:00\n{}",
            "Unit,uV\nStart,2026-03-14 09:15:00\nSampling rate,250\nII,V5\nuV,uV\n{,}",
            "II,V5\n# Sampling rate: 250 Hz\n# Unit: uV\n# Start: 2026-03-14 09:15:00\n{}",
        )
    ],
)
def test_a_head_of_as_many_cells_as_the_table(tmp_path: Path, text: str) -> None:
    r = read(tmp_path, text)
    assert (r.fs, r.leads, r.units, r.start) == (250, ("II", "V5"), ("mV", "mV"), RECORDED)
    assert_allclose(r.signal[:, 0], ECG / 1000)


SCOPE = "Record Length,400,points,,\nSample Interval,0.004,s,,\n" + "".join(
    f",,,{k / 250:.4f},{ECG[k] / 1000:.3f}\n" for k in T
)


@pytest.mark.parametrize("text", [SCOPE])
def test_an_oscilloscope_states_beside_the_data(tmp_path: Path, text: str) -> None:
    with quiet():
        r = read(tmp_path, text)
    assert (r.fs, r.leads) == (250, ("lead 1",))
    assert_allclose(r.signal[:, 0], ECG / 1000)


def test_a_rate_above_a_table_without_headings(tmp_path: Path) -> None:
    with quiet():
        r = read(tmp_path, "\n".join(["Sampling rate: 250 Hz", *PAIRS, ""]))
    assert (r.fs, r.leads, r.samples) == (250, ("lead 1", "lead 2"), len(ECG))


def noted(rows: int, note: int) -> str:
    """A table with a column that is empty but for one word."""
    lines = [f"{k / 250:.3f},{k % 9},{'start' if k == note else ''}" for k in range(rows)]
    return "\n".join(["time,II (mV),note", *lines, ""])


@pytest.mark.parametrize("text", [noted(400, 3), noted(400, 390)])
def test_a_column_with_a_word_now_and_then_is_left_out(tmp_path: Path, text: str) -> None:
    with pytest.warns(UserWarning, match="note holds no numbers and is left out"):
        r = read(tmp_path, text)
    assert (r.leads, r.samples) == (("II",), len(ECG))


def test_a_word_after_the_rows_that_are_looked_at(tmp_path: Path) -> None:
    text = noted(9000, 8000)
    with pytest.raises(FormatError, match=r"choose columns that are \(columns=, --columns\)"):
        read(tmp_path, text)
    assert read(tmp_path, text, columns=("II",)).samples == 9000


FOOTERS = {
    "End of file\n": "line 402 is no row of numbers ('End of file')",
    "\nTotal samples: n\n": "line 403 is no row of numbers",
    "time (s),ECG (mV)\n" + TWO: "line 402 is no row of numbers",
    "Interval=,0.004 s\n" + TWO: "line 402 is no row of numbers",
    "end": "line 402 is no row of numbers",
    "2.0,x\n2.004,1\n": "choose columns that are",
    "2.0,1,1\n2.004,1\n": "not all of the rows 1 to 402 have 2 cells",
}
"""What may follow a table, and what is said of it."""


@pytest.mark.parametrize("text", [f"time (s),ECG (mV)\n{TWO}{footer}" for footer in FOOTERS])
def test_what_is_below_a_table_is_named(tmp_path: Path, text: str) -> None:
    said = next(FOOTERS[footer] for footer in FOOTERS if text.endswith(f"\n{footer}"))
    with pytest.raises(FormatError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)


def test_what_is_below_dates_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="line 402 is no row of numbers"):
        read(tmp_path, clocked("%Y-%m-%d %H:%M:%S.MS") + "the end;\n")


def grouped(mark: str, sep: str, time: float = 4.0) -> str:
    """A table in µV whose thousands are grouped by a mark, and whose times by the same."""
    rows = [f'"{k * time:,g}"{sep}"{3 * ECG[k]:,.0f}"' for k in T]
    return "\n".join([f"Time (ms){sep}ECG (uV)", *rows, ""]).replace(",", mark)


@pytest.mark.parametrize("text", [grouped(",", ";"), grouped(".", ";"), grouped(".", "\t")])
def test_thousands_separators(tmp_path: Path, text: str) -> None:
    r = read(tmp_path, text)
    assert (r.fs, r.samples) == (250, len(ECG))
    assert_allclose(r.signal[:, 0], 3 * ECG / 1000)


def doubtful() -> tuple[str, str]:
    """Tables in which a mark groups thousands and is a decimal sign, one of them further down."""
    first = [f"{k / 250:.3f};{3 * ECG[k]:,.0f};0,25" for k in T]
    rows = [f'"{4 * k:,}","{3 * (k % 900):,}"' for k in range(9000)]
    rows[8000] = '"32,000","1,5"'
    return "\n".join(["time;II (uV);V5 (mV)", *first]), "\n".join(["time (ms),ECG (uV)", *rows])


def test_a_mark_of_thousands_and_of_decimals(tmp_path: Path) -> None:
    first, second = doubtful()
    with pytest.raises(FormatError, match="grouped by ',', which is the decimal sign of others"):
        read(tmp_path, first)
    with pytest.raises(FormatError, match="could not convert string to float: '1,5'"):
        read(tmp_path, second)


@pytest.mark.parametrize(
    "cells",
    ["0.123 1.250 3 4", "1.250 2.5 3 4", "1.250 2.125 0 3", "1.250 2.125 0.000 3", "1.250 2.1 3e0"],
)
def test_decimals_that_are_no_thousands(tmp_path: Path, cells: str) -> None:
    rows, first = cells.split(), float(cells.split(maxsplit=1)[0])
    assert read(tmp_path, "\n".join(["ecg (mV)", *rows, ""]), fs=250).signal[0, 0] == first
    rows = [f"{cell};0".replace(".", ",") for cell in rows]
    assert read(tmp_path, "\n".join(["ecg (mV);hr", *rows, ""]), fs=250).signal[0, 0] == first


def turned(samples: int, names: str) -> str:
    """A table of a row for each lead, perhaps after its name."""
    row = ",".join(f"{np.sin(k / 9):.3f}" for k in range(samples))
    return "".join(f"{name}{row}\n" for name in names.split(" "))


@pytest.mark.parametrize("text", [turned(n, s) for n in (2500, 20_000) for s in (" ", "I, II,")])
def test_a_row_for_each_lead_is_refused(tmp_path: Path, text: str) -> None:
    message = r"has 2 rows of 2\d+ cells: one row per sample is needed; transpose it"
    with pytest.raises(FormatError, match=message), quiet():
        read(tmp_path, text)


def test_a_wide_table(tmp_path: Path) -> None:
    row = ",".join(f"{k % 9}.5000" for k in range(512))
    with quiet():
        assert read(tmp_path, f"{row}\n" * 80, fs=250).signal.shape == (80, 512)
        names = ",".join(["a"] * 512)
        assert read(tmp_path, f"{names}\n" + f"{row}\n" * 5, fs=250).signal.shape == (5, 512)


LABCHART = (
    "Interval=\t0.004 s\nExcelDateTime=\t4.6095e+04\t14/03/2026 09:15:00.00000\n"
    "TimeFormat=\tStartOfBlock\nDateFormat=\t\nChannelTitle=\tII\tResp\n"
    "Range=\t5.000 mV\t10.00 V\nUnitName=\tmV\tV\nTopValue=\t2.5\t10.0\n"
    "BottomValue=\t-2.5\t-10.0\n"
)


SCALES = ("Resolution: 5 uV/LSB", "# gain = 200 adu/mV\n# baseline = 1024", "Gain: 200/mV")


def scaled(lines: str, names: str = "I,II", step: float = 5) -> str:
    """Whole numbers below a rate and a scale."""
    zero = 1024 if "baseline" in lines else 0
    rows = [f"{value / step + zero:.10g},{-value / step + zero:.10g}" for value in 5 * ECG]
    return "\n".join(["# fs = 250", lines, names, *rows, ""])


@pytest.mark.parametrize("text", [scaled(lines) for lines in SCALES])
def test_steps_whose_size_the_head_states(tmp_path: Path, text: str) -> None:
    with pytest.warns(UserWarning, match="I, II: taken as the steps of 5 uV"):
        r = read(tmp_path, text)
    assert_allclose(r.signal.T, [ECG / 200, -ECG / 200])
    with quiet():
        assert_allclose(read(tmp_path, text, unit="uV").signal[0], 200 * r.signal[0] / 1000, atol=2)
    assert_allclose(read(tmp_path, scaled(SCALES[0], "I (counts),II (counts)")).signal, r.signal)


UNSCALED = [
    scaled(SCALES[0], "I (uV),II (uV)", 1),  # of the converter, not of what is written
    scaled(f"{SCALES[0]}\nUnit: uV", step=1),
    scaled("Sensitivity: 10 mm/mV\nSpeed: 25 mm/s", step=1),
]


@pytest.mark.parametrize("text", UNSCALED)
def test_values_that_are_no_steps(tmp_path: Path, text: str) -> None:
    with quiet():
        assert_allclose(read(tmp_path, text).signal[:, 0], ECG / 200)


def labchart(times: bool, remarks: str) -> str:
    """An export of LabChart: with or without times and comments, those in a few rows or in all."""
    rows = [f"{k / 250:.3f}\t{ECG[k] / 1000:.3f}\t{k % 7}" for k in T]
    rows = rows if times else [row.split("\t", 1)[1] for row in rows]
    rows[9] += "\t#* cough" if remarks else ""
    rows = [row if "*" in row or remarks != "all" else f"{row}\t" for row in rows]
    return LABCHART + "\n".join([*rows, ""])


@pytest.mark.parametrize(
    "text",
    [
        *(labchart(times, remarks) for times in (True, False) for remarks in ("", "one")),
        labchart(True, "all"),
    ],
)
def test_labchart(tmp_path: Path, text: str) -> None:
    with quiet():
        r = read(tmp_path, text, "x.txt")
    assert (r.fs, r.leads, r.units, r.start) == (250, ("II", "Resp"), ("mV", "V"), RECORDED)
    assert_allclose(r.signal.T, [ECG / 1000, T % 7])


def test_a_row_of_labchart_with_a_cell_too_few_is_refused(tmp_path: Path) -> None:
    text = labchart(True, "one").replace("0.800\t", "")
    with pytest.raises(FormatError, match="not all of the rows 1 to 400 have 3 cells"), quiet():
        read(tmp_path, text)


LABVIEW = (
    "LabVIEW Measurement\t\nSeparator\tTab\nX_Columns\tOne\nDate\t2026/03/14\nTime\t09:15:00\n"
    "***End_of_Header***\t\n\t\nChannels\t2\t\t\nSamples\t400\t400\t\nDate\t2026/03/14\t2026/03/14\t\n"
    "Time\t09:15:00.0000000000000000000\t09:15:00\t\nY_Unit_Label\tVolts\tbar\t\n"
    "X_Dimension\tTime\tTime\t\nX0\t0.0E+0\t0.0E+0\t\nDelta_X\t0.004000\t0.004000\t\n"
    "***End_of_Header***\t\t\t\nX_Value\tECG\tPressure\tComment\n"
)


def labview(times: bool, end: str) -> str:
    """A text file of LabVIEW, with times or an empty cell in their place; ends of its rows."""
    rows = [f"{k / 250 if times else ''}\t{ECG[k] / 1e6:.9f}\t{k % 7}{end}" for k in T]
    return LABVIEW + "\n".join([*rows, ""])


@pytest.mark.parametrize("text", [labview(t, end) for t in (True, False) for end in ("", "\t")])
def test_labview(tmp_path: Path, text: str) -> None:
    for name in ("x.lvm", "x.txt"):
        r = read(tmp_path, text, name)
        assert (r.fs, r.leads, r.units, r.start) == (
            250,
            ("ECG", "Pressure"),
            ("mV", "bar"),
            RECORDED,
        )
        assert_allclose(r.signal.T, [ECG / 1000, T % 7])


ACQKNOWLEDGE = "x.acq\n{}\n2 channels\nECG Lead II\nmV\nRSP\nVolts\n"


def acqknowledge(rate: str, unit: str, scale: float, end: str = "\t") -> str:
    """An export of AcqKnowledge: times in a unit, or none, tabs at the ends of lines, or none."""
    rows = [[unit, "CH1", "CH2"], ["", "400", "400"]]
    rows += [[f"{scale * k / 250:.8g}", f"{ECG[k] / 1000:.3f}", f"{k % 7}"] for k in T]
    lines = ["\t".join(row if unit else row[1:]) + end for row in rows]
    return ACQKNOWLEDGE.format(rate) + "\n".join([*lines, ""])


@pytest.mark.parametrize(
    "text",
    [
        acqknowledge("4 msec/sample", "sec", 1),
        acqknowledge("0.004 sec/sample", "sec", 1, ""),
        acqknowledge("250 samples/second", "msec", 1000),
        acqknowledge("250.0 samples/sec", "min", 1 / 60, ""),
        acqknowledge("4 msec/sample", "", 1),
        acqknowledge("4 msec/sample", "", 1, ""),
        acqknowledge("4 msec/sample", "min", 1 / 60).replace("\t", ","),
    ],
)
def test_acqknowledge(tmp_path: Path, text: str) -> None:
    r = read(tmp_path, text, "x.txt")
    assert (r.fs, r.leads, r.units) == (250, ("ECG Lead II", "RSP"), ("mV", "V"))
    assert_allclose(r.signal.T, [ECG / 1000, T % 7])


def clocked(form: str, step: float = 0.004) -> str:
    """A table whose times are those of the day in a form of dates, or durations."""
    rows = []
    for k in T:
        at = RECORDED + timedelta(seconds=k * step)
        days, seconds = divmod(86399.0 + k * step, 86400)
        rows.append(
            at.strftime(form)
            .replace("MS", f"{at.microsecond // 1000:03}")
            .replace("DAYS", f"{days:.0f} days 0{timedelta(seconds=seconds)}")
            .replace("DAY,", str(timedelta(days=days, seconds=seconds)))
            .replace("SEC", f"{k * step:.5g} sec")
        )
    lines = [f"{row};{ECG[k] / 1000:.3f}" for k, row in enumerate(rows)]
    return "\n".join(["Time;ECG (mV)", *lines, ""])


@pytest.mark.parametrize(
    ("text", "start"),
    [
        (clocked("DAYS"), None),
        (clocked("DAY,"), None),
        (clocked("SEC"), None),
        (clocked("%H:%M:%S:MS"), None),
        (clocked("%d-%b-%Y %H:%M:%S.MS"), RECORDED),
        (clocked("%m/%d/%y %H:%M:%S.MS"), RECORDED),
        (clocked("%d-%m-%Y %H:%M:%S.MS"), RECORDED),
        (clocked("%m-%d-%Y %H:%M:%S,MS"), RECORDED),
        (clocked("%b %d %Y %H:%M:%S.MS"), RECORDED),
        (clocked("%Y.%m.%d %H:%M:%S.MS"), RECORDED),
        (clocked("%Y-%m-%dT%H:%M:%S.MS+01:00[Europe/Berlin]"), RECORDED),
        (clocked("%Y-%m-%d_%H-%M-%S.MS"), RECORDED),
        (clocked("%Y%m%d%H%M%S.MS"), RECORDED),
        (clocked("%Y%m%d_%H%M%S.MS"), RECORDED),
        # the year may be the first number
        (clocked("%d.%m.%y %H:%M:%S.MS"), None),
        (clocked("%d/%m/%y %H:%M:%S.MS"), None),
        (clocked("%d.%m.%Y;%H:%M:%S,MS").replace("Time;", "Datum;Uhrzeit;"), RECORDED),
    ],
)
def test_forms_of_times(tmp_path: Path, text: str, start: datetime | None) -> None:
    r = read(tmp_path, text)
    assert (r.fs, r.leads, r.samples, r.start) == (250, ("ECG",), len(ECG), start)
    assert_allclose(r.signal[:, 0], ECG / 1000)


@pytest.mark.parametrize("form", ["%H:%M:%S:1MS", "14-Mai-2026 %H:%M:%S.MS"])
def test_forms_that_are_no_times(tmp_path: Path, form: str) -> None:
    with pytest.raises(FormatError):
        read(tmp_path, clocked(form))


DAYS = [
    (46_095 + 9.25 / 24, 11, RECORDED),
    (740_055 + 9.25 / 24, 10, RECORDED),
    (0, 12, None),
    (0.5, 12, None),
]
"""Days since 1900, as Excel counts them, or the year 0, as MATLAB does, or midnight; decimals."""


def counted(first: float, decimals: int) -> str:
    """A table whose times are in days."""
    rows = [f"{first + k / 250 / 86_400:.{decimals}f},{ECG[k] / 1000:.3f}" for k in T]
    return "\n".join(["Time,ECG (mV)", *rows, ""])


@pytest.mark.parametrize(("first", "decimals", "start"), DAYS)
def test_times_in_days(tmp_path: Path, first: float, decimals: int, start: datetime | None) -> None:
    r = read(tmp_path, counted(first, decimals))
    assert (r.fs, r.samples, r.start) == (250, len(ECG), start)


def merged(every: int) -> str:
    """An ECG in some rows of a table of faster sensors."""
    lead = [f"{ECG[k] / 1000:.3f}" if k % every == 0 else "" for k in T]
    rows = [f"{k / 1000:.3f},{lead[k]},0.5" for k in T]
    return "\n".join(["time,ECG (mV),acc_x", *rows, ""])


@pytest.mark.parametrize("text", [merged(4)])
def test_a_lead_in_some_rows_only(tmp_path: Path, text: str) -> None:
    with pytest.warns(UserWarning, match="ECG has a value in one of 4 rows only; keep those rows"):
        r = read(tmp_path, text)
    assert (r.fs, r.samples) == (1000, len(ECG))
    read(tmp_path, text.replace("0.003,,", "0.003,1,"))  # a lead that is missing here and there
    read(tmp_path, merged(1))

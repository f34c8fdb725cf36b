from __future__ import annotations

import gzip
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ipmdae import formats
from ipmdae.formats import FormatError
from ipmdae.recording import Recording


def read(tmp_path: Path, text: str | bytes, name: str = "x.csv", **options: float) -> Recording:
    """Read a table given as text."""
    data = text.encode() if isinstance(text, str) else text
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return formats.read(tmp_path / name, **options)  # type: ignore[arg-type]


VALUES = [[0.1, -0.2], [0.15, -0.25], [0.2, 1.5], [-0.3, 0.0]]


@pytest.mark.parametrize(
    "text",
    [
        "time,II (mV),V5 (mV)\n0,.1,-.2\n.004,.15,-.25\n.008,.2,1.5\n.012,-.3,0\n",
        "time,II (mV),V5 (mV)\r\n0,0.1,-0.2\r\n4e-3,0.15,-.25\r\n8e-3,.2,1.5\r\n12e-3,-.3,0\r\n",
        "Time (ms);II (mV);V5 (mV)\n0;0,1;-0,2\n4;0,15;-0,25\n8;0,2;1,5\n12;-0,3;0,0\n",
        "t\tII [mV]\tV5 [mV]\n0\t0.1\t-0.2\n0.004\t0.15\t-0.25\n0.008\t0.2\t1.5\n0.012\t-0.3\t0\n",
        "time_us,II_uV,V5_uV\n0,100,-200\n4000,150,-250\n8000,200,1500\n12000,-300,0\n",
        "time,II,V5\ns,mV,uV\n0,.1,-200\n.004,.15,-250\n.008,.2,1500\n.012,-.3,0\n",
        "# from a Holter\n\n'time','II','V5'\n's','mV','mV'\n0,.1,-.2\n.004,.15,-.25\n.008,.2,1.5\n"
        ".012,-.3,0",
        "time II(mV) V5(mV)\n0 .1 -.2\n.004  .15 -.25\n.008 .2  1.5\n.012 -.3 0\n",
        "\ufefftimestamp,II (V),V5 (V)\n1700000000000,1e-4,-2e-4\n1700000000004,1.5e-4,-2.5e-4\n"
        "1700000000008,2e-4,1.5e-3\n1700000000012,-3e-4,0\n",
        "Date,II (mV),V5 (mV)\n2024-01-02T03:04:05.000,.1,-.2\n2024-01-02T03:04:05.004,.15,-.25\n"
        "2024-01-02T03:04:05.008,.2,1.5\n2024-01-02T03:04:05.012,-.3,0\n",
        "'Elapsed time','II','V5'\n'hh:mm:ss.mmm','mV','mV'\n'0:00.000',.1,-.2\n"
        "'0:00.004',.15,-.25\n'0:00.008',.2,1.5\n'0:00.012',-.3,0\n",
    ],
)
def test_tables_of_many_makes(tmp_path: Path, text: str) -> None:
    r = read(tmp_path, text)
    assert (r.fs, r.leads, r.units) == (250, ("II", "V5"), ("mV", "mV"))
    assert_allclose(r.signal, VALUES, atol=1e-12)


@pytest.mark.parametrize("name", ["x.csv", "x.txt", "x.tsv", "x.csv.gz"])
@pytest.mark.parametrize(
    "text",
    ["II (mV),V5 (mV)\n.1,-.2\n.15,-.25\n", "sample,II (mV),V5 (mV)\n0,.1,-.2\n1,.15,-.25\n"],
)
def test_a_table_without_times_needs_a_rate(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(FormatError, match="says no sampling rate; give it"):
        read(tmp_path, text, name)
    r = read(tmp_path, text, name, fs=360)
    assert (r.fs, r.leads) == (360, ("II", "V5"))
    assert_allclose(r.signal, VALUES[:2])


def test_numbers_alone(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="says no unit of lead 1; taken as mV"):
        assert read(tmp_path, "0.5\n0.25\n-1\n", fs=250).signal.tolist() == [[0.5], [0.25], [-1]]
    with pytest.warns(UserWarning, match="taken as mV"):
        r = read(tmp_path, "0.000,0.5\n0.004,0.25\n0.008,-1\n")
    assert (r.fs, r.signal.tolist()) == (250, [[0.5], [0.25], [-1]])


def test_what_is_no_ecg_is_kept_and_not_taken_for_one(tmp_path: Path) -> None:
    text = "time,II (mV),resp,SpO2 (%)\n0,1,5,99\n.01,2,6,98\n"
    r = read(tmp_path, text)
    assert (r.leads, r.units) == (("II", "resp", "SpO2"), ("mV", "NU", "%"))
    with pytest.warns(UserWarning, match="label holds no numbers and is left out"):
        assert read(tmp_path, "time,II (mV),label\n0,1,N\n.01,2,V\n").leads == ("II",)


def test_rounded_stamps_tell_the_rate(tmp_path: Path) -> None:
    rows = "".join(f"{round(i / 360, 3):.3f},{i}\n" for i in range(2000))
    r = read(tmp_path, f"time,II (mV)\n{rows}")
    assert (r.fs, r.samples) == (360, 2000)
    assert_array_equal(r.signal[:, 0], np.arange(2000))


def test_rows_left_out_are_missing(tmp_path: Path) -> None:
    rows = [f"{i / 250:.3f},{i}\n" for i in range(100) if not 40 <= i < 65]
    rows[10] = "0.040,\n"
    r = read(tmp_path, "time,II (mV)\n" + "".join(rows))
    expected = np.arange(100.0)
    expected[[10, *range(40, 65)]] = np.nan
    assert_array_equal(r.signal[:, 0], expected)


def test_a_stated_rate_overrules_the_times(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="says 250 Hz; fs=500 overrules"):
        assert read(tmp_path, "time,II (mV)\n0,1\n.004,2\n.008,3\n", fs=500).fs == 500


def test_the_start_is_kept(tmp_path: Path) -> None:
    r = read(
        tmp_path, "timestamp,II (mV)\n2024-01-02T03:04:05.250Z,1\n2024-01-02T03:04:05.254Z,2\n"
    )
    assert r.start == datetime(2024, 1, 2, 3, 4, 5, 250000)
    formats.write(r, tmp_path / "y.csv")
    heading = (tmp_path / "y.csv").read_text().splitlines()[0]
    assert heading == "time (seconds since 2024-01-02T03:04:05.250000),II (mV)"


def test_long_tables_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipmdae.formats.table._CHUNK", 100)
    keep = [i for i in range(500) if not 200 <= i < 230]
    text = "time,II (mV)\n" + "".join(f"{i / 250:.3f},{i}\n" for i in keep)
    r = read(tmp_path, text)
    assert_array_equal(r.signal[keep, 0], keep)
    assert np.isnan(r.signal[200:230]).all()
    with formats.open_reader(tmp_path / "x.csv") as reader:
        for first, stop in ((490, 500), (0, 3), (195, 235), (3, 499)):
            assert_array_equal(reader.read(first, stop), r.signal[first:stop])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# only\n# comments\n", "holds no table"),
        ("time,II\n", "holds no row of numbers"),
        ("a,b\nc,d\n", "holds no row of numbers"),
        ("time\n0\n1\n", "has no column of samples"),
        ("time,II (mV)\n0,1\n", "too few rows to give a rate"),
        (
            "time,II (mV)\n0,1\n.01,2\n.005,3\n",
            "1 of 3 are missing or do not rise, the first in row 3",
        ),
        ("time,II (mV)\n0,1\n0,2\n.1,3\n", "1 of 3 are missing or do not rise, the first in row 2"),
        (
            "time,II (mV)\n0,1\n.1,2\n.2,3\n.23,4\n.33,5\n.43,6\n",
            "1 of 6 steps are less than half of the usual one",
        ),
        (
            "time,II (mV)\n0,1\n.1,2\nnan,3\n.3,4\n",
            "1 of 4 are missing or do not rise, the first in row 3",
        ),
        ("", "is empty"),
        ("time,II (mV)\n0,1\n.1,2\n1e9,3\n", "has 0.3 s of signal and gaps of 1e"),
        ("time,II (mV)\n0,1\n.1,2\n.2,x\n", "holds no numbers|has no column"),
        ("time,II (mV),V (mV)\n0,1,2\n.1,2,3\n.2,3", "cut off in its last row"),
        ("time,II (mV)\n0,1\n.1,inf\n.2,3\n", "infinite values"),
        ("time,II (mV)\n0,1\n.1,2,3\n.2,4\n", "not all of the rows 1 to 3 have 2 cells"),
        ("time,II (mV)\n0,1\n.1,2\n.2\n.3,4\n", "not all of the rows 1 to 4 have 2 cells"),
        (b"time,II\n0,\x001\n", "is not text"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*holds no numbers:UserWarning")
def test_broken_tables(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        read(tmp_path, text)
    assert "x.csv" in str(caught.value)


def test_text_further_down(tmp_path: Path) -> None:
    rows = "".join(f"{i / 250:.3f},{i}\n" for i in range(20_000))
    with pytest.raises(FormatError, match="is not a table of numbers"):
        read(tmp_path, f"time,II (mV)\n{rows}80.0,oops\n")


def test_broken_compression(tmp_path: Path) -> None:
    data = gzip.compress(b"time,II (mV)\n" + b"".join(b"%d,1\n" % i for i in range(10_000)))
    for broken in (data[:-9], data[:500] + b"\xff" * 20 + data[520:]):
        (tmp_path / "x.csv.gz").write_bytes(broken)
        with pytest.raises(FormatError, match="cannot be expanded"):
            formats.read(tmp_path / "x.csv.gz")


def test_a_bomb_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipmdae.formats.errors._ALWAYS_FINE", 1 << 20)
    with pytest.raises(FormatError, match=r"bytes expand to .* or more, which no recording does"):
        read(tmp_path, b"time,II (mV)\n0,0\n" + b"1,0\n" * 500_000, "x.csv.gz")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file"):
        formats.read(tmp_path / "x.csv")


@pytest.mark.parametrize("number", ["1e2147483648", "1e4294967296", "-.5E+2147483648"])
def test_a_number_on_which_the_parser_crashes_is_refused(tmp_path: Path, number: str) -> None:
    rows = "".join(f"{i * 0.004:g},{i % 7}\n" for i in range(50))
    with pytest.raises(FormatError, match="too large an exponent"):
        read(tmp_path, f"time,II (mV)\n{rows}0.2,{number}\n0.204,1\n")


def test_texts_that_look_like_such_numbers_stay(tmp_path: Path) -> None:
    rows = "".join(f"{i * 0.004:g},{i % 7},3fe12345\n" for i in range(50))
    with pytest.warns(UserWarning, match="device holds no numbers"):
        assert read(tmp_path, f"time,II (mV),device\n{rows}").samples == 50

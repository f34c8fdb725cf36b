"""The command ``ipmdae stream``: lines in, lines out."""

from __future__ import annotations

import fcntl
import io
import json
import os
import re
import signal
import subprocess
import sys
import termios
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import test_delimited
from live_lines import MODEL, expected, run, values
from numpy.typing import NDArray

from ipmdae import cli, formats
from ipmdae.commands.live import open_lines
from ipmdae.stream import Streamer

TABLES: Any = test_delimited.test_tables_of_many_makes
SOURCES = str(Path(cli.__file__).parents[1])


pytestmark = pytest.mark.usefixtures("model_folder")


def table(signal: NDArray[np.float64], separator: str = ",") -> str:
    return "".join(separator.join(f"{value:.9g}" for value in row) + "\n" for row in signal)


@pytest.mark.slow
def test_lines_come_out_cleaned(noisy: NDArray[np.float64]) -> None:
    result = run(table(noisy), "--fs", 360)
    assert result.exit_code == 0, result.output
    np.testing.assert_allclose(values(result.stdout), expected(noisy), atol=1e-4)
    unit, first, *_, last = result.stderr.splitlines()
    assert "no unit of lead 1, lead 2; taken as mV" in unit
    latency = re.fullmatch(r"2 leads at 360 Hz; the output is ([\d.]+) s late", first)
    assert latency is not None
    assert float(latency[1]) <= 2
    assert re.match(r"10\.0 s cleaned \(.*\), real-time factor on one core 0\.", last)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "settings", "latency"),
    [
        (("--method", "iir", "--mains", 50), {"method": "iir", "mains": 50}, 6),
        (("--method", "iir"), {"method": "iir"}, 4),
        (("--mains", 60), {"mains": 60}, 4),
        (
            (
                "--mode",
                "beats",
                "--unreadable",
                "raw",
                "--max-attenuation-db",
                3,
                "--strength",
                0.9,
            ),
            {"mode": "beats", "unreadable": "raw", "max_attenuation_db": 3, "strength": 0.9},
            2,
        ),
    ],
)
def test_settings_are_those_of_a_streamer(
    noisy: NDArray[np.float64],
    options: tuple[object, ...],
    settings: dict[str, Any],
    latency: float,
) -> None:
    result = run(table(noisy), "--fs", 360, *options)
    assert result.exit_code == 0, result.output
    streamer = Streamer(360, 2, **{"method": MODEL, "max_latency": latency, **settings})
    cleaned = np.concatenate([streamer.feed(noisy), streamer.flush()])
    np.testing.assert_allclose(values(result.stdout), cleaned, atol=1e-4)


def test_methods_that_cannot_clean_live_are_refused_in_one_line(
    noisy: NDArray[np.float64],
) -> None:
    for options, says in (
        (("--method", "iir", "--max-latency", 3), "iir needs 4 s at least"),
        (("--method", "iir", "--mode", "beats"), "mode, unreadable and backend are for networks"),
        (("--method", "abacus"), "unknown method 'abacus'"),
    ):
        result = run(table(noisy[:99]), "--fs", 360, *options)
        assert result.exit_code == 1
        assert says in result.stderr.replace("\n", " ")


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
def test_any_separator_is_understood(noisy: NDArray[np.float64], separator: str) -> None:
    text = "\ufeff" + table(noisy[:720], separator).replace("\n", "\r\n")
    if separator in ";\t":
        text = text.replace(".", ",")
    np.testing.assert_allclose(
        values(run(text, "--fs", 360).stdout), expected(noisy[:720]), atol=1e-4
    )


def test_names_units_and_times_are_kept(noisy: NDArray[np.float64]) -> None:
    times = np.arange(720)[:, None] / 8
    text = "Time (s),II (uV),V1\n" + table(np.hstack([times, noisy[:720] * [1000, 1]]))
    lines = run(text, "--fs", 360).stdout
    assert lines.splitlines()[0] == "Time (s),II (uV),V1"
    out = values(lines, skip=1)
    np.testing.assert_array_equal(out[:, 0], times[:, 0])
    np.testing.assert_allclose(out[:, 1:] / [1000, 1], expected(noisy[:720]), atol=1e-4)


def test_what_is_no_lead_is_passed_through(noisy: NDArray[np.float64]) -> None:
    rows = (f"{i};{value:.6f};{i % 7},5;77" for i, value in enumerate(noisy[:720, 0]))
    text = "sep=;\nsample;II (mV);acc_x;resp (l)\n" + "\n".join(rows)
    lines = run(text, "--fs", 360).stdout.splitlines()
    assert lines[0] == "sample,II (mV),acc_x,resp (l)"
    passed = [re.sub(r",-?\d\.\d{6},", ",,", line) for line in lines[1:4]]
    assert passed == ['0,,"0,5",77', '1,,"1,5",77', '2,,"2,5",77']
    assert len(lines) == 721


def test_decimal_commas_come_out_as_points(noisy: NDArray[np.float64]) -> None:
    rows = (f"{i / 360:.4f};{value:.6f};7" for i, value in enumerate(noisy[:720, 0]))
    text = "Zeit;EKG (mV);Puls\n" + "\n".join(rows).replace(".", ",")
    lines = run(text, "--fs", 360).stdout.splitlines()
    assert lines[0] == "Zeit,EKG (mV),Puls"
    assert {line.count(",") for line in lines} == {2}
    assert re.fullmatch(r"0\.0028,-?\d\.\d{6},7", lines[2])


@pytest.mark.filterwarnings("ignore:.*steps of 5 uV:UserWarning")
def test_steps_of_a_converter_are_no_decimals_and_have_the_size_of_the_head() -> None:
    rows = "".join(f"{4 * i + 5000},5{i * i + 10}\n" for i in range(9))
    text = f"Gain: 200 adu/mV\nBaseline: 500\nms,adc\n{rows}"
    assert "steps of 5 uV" in run(text, "--fs", 250).stderr
    with open_lines(io.BytesIO(text.encode()), 250) as live:
        (_, first), *_ = live.chunks
        assert (live.leads, live.header) == (("adc",), ("ms", "adc (mV)"))
        assert live.scale.tolist() == [1]
    assert first[0, 0] == pytest.approx(10 / 200)


def test_a_lead_that_the_head_names_is_called_so(noisy: NDArray[np.float64]) -> None:
    head = 'Device,"Watch6,2"\nSample Rate,512 Hz\n\nLead,Lead I\nUnit,µV\n\n'
    head = "Name,x\nDate,2026-03-14 09:15:00\nClass,y\nVersion,1\n" + head
    text = head + "".join(f"{value * 1000:.1f}\n" for value in noisy[:1024, 0])
    result = run(text, "--json")
    assert json.loads(result.stderr.splitlines()[0])["leads"] == ["I"]


def test_missing_values_stay_missing(noisy: NDArray[np.float64]) -> None:
    signal = noisy.copy()
    signal[1000:2000, 1] = np.nan
    text = table(signal).replace("nan", "", 500)
    result = run(text, "--fs", 360)
    np.testing.assert_array_equal(np.isnan(values(result.stdout)), np.isnan(signal))
    assert "ipmdae: warning: 2.8 s: lead lead 2: no samples" in result.stderr
    assert "has samples again" in result.stderr


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("1,2\n", (), "give it, e.g. --fs 360"),
        ("", ("--fs", 360), "stdin is empty: nothing to denoise"),
        ("II,V1 (adc)\n1,2\n", ("--fs", 360), "column V1 (adc) is not a voltage: leave it out"),
        ("acc_x,hr\n1,2\n", ("--fs", 360), "no column of the input is a lead"),
        ("names,only\n", ("--fs", 360), "no line of the input is numbers: names,only"),
        ('a "b\rc" d\n', ("--fs", 360), "no line of the input is numbers"),
        ("1\n", ("--fs", 10), "too low for an ECG"),
        ("1\n", ("--fs", 360, "--max-latency", 0.01), "too short"),
        ("x" * (1 << 21), ("--fs", 360), "the input has no lines"),
    ],
)
def test_what_cannot_be_is_refused(text: str, arguments: tuple[object, ...], message: str) -> None:
    result = run(text, *arguments)
    assert result.exit_code == 1
    assert message in result.stderr.splitlines()[-1]
    assert result.stderr.splitlines()[-1].startswith("ipmdae: error: ")


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        ("1,x", "line 501 is not numbers: 1,x"),
        ("1", "line 501 has 1 columns, the first 2: 1"),
        ("1,2,3", "line 501 has 3 columns, the first 2: 1,2,3"),
        ("1,inf", "line 501 is not numbers: 1,inf"),
        ("\x1b[2J,1", "line 501 is not numbers: \\x1b[2J,1"),
    ],
)
def test_a_bad_line_is_a_missing_sample(
    noisy: NDArray[np.float64], bad: str, complaint: str
) -> None:
    result = run(f"{table(noisy[:500])}{bad}\n{table(noisy[500:900])}\n", "--fs", 360)
    assert result.exit_code == 0, result.output
    out = values(result.stdout)
    assert out.shape == (901, 2)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(out).any(axis=1)), [500])
    assert f"1 bad line, taken as missing; the first: {complaint}" in result.stderr


def test_the_first_line_may_have_lost_its_beginning(noisy: NDArray[np.float64]) -> None:
    text = table(noisy[:400])
    result = run(text[text.index(",") + 1 :], "--fs", 360)
    out = values(result.stdout)
    assert out.shape == (400, 2)
    assert np.isnan(out[0]).all()
    assert np.isfinite(out[1:]).all()


@pytest.mark.parametrize(
    "first",
    [
        "E,0.0364",
        "0.0069,0.0x\ufffd3",
        ".00.69,0.0364",
        "-0.0.069,0.0364",
        "0.0069,0.03\ufffd",
        "x\0y",
    ],
)
def test_a_damaged_first_line_is_no_heading(noisy: NDArray[np.float64], first: str) -> None:
    lines = [f"{a:.6f},{b:.6f}" for a, b in noisy[:1200]]
    with open_lines(io.BytesIO("\n".join([first, *lines]).encode()), 360, "mV") as live:
        assert (live.leads, live.places, live.header) == (("lead 1", "lead 2"), (0, 1), ())
        samples = np.concatenate([values for _, values in live.chunks])
    assert np.isnan(samples[0]).all()
    np.testing.assert_allclose(samples[1:], noisy[:1200].round(6))
    assert live.bad.count == 1


@pytest.mark.parametrize("head", ["II,V1", "a,b", "ch1 (mV),ch2 (mV)"])
def test_a_heading_is_no_damaged_line(noisy: NDArray[np.float64], head: str) -> None:
    lines = [f"{a:.6f},{b:.6f}" for a, b in noisy[:1200]]
    with open_lines(io.BytesIO("\n".join([head, *lines]).encode()), 360, "mV") as live:
        assert live.leads == tuple(name.partition(" ")[0] for name in head.split(","))


def test_events_are_json_lines(noisy: NDArray[np.float64]) -> None:
    signal = noisy.copy()
    signal[360 * 4 : 360 * 6, 0] = np.nan
    result = run(table(signal) + "x,y\n", "--fs", 360, "--json")
    warned, *events = [json.loads(line) for line in result.stderr.splitlines()]
    assert warned["event"] == "warning"
    assert "taken as mV" in warned["message"]
    assert events[0]["event"] == "start"
    assert events[0]["leads"] == ["lead 1", "lead 2"]
    assert events[-1]["event"] == "end"
    assert events[-1]["bad_lines"] == 1
    assert events[-1]["first_bad_line"] == "line 3601 is not numbers: x,y"
    missing = [(e["time"], e["grade"]) for e in events if e.get("reason") == "missing"]
    assert missing == [(4, "unusable")]
    kinds = [e["event"] for e in events if e.get("lead") == "lead 1"]
    assert {"gap", "back", "grade"} <= set(kinds)
    shares = events[-1]["shares"]
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["unusable"] > 0.09  # 2 s of 10 of one lead of two


@pytest.mark.parametrize(("fs", "most"), [(130, 3.0), (250, 2.0), (1000, 2.0)])
def test_the_default_delay_is_as_short_as_a_rate_allows(
    noisy: NDArray[np.float64], fs: float, most: float
) -> None:
    result = run(table(noisy[:700]), "--fs", fs)
    assert result.exit_code == 0, result.output
    latency = re.search(r"the output is ([\d.]+) s late", result.stderr)
    assert latency is not None
    assert float(latency[1]) <= most


@pytest.mark.parametrize("text", TABLES.pytestmark[0].args[1])
def test_lines_are_read_as_a_file_of_them_is(model_folder: Path, text: str) -> None:
    (model_folder / "x.csv").write_text(text)
    known = formats.read("x.csv")
    with open_lines(io.BytesIO(text.encode()), 250) as live:
        assert live.leads == known.leads
        found = np.concatenate([chunk for _, chunk in live.chunks])
    np.testing.assert_allclose(found, known.signal, atol=1e-12)
    assert live.bad.count == 0


@pytest.mark.parametrize("count", [lambda i: i / 360, lambda i: i, lambda i: 1.7e9 + i / 360])
def test_times_and_counters_without_a_heading_are_copied(
    noisy: NDArray[np.float64], count: Callable[[int], float]
) -> None:
    rows = "".join(f"{count(i):.6f},{value:.4f},\n" for i, value in enumerate(noisy[:800, 0]))
    result = run(rows, "--fs", 360, "--unit", "mV")
    assert "1 lead at" in result.stderr
    assert "column 1" in result.stderr
    lines = [line.split(",") for line in result.stdout.splitlines()]
    assert {len(line) for line in lines} == {3}
    assert [line[0] for line in lines] == [f"{count(i):.6f}" for i in range(800)]
    assert np.isfinite([float(line[1]) for line in lines]).all()


@pytest.mark.parametrize("text", ["{}", "ecg\n{}", "ms,ecg\n{}"])
def test_microvolts_are_recognised_and_come_out_as_such(
    noisy: NDArray[np.float64], text: str
) -> None:
    times = np.arange(800)[:, None] * 1000 / 360
    signal = np.hstack([times, noisy[:800, :1] * 1000]) if "ms" in text else noisy[:800, :1] * 1000
    result = run(text.format(table(signal)), "--fs", 360)
    assert "taken as uV" in result.stderr
    by_unit = run(text.format(table(signal)), "--fs", 360, "--unit", "uV")
    assert "warning" not in by_unit.stderr.split("late")[0]
    assert by_unit.stdout == result.stdout
    heading = [text.format("").strip() + " (uV)"] if text != "{}" else []
    assert result.stdout.splitlines()[:-800] == heading
    assert abs(values(result.stdout, len(heading))[:, -1]).max() > 100


def test_the_resolution_does_not_depend_on_the_offset(noisy: NDArray[np.float64]) -> None:
    lines = run(table(noisy[:800] + 12_345.0), "--fs", 360, "--unit", "mV").stdout
    out = values(lines) - 12_345.0
    np.testing.assert_allclose(out, expected(noisy[:800] + 12_345.0) - 12_345.0, atol=1e-6)


def test_a_row_of_units_is_kept_in_the_headings(noisy: NDArray[np.float64]) -> None:
    rows = "".join(f"{i},{value * 1000:.1f},9\n" for i, value in enumerate(noisy[:99, 0]))
    result = run(f'ms,"V1, left",acc\nms,uV,g\n{rows}', "--fs", 1000)
    assert result.stdout.splitlines()[0] == 'ms,"V1, left (uV)",acc (g)'
    result = run(f"Unit: uV\nms,II,acc\n{rows}", "--fs", 1000)
    assert result.stdout.splitlines()[0] == "ms,II (uV),acc"


@pytest.mark.parametrize(
    "head", ["Sample Rate: 250 Hz\ntime (ms),II (mV)\n", "time (ms),II (mV)\n"]
)
def test_a_rate_that_contradicts_head_or_times_is_warned_of(
    noisy: NDArray[np.float64], head: str
) -> None:
    text = head + "".join(f"{4 * i},{value:.4f}\n" for i, value in enumerate(noisy[:99, 0]))
    result = run(text, "--fs", 360)
    assert result.exit_code == 0
    assert "250 Hz; 360 Hz overrules" in result.stderr
    assert "overrules" not in run(text, "--fs", 250).stderr


def test_late_values_in_an_empty_column_are_copied_with_a_warning(
    noisy: NDArray[np.float64],
) -> None:
    rows = [f"{value:.6f}," for value in np.resize(noisy[:, 0], 9000)]  # more than is read at once
    result = run("\n".join([*rows, "0.1,5", "0.1,6"]), "--fs", 360, "--unit", "mV")
    assert "bad line" not in result.stderr
    assert result.stderr.count("column 2: empty at first") == 1
    assert [line.split(",")[1] for line in result.stdout.splitlines()][-3:] == ["", "5", "6"]


def test_rate_and_unit_are_those_of_a_source_that_states_them() -> None:
    assert "without --fs" in run("", "--lsl", "ecg", "--unit", "uV").stderr


class Drops(io.RawIOBase):
    """Bytes that come in drops of a few."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read1(self, _: int) -> bytes:
        drop, self.data = self.data[:7], self.data[7:]
        return drop


def test_lines_may_come_in_parts() -> None:
    signal = np.sin(np.arange(200.0)).round(3).reshape(100, 2)
    text = b"I (mV),V1 (mV)\n" + table(signal).encode()[:-1]
    with open_lines(Drops(text), 360, seconds=0) as live:  # type: ignore[arg-type]
        chunks = [chunk for _, chunk in live.chunks]
    np.testing.assert_array_equal(np.concatenate(chunks), signal)
    assert len(chunks) > 10


class Interrupted(io.BytesIO):
    """Lines, at whose end Ctrl-C is pressed."""

    def read1(self, size: int | None = -1) -> bytes:
        data = super().read1(size)
        if not data:
            raise KeyboardInterrupt
        return data


def test_what_came_before_an_early_interruption_is_kept() -> None:
    with open_lines(Interrupted(b"1\n5\n"), 360, "mV") as live:
        assert next(live.chunks)[1].tolist() == [[1], [5]]
        with pytest.raises(KeyboardInterrupt):
            list(live.chunks)
    with pytest.raises(KeyboardInterrupt), open_lines(Interrupted(), 360):
        pass


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process")
@pytest.mark.parametrize(
    ("number", "code", "lines"),
    [(signal.SIGINT, 0, None), (signal.SIGTERM, 143, None), (signal.SIGINT, 0, 100)],
)
def test_a_signal_ends_a_live_one_without_loss(
    noisy: NDArray[np.float64], number: int, code: int, lines: int | None
) -> None:
    noisy = noisy[:lines]
    process = subprocess.Popen(
        [sys.executable, "-m", "ipmdae", "stream", "--fs", "360", "--method", MODEL],
        env=os.environ | {"PYTHONPATH": SOURCES},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(table(noisy))
    process.stdin.flush()
    # It is at work, or waits for the first 2 s.
    out = [process.stdout.readline() for _ in range(0 if lines else 100)]
    while unread(process.stdin.fileno()):
        time.sleep(0.05)
    time.sleep(2.0 if lines else 0.5)  # what it has read last, it takes in
    process.send_signal(number)
    # Not by communicate: it knows nothing of what readline has in its buffer.
    rest, complaint = process.stdout.read(), process.stderr.read()
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()
    assert process.wait(60) == code, complaint
    assert len(out) + rest.count("\n") == len(noisy)
    assert "the received samples are denoised" in complaint


def unread(pipe: int) -> int:
    """Bytes in a pipe that nobody has read yet."""
    count = array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]

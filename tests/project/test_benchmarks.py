"""The benchmark of speed and memory: what it counts, and that its parts run; no time is judged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks import holter, page, timing
from benchmarks.part import Goal
from benchmarks.parts import PARTS
from benchmarks.process import isolated, run_in_turn
from benchmarks.tables import number
from ipmdae import formats, native

ROOT = Path(__file__).parents[2]


def command(*words: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", "--threads", "1", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
    )


def test_candidates_are_timed_in_turn_and_the_order_turns_round() -> None:
    calls: list[str] = []

    def slow(name: str) -> Callable[[], None]:
        def candidate() -> None:
            calls.append(name)
            time.sleep(0.04)

        return candidate

    samples = timing.interleaved({"a": slow("a"), "b": slow("b")}, 3)
    assert calls == ["a", "a", "b", "b", "a", "b", "b", "a", "a", "b"]
    assert [len(times) for times in samples.values()] == [3, 3]
    assert min(samples["a"]) >= 0.04


def test_short_calls_are_repeated_and_their_mean_is_taken() -> None:
    calls: list[int] = []
    samples = timing.interleaved({"short": lambda: calls.append(1)}, 2)
    assert len(calls) > 1000
    assert max(samples["short"]) < 0.001


def test_a_ratio_is_that_of_timings_of_the_same_round() -> None:
    samples = {"a": [1.0, 10.0, 2.0], "b": [3.0, 30.0, 6.0]}
    assert timing.ratio(samples, "b", "a") == pytest.approx(3)
    assert timing.summary(samples["a"]) == timing.Summary(2.0, 1.0, (6.0 - 1.5) / 2)
    assert timing.summary([4.0]) == timing.Summary(4.0, 4.0, 0.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.012345, "0.0123"), (9.996, "10.0"), (123.4, "123"), (86400, "86,400")],
)
def test_numbers_have_three_digits_and_no_exponent(value: float, text: str) -> None:
    assert number(value) == text


def test_a_goal_says_by_how_much_it_is_missed() -> None:
    assert Goal(figure="time", bound=3.0, value=2.9).verdict == "met"
    assert Goal(figure="time", bound=3.0, value=3.6).verdict == "**missed by 20%**"
    assert Goal(figure="speed", bound=50.0, value=60.0, at_most=False).verdict == "met"
    assert Goal(figure="speed", bound=50.0, value=40.0, at_most=False).verdict.endswith("20%**")


def test_the_long_recording_never_repeats_itself(tmp_path: Path) -> None:
    recording = formats.read(holter.write(tmp_path, 150))
    assert recording.signal.shape == (150 * 250, 2)
    first, second = recording.signal[:15_000], recording.signal[15_000:30_000]
    assert np.corrcoef(first[:, 0], second[:, 0])[0, 1] > 0.9
    assert np.isclose(first, second, atol=0.001).mean() < 0.2


def test_peak_memory_is_that_of_the_command_alone() -> None:
    ballast = np.ones(60_000_000 // 8)  # in this process, which starts the others
    words = {"little": ["-c", "pass"], "much": ["-c", "x = b'x' * 50_000_000"]}
    used = run_in_turn(words, 1, threads=1)
    little, much = (used[name]["peak"][0] for name in words)
    assert little < ballast.nbytes
    assert 45e6 < much - little < 60e6
    assert used["little"]["seconds"][0] > 0


def test_a_command_that_fails_is_told_of() -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        run_in_turn({"broken": ["-c", "1 / 0"]}, 1, threads=1)


def test_a_function_in_a_process_of_its_own_has_the_threads_asked_for() -> None:
    assert isolated(native.default_threads, threads=3) == 3


@pytest.mark.slow
def test_quick_parts_run_and_the_page_is_made_again_from_what_they_stored(tmp_path: Path) -> None:
    parts = ["start", "memory", "soak"]
    output, results = tmp_path / "page.md", tmp_path / "results"
    done = command("--quick", *parts, "--results", str(results), "--output", str(output))
    assert done.returncode == 0, done.stderr
    text = output.read_text(encoding="utf-8")
    assert "`--quick`" in text
    assert "import and first cleaned window" in text
    soak = json.loads((results / "soak.json").read_text(encoding="utf-8"))["results"]
    assert soak["samples"]["in"] == soak["samples"]["out"] == 60 * 360
    assert soak["samples"]["missing in"] == soak["samples"]["missing out"] == 5 * 360
    assert soak["samples"]["infinite"] == 0
    for name in parts:
        assert f"## {PARTS[name].TITLE}" in text
        stored = json.loads((results / f"{name}.json").read_text(encoding="utf-8"))
        assert stored["part"] == name
        assert stored["settings"]["threads"] == 1
        assert page.markdown({name: stored})
    output.unlink()
    done = command("--report", "--results", str(results), "--output", str(output))
    assert done.returncode == 0, done.stderr
    assert output.read_text(encoding="utf-8") == text


@pytest.mark.slow
def test_the_scan_and_its_rivals_run(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    if not native.available():
        pytest.skip("the native library is not built")
    output = tmp_path / "page.md"
    done = command("--quick", "scan", "--results", str(tmp_path), "--output", str(output))
    assert done.returncode == 0, done.stderr
    text = output.read_text(encoding="utf-8")
    assert "| torch loop on unbind slices |" in text
    assert "forward and backward" in text


def test_what_cannot_be_done_is_told_in_a_line(tmp_path: Path) -> None:
    done = command("--report", "--results", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.strip() == f"no measurements in {tmp_path}; make some: python -m benchmarks"
    done = command("speed")
    assert done.returncode == 2
    assert "no part 'speed'; there are: scan," in done.stderr

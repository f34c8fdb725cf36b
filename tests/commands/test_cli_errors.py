"""Errors and warnings of the command ``ipmdae``: one line each, and a traceback only when asked."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import refused, run

from ipmdae import formats
from ipmdae.commands import job
from ipmdae.recording import Recording

TERMINAL = "\x1b[31mV1\x07"


@pytest.fixture(autouse=True)
def noisy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds of a lead, and of one whose name steers a terminal."""
    monkeypatch.chdir(tmp_path)
    signal = np.sin(np.arange(2500) / 20)[:, None] * [1, 2]
    formats.write(Recording(signal=signal, fs=250, leads=("II", TERMINAL)), "noisy.npz")


def broken(*_: Any, **__: Any) -> Any:
    raise KeyError("no such thing")


def test_an_unexpected_error_is_a_line_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "denoise_file", broken)
    message = refused(run("denoise", "noisy.npz", "-o", "out.edf"))
    assert "noisy.npz" in message
    assert "KeyError" in message
    assert "--debug" in message


def test_an_unexpected_error_of_any_command_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipmdae.commands.outputs.plan", broken)
    assert "KeyError" in refused(run("denoise", "noisy.npz", "-o", "out.edf"))


@pytest.mark.parametrize("place", [0, 1, -1])
def test_debug_prints_the_traceback_wherever_it_stands(
    monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    monkeypatch.setattr(job, "denoise_file", broken)
    words = ["denoise", "noisy.npz", "-o", "out.edf"]
    words.insert(place if place >= 0 else len(words), "--debug")
    result = run(*words)
    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert "in broken" in result.stderr
    assert "IPMDAE_DEBUG" not in os.environ


@pytest.mark.parametrize(
    "words",
    [
        ("info", ""),
        ("denoise", "", "-o", "out"),
        ("denoise", "noisy.npz", "-o", ""),
        ("denoise", "noisy.npz", "-o", "out.edf", "--method", ""),
        ("plot", "noisy.npz", "-o", ""),
    ],
)
def test_an_empty_argument_is_no_folder(words: tuple[str, ...]) -> None:
    assert "an argument is empty" in refused(run(*words))
    assert [path.name for path in Path().iterdir()] == ["noisy.npz"]


@pytest.mark.parametrize("words", [(), ("denoise",), ("benchmark",), ("benchmark", "run")])
def test_h_is_help(words: tuple[str, ...]) -> None:
    short, long = run(*words, "-h"), run(*words, "--help")
    assert short.exit_code == long.exit_code == 0
    assert short.output == long.output


@pytest.mark.skipif(os.name == "nt", reason="devices of POSIX")
@pytest.mark.parametrize("options", [(), ("--to", "csv"), ("--overwrite",)])
def test_a_device_is_no_place_for_results(options: tuple[str, ...]) -> None:
    message = refused(run("denoise", "noisy.npz", "-o", "/dev/null", *options))
    assert "/dev/null is not a regular file" in message


def test_a_name_that_is_too_long_is_told() -> None:
    message = refused(run("denoise", "noisy.npz", "-o", f"{'x' * 300}.csv"))
    assert "too long" in message
    assert len(list(Path().iterdir())) == 1


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
@pytest.mark.parametrize("target", ["out.edf", "out.csv", "out"])
def test_a_private_recording_stays_private(target: str) -> None:
    Path("noisy.npz").chmod(0o600)
    assert run("denoise", "noisy.npz", "-o", target).exit_code == 0
    results = [path for path in Path().iterdir() if path.name.startswith("out")]
    assert results
    assert {path.stat().st_mode & 0o777 for path in results} == {0o600}


def test_control_characters_do_not_reach_the_terminal() -> None:
    shown = r"\x1b[31mV1\x07"
    for words in (("info", "noisy.npz"), ("denoise", "noisy.npz", "-o", "out.edf")):
        result = run(*words)
        assert result.exit_code == 0
        assert "\x1b" not in result.output
        assert shown in result.stdout
    name = f"{TERMINAL}.npz"
    Path("noisy.npz").rename(name)
    result = run("info", name)
    assert "\x1b" not in result.output
    assert shown in result.stdout
    assert shown in refused(run("info", f"{TERMINAL}.csv"))


def test_warnings_are_lines_and_never_raw(monkeypatch: pytest.MonkeyPatch) -> None:
    read = formats.open_reader

    def warning(*arguments: Any, **options: Any) -> Any:
        warnings.warn("something\nto know", UserWarning, stacklevel=1)
        return read(*arguments, **options)

    monkeypatch.setattr(formats, "open_reader", warning)
    result = run("info", "noisy.npz")
    assert result.exit_code == 0
    assert result.stderr.startswith("ipmdae: warning: something to know\n")
    assert "UserWarning" not in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="links of POSIX")
def test_folders_that_lead_back_to_themselves_are_searched_once() -> None:
    Path("folder").mkdir()
    Path("noisy.npz").rename("folder/noisy.npz")
    for name in ("a", "b", "c"):
        Path("folder", name).symlink_to(Path("folder").absolute())
    result = run("denoise", "folder", "-o", "out", "--to", "edf")
    assert result.exit_code == 0, result.output
    assert [path.name for path in Path("out").iterdir()] == ["noisy.edf"]

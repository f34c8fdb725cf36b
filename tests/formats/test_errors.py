"""Errors of readers: whatever one raises, a user gets the file's name and a reason on one line."""

from __future__ import annotations

import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from records import digital

from ipmdae import formats
from ipmdae.formats import FormatError, SignalReader

ERRORS = [
    MemoryError(),
    RecursionError("maximum recursion depth exceeded"),
    KeyError("rate"),
    OverflowError("int too large"),
    ZeroDivisionError("division by zero"),
    struct.error("unpack requires a buffer of 4 bytes"),
    zlib.error("Error -3 while decompressing data"),
    ValueError("of\ntwo lines\x1b[2J"),
    EOFError(),
    OSError("Unable to open file (truncated)"),
    AssertionError(),
]


class Failing(SignalReader):
    """A reader that opens well and fails later."""

    def __init__(self, error: BaseException) -> None:
        self.info = digital(np.zeros((10, 2))).header
        self.error = error

    def read(self, first: int, stop: int) -> Any:
        raise self.error


class Format:
    """A format whose reader raises."""

    NAME = "Failing"
    SUFFIXES = (".bad",)

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def recognises(self, path: Path) -> bool:
        return True

    def read(self, path: Path, **_: Any) -> Any:
        raise self.error

    def open_reader(self, path: Path, **_: Any) -> SignalReader:
        return Failing(self.error)


def refusals(path: Path) -> list[BaseException]:
    """The errors of reading whole, and in blocks."""
    found: list[BaseException] = []
    for action in (formats.read, lambda path: formats.open_reader(path).read(0, 2)):
        with pytest.raises(BaseException) as caught:  # noqa: PT011
            action(path)
        found.append(caught.value)
    return found


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_any_error_of_a_reader_names_the_file(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "FORMATS", (Format(error),))
    for refusal in refusals(tmp_path / "a.bad"):
        assert type(refusal) is FormatError
        assert str(refusal).startswith(f"{tmp_path / 'a.bad'}: ")
        assert str(refusal).isprintable()


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError("b.dat: there is no such file"),
        PermissionError(13, "Permission denied", "a.bad"),
        ModuleNotFoundError("DICOM files need pydicom"),
        OSError(36, "File name too long", "a.bad"),
        UserWarning("made an error by a filter"),
        KeyboardInterrupt(),
    ],
    ids=lambda e: type(e).__name__,
)
def test_what_is_no_fault_of_the_content_is_passed_on(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "FORMATS", (Format(error),))
    assert refusals(tmp_path / "a.bad") == [error, error]


def test_control_characters_of_names_and_reasons_are_shown_escaped() -> None:
    error = FormatError("a\x1b[2Jb\n.csv", "has no column \x07\x9b2J\u202e")
    assert str(error) == r"a\x1b[2Jb\n.csv: has no column \x07\x9b2J\u202e"
    assert len(str(FormatError("a.csv", "x" * 10_000))) < 500


def test_a_format_error_survives_the_way_between_processes() -> None:
    error = FormatError(Path("a.csv"), "is empty")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.path) == (FormatError, "a.csv: is empty", "a.csv")


def test_a_closed_reader_says_so(tmp_path: Path) -> None:
    formats.write(digital(np.zeros((10, 2))), tmp_path / "a.edf")
    with formats.open_reader(tmp_path / "a.edf") as reader:
        assert reader.read(0, 5).shape == (5, 2)
    with pytest.raises(ValueError, match="is closed"):
        reader.read(0, 5)

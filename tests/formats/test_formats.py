from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from records import digital

from ipmdae import formats
from ipmdae.formats import FormatError
from ipmdae.recording import Header, Recording


class Plain:
    """A format that knows nothing of blocks, and may not be written."""

    NAME = "Plain"
    SUFFIXES = (".plain",)

    def __init__(self) -> None:
        self.files: dict[Path, Recording] = {}

    def recognises(self, path: Path) -> bool:
        return path in self.files

    def read(self, path: Path, *, annotations: bool = True, options: object = None) -> Recording:
        return self.files[path]


class Written(Plain):
    """The same, but it can be written."""

    def write(self, recording: Recording, path: Path) -> None:
        self.files[path] = recording


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Written:
    format = Written()
    monkeypatch.setattr(formats, "FORMATS", (format,))
    return format


def test_unknown_formats(tmp_path: Path) -> None:
    (tmp_path / "x.xyz").write_text("?")
    with pytest.raises(FormatError, match="of no known format; the command `ipmdae formats`"):
        formats.read(tmp_path / "x.xyz")
    with pytest.raises(FileNotFoundError, match="no such file"):
        formats.read(tmp_path / "y.xyz")
    (tmp_path / "folder").mkdir()
    with pytest.raises(FormatError, match="is a folder; name the recordings in it"):
        formats.read(tmp_path / "folder")
    (tmp_path / "x.edf.gz").write_bytes(gzip.compress(b"0"))
    with pytest.raises(FormatError, match="is compressed by gzip; expand it first"):
        formats.read(tmp_path / "x.edf.gz")
    with pytest.raises(FormatError, match="no format has this suffix"):
        formats.write(digital(np.ones((3, 1))), tmp_path / "z.xyz")


@pytest.mark.parametrize("suffix", [end for f in formats.FORMATS for end in f.SUFFIXES if end])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"x{suffix}").write_bytes(b"")
    with pytest.raises(FormatError, match="is empty"):
        formats.read(tmp_path / f"x{suffix}")


def test_a_format_without_blocks_goes_through_memory(plain: Written, tmp_path: Path) -> None:
    path, signal = tmp_path / "x.plain", np.arange(20.0).reshape(10, 2)
    header = digital(signal, comments=("A",)).header
    with formats.open_writer(header, path) as writer:
        block = signal[:7].copy()
        writer.write(block)
        block[:] = 0
        writer.write(signal[7:])
        assert not plain.files
    assert_array_equal(plain.files[path].signal, signal)
    assert plain.files[path].comments == ("A",)
    with formats.open_reader(path) as reader:
        assert reader.info.comments == ("A",)
        assert_array_equal(reader.read(3, 8), signal[3:8])


def write_zeros(header: Header, path: Path, samples: int, failing: bool = False) -> None:
    with formats.open_writer(header, path) as writer:
        writer.write(np.zeros((samples, 2)))
        if failing:
            raise KeyboardInterrupt


def test_what_is_not_complete_is_not_written(plain: Written, tmp_path: Path) -> None:
    header = digital(np.zeros((10, 2))).header
    with pytest.raises(FormatError, match="3 samples a lead came, 10 were announced"):
        write_zeros(header, tmp_path / "x.plain", 3)
    with pytest.raises(KeyboardInterrupt):
        write_zeros(header, tmp_path / "x.plain", 10, failing=True)
    assert not plain.files


def test_a_format_for_reading_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(formats, "FORMATS", (Plain(), Written()))
    r = digital(np.zeros((3, 1)))
    for write in (formats.write, lambda r, path: formats.open_writer(r.header, path)):
        with pytest.raises(FormatError, match="Plain is for reading only; what can be written"):
            write(r, tmp_path / "x.plain")

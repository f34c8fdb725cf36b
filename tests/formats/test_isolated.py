"""Readers in child processes: what they may reach, and what a file costs that ends or fills one."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ipmdae import formats
from ipmdae.formats import FormatError, ReadOptions, SignalReader, isolated

ECG = np.random.default_rng(0).normal(0, 1, (300, 2))


def save_hdf5(path: Path) -> None:
    """Two leads in HDF5, which a child process reads."""
    with pytest.importorskip("h5py").File(path, "w") as file:
        file["signal"], file["fs"], file["units"] = ECG, 250, "mV"


# A module with ``open_here``, as the child imports it; each file's content says how it fails.


def open_here(path: Path, options: ReadOptions) -> SignalReader:
    """Do as the file says."""
    how = path.read_text()
    if how == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == "exit":
        os._exit(3)
    if how == "fill":
        np.ones(1 << 30)
    if how == "sleep":
        time.sleep(60)
    while how == "hang":
        pass
    raise {"key": KeyError("x"), "missing": FileNotFoundError("y.dat: there is no such file")}[how]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ("crash", FormatError, r"a\.bin: is broken \(it ends its reader by SIGSEGV\)"),
        ("exit", FormatError, r"ends its reader with status 3"),
        ("fill", FormatError, "does not fit into memory"),
        ("hang", FormatError, "reading it took more than 0 s"),
        ("sleep", FormatError, "reading it took more than 0 s"),
        ("key", FormatError, r"a\.bin: is broken \(KeyError: 'x'\)"),
        ("missing", FileNotFoundError, r"^y\.dat: there is no such file$"),
    ],
)
def test_a_reader_that_fails_costs_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, error: type[Exception], message: str
) -> None:
    monkeypatch.setattr(isolated, "_ANSWER", 0.1 if how in ("hang", "sleep") else 10.0)
    path = tmp_path / "a.bin"
    path.write_text(how)
    with pytest.raises(error, match=message):
        isolated.open_reader(path, ReadOptions(), __name__)


def test_a_child_answers_as_the_reader_does(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    save_hdf5(path)
    r = formats.read(path)
    assert (r.fs, r.leads, r.units) == (250, ("lead 1", "lead 2"), ("mV", "mV"))
    assert_array_equal(r.signal, ECG)
    with pytest.warns(UserWarning, match="overrules"):
        assert formats.read(path, fs=500).fs == 500


def test_a_child_that_dies_later(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    save_hdf5(path)
    reader: Any = isolated.open_reader(path, ReadOptions(), "ipmdae.formats.hdf5")
    assert_array_equal(reader.read(5, 9), ECG[5:9])
    reader._child.kill()
    with reader, pytest.raises(FormatError, match="ends its reader by SIGKILL"):
        reader.read(0, 3)

"""Fixtures: small real excerpts, laid out as a user's data sets, and a tiny random model."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path

# Tests run side by side: threads of one would wait for a processor at each barrier of another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from fakes import Fakes
from hypothesis import settings
from networks import TINY, random_tensors
from numpy.typing import NDArray

from ipmdae import examples, formats, native
from ipmdae.engine import ModelFile, Preprocessing, write_model
from ipmdae.formats import isolated

DATA = Path(__file__).parent / "data"

# A test that waits for a processor has not failed.
settings.register_profile("without a deadline", settings(), deadline=None)
settings.load_profile("without a deadline")


def pytest_configure(config: pytest.Config) -> None:
    """Where the native library is missing, its one warning is given here and fails no test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        native.available()


@pytest.fixture(scope="session")
def datasets() -> Path:
    """A folder of both databases, as downloaded, but with a few short records only."""
    return DATA / "datasets"


@pytest.fixture(scope="session")
def qtdb_folder(datasets: Path) -> Path:
    """The excerpts of the QT Database: sel100, sel52, sele0121, sele0122, 60 s each."""
    return datasets / "qt-database-1.0.0"


@pytest.fixture(scope="session")
def nstdb_folder(datasets: Path) -> Path:
    """The excerpts of the noise database: bw, em, ma (120 s); 118e06, 118e24 (30 s)."""
    return datasets / "mit-bih-noise-stress-test-database-1.0.0"


@pytest.fixture(scope="session")
def tiny_model() -> ModelFile:
    """A network of one lead with random weights, for windows of 2 s at 250 Hz."""
    return ModelFile(
        name="tiny",
        architecture=TINY,
        preprocessing=Preprocessing(fs=250.0, window=500, overlap=100),
        card={},
        tensors=random_tensors(TINY),
    )


@pytest.fixture
def fake(tiny_model: ModelFile, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    """Makes denoisers whose network is a function."""
    return Fakes(tiny_model, monkeypatch)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read files without child processes, which take a second each."""
    monkeypatch.setattr(isolated, "enabled", False)


@pytest.fixture
def record(tmp_path: Path, nstdb_folder: Path) -> Path:
    """A copy of a WFDB record, to be broken."""
    for suffix in ("hea", "dat", "atr"):
        shutil.copyfile(nstdb_folder / f"118e06.{suffix}", tmp_path / f"118e06.{suffix}")
    return tmp_path / "118e06"


@pytest.fixture(scope="session")
def noisy() -> NDArray[np.float64]:
    """Ten real seconds of two leads at 360 Hz, in mV."""
    return formats.read(examples.path("118e06_excerpt")).signal[:3600]


@pytest.fixture
def model_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: ModelFile) -> Path:
    """The current folder, with the tiny model in ``tiny.safetensors``."""
    monkeypatch.chdir(tmp_path)
    write_model("tiny.safetensors", tiny_model)
    return tmp_path


@pytest.fixture
def tree(model_folder: Path) -> Path:
    """A tree with two recordings, one file that is broken and one that is none, and a model."""
    noisy = formats.read(examples.path("118e06_excerpt"))
    formats.write(noisy.excerpt(0, 6), "data/a")
    formats.write(noisy.excerpt(6, 4), "data/deep/b.edf")
    Path("data/bad.hea").write_text("bad")
    Path("data/notes.md").write_text("none")
    return model_folder

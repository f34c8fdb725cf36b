"""OpenSignals' HDF5 files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ipmdae import formats
from ipmdae.formats import FormatError, ReadOptions

pytestmark = pytest.mark.usefixtures("in_this_process")

h5py = pytest.importorskip("h5py")

ECG = np.random.default_rng(0).normal(0, 0.3, 3000)
ADDRESS = "00:07:80:3B:46:61"
ABOUT: dict[str, Any] = {
    "sampling rate": 1000,
    "device": "biosignalsplux",
    "date": "2026-3-4",
    "time": "9:5:40.9",
    "comments": "Jane Doe",
    "channels": [1, 3],
    "resolution": [16, 16],
    "sensor": ["ECG", "ACC"],
}


def save(path: Path, address: str = ADDRESS, steps: Any = None, **changes: Any) -> Path:
    """A file as OpenSignals writes it; of attributes that are ``None``, none."""
    steps = np.rint((ECG / 1000 * 1019 / 3 + 0.5) * 65536).astype("u2") if steps is None else steps
    with h5py.File(path, "a") as file:
        device = file.create_group(address)
        device.attrs.update({k: v for k, v in (ABOUT | changes).items() if v is not None})
        raw = device.create_group("raw")
        raw["channel_1"], raw["channel_3"] = steps[:, None], np.full((len(steps), 1), 30000, "u2")
        raw["nSeq"] = np.arange(len(steps))[:, None] % 16
        device["digital/digital_1"] = np.zeros((len(steps), 1), "u1")
        for what in ("Mx", "mean"):
            device[f"support/level_10/channel_1/{what}"] = steps[::10]
        device["plugin/HRV/rr"] = np.full(50, 800)
    return path


def test_the_ecg_is_in_mv(tmp_path: Path) -> None:
    r = formats.read(save(tmp_path / "x.h5"))
    assert (r.fs, r.leads, r.units) == (1000, ("ECG channel_1", "ACC channel_3"), ("mV", "NU"))
    assert_allclose(r.signal[:, 0], ECG, atol=0.51 * 3000 / 1019 / 65536)
    assert r.start == datetime(2026, 3, 4, 9, 5, 40)
    assert "Doe" not in " ".join(r.comments)


def test_bitalino_and_attributes_of_channels(tmp_path: Path) -> None:
    steps = np.rint((ECG / 1000 * 1100 / 3.3 + 0.5) * 1024).astype("u2")
    path = save(tmp_path / "x.h5", steps=steps, device="bitalino_rev", sensor=None, resolution=None)
    with h5py.File(path, "a") as file:
        file[f"{ADDRESS}/raw/channel_1"].attrs.update(sensor="ECGBIT", resolution=10)
        file[f"{ADDRESS}/raw/channel_3"].attrs.update(sensor="ACC", resolution=10)
    r = formats.read(path)
    assert r.leads[0] == "ECGBIT channel_1"
    assert_allclose(r.signal[:, 0], ECG, atol=0.51 * 3 / 1024)


def test_resolutions_of_columns(tmp_path: Path) -> None:
    about: dict[str, Any] = {
        "column": ["nSeq", "A1", "A3"],
        "label": ["A1", "A3"],
        "resolution": [4, 16, 12],
    }
    r = formats.read(save(tmp_path / "x.h5", **about))
    assert_allclose(r.signal[:, 0], ECG, atol=0.51 * 3000 / 1019 / 65536)


@pytest.mark.parametrize(
    "changes",
    [
        *({"device": "new", "sensor": ["ECG", "ECG"]}, {"sensor": None}, {"resolution": None}),
        *({"resolution": bits} for bits in ([4, 16, 16], [4, 16], 16, [40, 16])),
    ],
)
def test_steps_of_unknown_size_are_asked_for(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = save(tmp_path / "x.h5", **changes)
    with pytest.raises(FormatError, match="steps of a converter whose size it does not say"):
        formats.read(path)
    scale = 3e6 / 1019 / 65536
    r = formats.read(path, options=ReadOptions(unit=f"{scale:.12f}uV"))
    assert_allclose(r.signal[:, 0] - 1500 / 1019, ECG, atol=0.51 * 3000 / 1019 / 65536)


def test_a_channel_or_a_device_is_chosen(tmp_path: Path) -> None:
    path = save(tmp_path / "x.h5")
    for name in ("channel_1", f"{ADDRESS}/raw/channel_1"):
        assert formats.read(path, options=ReadOptions(array=name)).leads == ("ECG channel_1",)
    save(path, "00:07:80:00:00:02", steps=np.full(500, 3, "u2"))
    with pytest.raises(FormatError, match="several devices"):
        formats.read(path)
    assert formats.read(path, options=ReadOptions(array=ADDRESS)).samples == len(ECG)


@pytest.mark.parametrize(
    "changes",
    [
        {"sampling rate": "fast"},
        {"sampling rate": 0},
        {"resolution": [1 << 30, 16]},
        {"resolution": ["x", "y"]},
    ],
)
def test_a_broken_description_is_one_line(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        formats.read(save(tmp_path / "x.h5", **changes))


def test_channels_of_two_lengths(tmp_path: Path) -> None:
    path = save(tmp_path / "x.h5")
    with h5py.File(path, "a") as file:
        del file[f"{ADDRESS}/raw/channel_3"]
        file[f"{ADDRESS}/raw/channel_3"] = np.zeros(5, "u2")
    with pytest.raises(FormatError, match="one length"):
        formats.read(path)

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ipmdae.recording import Annotations, Header, Recording, Resolution, millivolts


def recording(**changes: Any) -> Recording:
    fields: dict[str, Any] = {
        "signal": np.arange(20.0).reshape(10, 2),
        "fs": 10,
        "leads": ("I", "II"),
        "start": datetime(2024, 2, 29, 23, 59, 59),
        "annotations": {"atr": Annotations(sample=np.array([0, 4, 9]), symbol=("N", "V", "N"))},
    }
    return Recording(**fields | changes)


def test_defaults() -> None:
    r = recording()
    assert r.units == ("mV", "mV")
    assert r.resolution == (None, None)
    assert (r.samples, r.duration, r.fs) == (10, 1.0, 10.0)
    assert r.signal.dtype == np.float64


def test_a_recording_cannot_be_changed() -> None:
    signal = np.zeros((10, 2))
    r = recording(signal=signal)
    with pytest.raises(ValueError, match="read-only"):
        r.signal[0] = 1
    with pytest.raises(FrozenInstanceError):
        r.fs = 5  # type: ignore[misc]
    with pytest.raises(TypeError):
        r.annotations["x"] = r.annotations["atr"]  # type: ignore[index]
    signal[0] = 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"signal": np.zeros(10)}, "must be \\(time, leads\\)"),
        ({"signal": np.zeros((0, 2))}, "needs samples and leads"),
        ({"signal": np.zeros((10, 0))}, "needs samples and leads"),
        ({"signal": np.full((10, 2), np.inf)}, "infinite values"),
        ({"signal": np.zeros((10, 3))}, "3 leads in the signal, but 2 names"),
        ({"leads": "II"}, "leads must be a sequence"),
        ({"leads": (1, 2)}, "leads must be texts, got"),
        ({"units": "mV"}, "units must be a sequence"),
        ({"units": ("mV",)}, "2 leads, but 1 units"),
        ({"resolution": (None,)}, "2 leads, but 1 resolution"),
        ({"fs": 0}, "sampling rate must be positive"),
        ({"fs": float("nan")}, "sampling rate must be positive"),
    ],
)
def test_what_does_not_agree_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recording(**changes)


def test_excerpt_takes_signal_start_and_annotations_along() -> None:
    part = recording().excerpt(0.3, 0.5)
    assert_array_equal(part.signal, recording().signal[3:8])
    assert part.start == datetime(2024, 2, 29, 23, 59, 59) + timedelta(seconds=0.3)
    assert_array_equal(part.annotations["atr"].sample, [1])
    assert part.annotations["atr"].symbol == ("V",)


def test_excerpt_ends_with_the_recording() -> None:
    assert recording().excerpt(0.8, 100).samples == 2
    with pytest.raises(ValueError, match="nothing was recorded from 1 s for 3 s"):
        recording().excerpt(1, 3)


def test_from_array() -> None:
    r = Recording.from_array([1, 2, 3], fs=100)
    assert r.signal.shape == (3, 1)
    assert r.leads == ("lead 1",)
    assert Recording.from_array(np.zeros((3, 2)), 100, ("I", "II")).leads == ("I", "II")
    with pytest.raises(ValueError, match="an array of shape \\(\\)"):
        Recording.from_array(1.0, fs=100)


def test_a_header_is_a_recording_without_its_signal() -> None:
    r = recording(comments=("A",), units=("mV", "mmHg"))
    header = r.header
    assert (header.samples, header.duration, header.comments) == (10, 1.0, ("A",))
    again = Recording.from_header(header, r.signal + 1)
    assert_array_equal(again.signal, r.signal + 1)
    assert again.header.units == ("mV", "mmHg")
    with pytest.raises(ValueError, match=r"shape \(9, 2\) is not the \(10, 2\) of the header"):
        Recording.from_header(header, r.signal[:9])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"samples": 0}, "needs samples and leads, got 0 of 1 leads"),
        ({"leads": ()}, "needs samples and leads"),
        ({"fs": -1}, "sampling rate must be positive"),
        ({"units": ("mV", "mV")}, "1 leads, but 2 units"),
    ],
)
def test_a_header_must_agree_with_itself(changes: dict[str, Any], message: str) -> None:
    fields: dict[str, Any] = {"samples": 5, "fs": 10, "leads": ("I",)}
    assert Header(**fields).resolution == (None,)
    with pytest.raises(ValueError, match=message):
        Header(**fields | changes)


def test_with_leads_takes_some_of_them() -> None:
    part = recording(units=("mV", "mmHg")).with_leads([1])
    assert (part.leads, part.units, part.resolution) == (("II",), ("mmHg",), (None,))
    assert_array_equal(part.signal[:, 0], recording().signal[:, 1])


def test_with_signal_keeps_the_shape() -> None:
    assert_array_equal(recording().with_signal(np.ones((10, 2))).signal, 1)
    with pytest.raises(ValueError, match="does not replace"):
        recording().with_signal(np.ones((9, 2)))


def test_annotations_need_one_entry_a_mark() -> None:
    with pytest.raises(ValueError, match="2 marks, but 1 of symbol"):
        Annotations(sample=np.array([1, 2]), symbol=("N",))


@pytest.mark.parametrize(
    ("unit", "factor"), [("mV", 1), ("uV", 1e-3), ("µV", 1e-3), ("V", 1e3), ("mmHg", None)]
)
def test_units_of_voltage(unit: str, factor: float | None) -> None:
    assert millivolts(unit) == factor


def test_resolution() -> None:
    assert Resolution(gain=-200).step == 0.005
    assert Resolution(gain=2, unit="uV").step == pytest.approx(0.0005)
    for gain in (0.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="is invalid"):
            Resolution(gain=gain)

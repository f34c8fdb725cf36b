"""EDF and BDF as they are written: data records, ranges, fields and annotations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ipmdae import formats
from ipmdae.formats import FormatError, edf_text
from ipmdae.formats.edf_range import EdfResolution, eight
from ipmdae.formats.edf_writer import plan
from ipmdae.recording import Recording, Resolution


def test_values_beyond_the_range_that_a_signal_had(tmp_path: Path) -> None:
    had = EdfResolution.of((-1, 1), (-1000, 1000), unit="mV", bits=16)
    r = Recording(signal=np.array([[0.5], [1.7]] * 50), fs=100, leads=("II",), resolution=(had,))
    formats.write(r, tmp_path / "x.edf")
    again = formats.read(tmp_path / "x.edf")
    assert_allclose(again.signal, r.signal, atol=1e-9)
    assert again.resolution[0] is not None
    assert again.resolution[0].step == pytest.approx(1e-3)


def test_24_bits_do_not_fit_16(tmp_path: Path) -> None:
    how = (Resolution(gain=1e6, bits=24),)
    r = Recording(signal=np.linspace(-5, 5, 100)[:, None], fs=100, leads=("II",), resolution=how)
    with pytest.warns(UserWarning, match=r"II does not fit 16 bits .* BDF \(\.bdf\) has 24"):
        formats.write(r, tmp_path / "x.edf")
    assert_allclose(formats.read(tmp_path / "x.edf").signal, r.signal, atol=2e-4)
    formats.write(r, tmp_path / "x.bdf")
    assert_allclose(formats.read(tmp_path / "x.bdf").signal, r.signal, atol=0.6e-6)


def test_an_outlier_that_makes_steps_coarse_is_warned_of(tmp_path: Path) -> None:
    signal = np.sin(np.arange(1000.0))[:, None]
    formats.write(Recording(signal=100 * signal, fs=100, leads=("II",)), tmp_path / "x.edf")
    signal[500:510] = -32768
    for unit in ("mV", "NU"):
        r = Recording(signal=signal, fs=100, leads=("II",), units=(unit,))
        if unit == "mV":
            with pytest.warns(UserWarning, match=r"II does not fit 16 bits at steps of 5 µV.*BDF"):
                formats.write(r, tmp_path / "x.edf")
        else:
            formats.write(r, tmp_path / "x.edf")


def test_rates_that_have_no_record_in_common(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="have no data record in common"):
        plan(tmp_path, [997.123457, 1000.654321], [1000, 1000], 2)


@given(st.floats(1, 4000), st.integers(1, 100_000))
@settings(deadline=None, max_examples=50)
def test_records_hold_all_samples(fs: float, samples: int) -> None:
    layout = plan(Path("x"), [round(fs, 2)], [samples], 2)
    assert layout.counts[0] * (layout.records - 1) < samples <= layout.counts[0] * layout.records
    assert layout.counts[0] / float(layout.duration) == pytest.approx(round(fs, 2), rel=1e-6)


@given(st.floats(-999_999, 9_999_999))
def test_eight_characters(value: float) -> None:
    text = eight(value)
    assert len(text) <= 8
    assert "e" not in text
    assert float(text) == pytest.approx(value, rel=1e-5, abs=1e-5)


@given(
    st.floats(-1e6, 1e6),
    st.one_of(st.none(), st.floats(0, 1e6)),
    st.text(st.characters(exclude_characters="\0\x14\x15", codec="utf-8"), max_size=30),
)
def test_annotations_come_back(onset: float, duration: float | None, text: str) -> None:
    (again,) = edf_text.decode(edf_text.encode(edf_text.Event(onset, duration, text)))
    assert again.text == text
    assert again.onset == pytest.approx(onset, abs=1e-8)
    assert again.duration == (None if duration is None else pytest.approx(duration, abs=1e-8))

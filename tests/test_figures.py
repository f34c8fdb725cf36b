from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from ipmdae import examples, figures, formats
from ipmdae.recording import Recording


@pytest.fixture(scope="module")
def pair() -> tuple[Recording, Recording]:
    noisy, clean = (formats.read(examples.path(n)) for n in ("118e06_excerpt", "118e24_excerpt"))
    return noisy, clean


def size(figure: Figure) -> tuple[float, float]:
    """Width and height in mm."""
    width, height = figure.get_size_inches() * 25.4
    return float(width), float(height)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_paper_is_true_to_scale(pair: tuple[Recording, Recording]) -> None:
    figure = figures.before_after(*pair, start=10, seconds=4)
    axes = figure.axes[0]
    assert size(figure) == pytest.approx((axes.get_xlim()[1], axes.get_ylim()[1]))
    pulses, traces = axes.lines[::2], axes.lines[1::2]
    assert len(traces) == 4
    for pulse, trace in zip(pulses, traces, strict=True):
        x, y = np.asarray(trace.get_data(), float)
        assert np.ptp(x) == pytest.approx(25 * (4 - 1 / 360))
        assert np.ptp(np.asarray(pulse.get_ydata(), float)) == 10
        assert np.isfinite(y).all()
    noisy = pair[0].excerpt(10, 4).signal[:, 0]
    y = np.asarray(traces[0].get_ydata(), float)
    assert np.ptp(y) == pytest.approx(10 * np.ptp(noisy))


def test_paper_says_what_it_shows(pair: tuple[Recording, Recording]) -> None:
    shown = texts(figures.before_after(*pair, start=10, seconds=2, leads=["V1"]))
    assert shown == ["V1", "noisy", "V1", "cleaned", "10 s", "11 s", "12 s", "25 mm/s    10 mm/mV"]


def test_gaps_flat_and_foreign_leads(pair: tuple[Recording, Recording]) -> None:
    signal = np.column_stack([pair[0].signal[:, 0], np.full((21600, 2), np.nan)])
    signal[100:200, 0] = np.nan
    r = Recording(
        signal=signal, fs=360, leads=("II", "empty", "Resp"), units=("mV", "mV", "l"), start=None
    )
    figure = figures.ecg_paper(r, seconds=3)
    assert {"II", "empty"} < set(texts(figure))
    assert "Resp" not in texts(figure)
    y = np.asarray(figure.axes[0].lines[1].get_ydata(), float)
    assert np.isnan(y[100:200]).all()
    assert np.isfinite(y[200:]).all()


def test_a_wild_lead_is_cut_at_its_edges(pair: tuple[Recording, Recording]) -> None:
    wild = pair[0].with_signal(pair[0].signal * 100)
    assert size(figures.ecg_paper(wild, seconds=2))[1] < 300


def test_what_cannot_be_shown_is_refused(pair: tuple[Recording, Recording]) -> None:
    noisy, clean = pair
    with pytest.raises(ValueError, match="no lead in mV is called aVR; there are MLII, V1"):
        figures.before_after(noisy, clean, leads=["aVR"])
    with pytest.raises(ValueError, match="nothing was recorded"):
        figures.before_after(noisy, clean, start=61)
    with pytest.raises(ValueError, match="same leads and samples"):
        figures.before_after(noisy, clean.excerpt(0, 5))
    with pytest.raises(ValueError, match="there are none"):
        figures.ecg_paper(dataclasses.replace(noisy, units=("V/V", "l")))
    with pytest.raises(ValueError, match="no traces"):
        figures.strip({}, 360)


def test_strips(pair: tuple[Recording, Recording]) -> None:
    figure = figures.strip({"bw": np.zeros(720), "em": np.ones(720)}, 360, title="Noise", start=1)
    assert [axes.get_ylabel() for axes in figure.axes] == ["bw", "em"]
    x = np.asarray(figure.axes[0].lines[0].get_xdata(), float)
    assert (x[0], x[-1]) == pytest.approx((1, 3 - 1 / 360))
    assert [text.get_text() for text in figure.texts] == ["Noise"]


@pytest.mark.parametrize(
    ("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_figures_are_saved(
    tmp_path: Path, pair: tuple[Recording, Recording], suffix: str, start: bytes
) -> None:
    path = tmp_path / "new" / f"figure.{suffix}"
    figures.save(figures.ecg_paper(pair[1], seconds=2), path)
    assert path.read_bytes().startswith(start)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_figure_that_cannot_be_saved_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not supported"):
        figures.save(figures.strip({"x": np.zeros(9)}, 1), tmp_path / "figure.xyz")
    assert list(tmp_path.iterdir()) == []

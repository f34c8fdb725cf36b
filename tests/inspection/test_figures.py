from __future__ import annotations

import dataclasses
import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ipmdae import examples, figures, formats
from ipmdae.quality import quality
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


@pytest.mark.parametrize("peak", [1.0, 1.8, 2.5])
def test_beats_of_many_leads_are_drawn_whole(peak: float) -> None:
    beats = peak * (np.arange(2500) % 250 == 100).astype(float)
    names = (*(f"V{i}" for i in range(1, 7)), "I", "II", "III", "aVR", "aVL", "aVF")
    r = Recording(signal=np.tile(beats[:, None], 12), fs=250, leads=names)
    figure = figures.overlay(r, r, dense=True)
    traces = [np.asarray(line.get_ydata(), float) for line in figure.axes[0].lines[2::3]]
    assert len(traces) == 12
    for y in traces:
        assert np.ptp(y) == pytest.approx(10 * peak)


def test_long_names_of_leads_stay_left_of_the_pulse(pair: tuple[Recording, Recording]) -> None:
    for name in ("Ableitung Brust links vorn", "Shimmer_1234_ECG_LL-RA_24BIT_CAL"):
        r = dataclasses.replace(pair[0], leads=(name, "V1"))
        figure = figures.ecg_paper(r, seconds=3)
        figure.draw_without_rendering()
        axes = figure.axes[0]
        pulse = min(np.asarray(axes.lines[0].get_xdata(), float))
        begun = [t for t in axes.texts if t.get_text() and name.startswith(t.get_text()[:5])]
        assert begun
        for text in begun:
            box = text.get_window_extent().transformed(axes.transData.inverted())
            assert box.x1 < pulse + 2  # its first 2 mm are the foot of the pulse


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


LIMBS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


@pytest.fixture
def twelve(pair: tuple[Recording, Recording]) -> Recording:
    """Ten seconds of twelve leads, named as some recorders do."""
    signal = np.column_stack([pair[1].signal[:3600, 0] * (1 + i / 12) for i in range(12)])
    return Recording.from_array(signal, 360, tuple(f"ECG {name.upper()}" for name in LIMBS))


@pytest.mark.parametrize(
    ("layout", "rows"), [("1", 1), ("2", 2), ("3", 3), ("6x2", 6), ("3x4", 4), ("12x1", 12)]
)
def test_layouts(twelve: Recording, layout: str, rows: int) -> None:
    figure = figures.ecg_paper(twelve, layout=layout)
    assert size(figure)[0] == 280  # 10 s and the margins fit A4
    pulses = [line for line in figure.axes[0].lines if len(np.asarray(line.get_xdata())) == 6]
    assert len(pulses) == rows


def test_the_columns_of_a_layout_follow_each_other(twelve: Recording) -> None:
    figure = figures.ecg_paper(twelve, layout="3x4")
    shown = [text for text in texts(figure) if text in LIMBS]
    assert sorted(shown) == sorted([*LIMBS, "II"])
    traces = [line for line in figure.axes[0].lines if len(np.asarray(line.get_xdata())) > 6]
    ends = [(np.asarray(t.get_xdata(), float)[[0, -1]] - 25) / 25 for t in traces]
    for column in range(4):
        assert ends[column] == pytest.approx((2.5 * column, 2.5 * (column + 1)), abs=0.01)
    assert ends[-1] == pytest.approx((0, 10), abs=0.01)


def test_names_of_leads_never_lie_on_beats(twelve: Recording) -> None:
    figure = figures.ecg_paper(twelve, layout="3x4")
    traces = [t for t in figure.axes[0].lines if len(np.asarray(t.get_xdata())) > 6]
    figure.canvas.draw()
    for text in figure.axes[0].texts:
        box = text.get_window_extent().transformed(figure.axes[0].transData.inverted())
        for trace in traces:
            x, y = (np.asarray(values, float) for values in trace.get_data())
            inside = (x > box.x0) & (x < box.x1) & (y > box.y0) & (y < box.y1)
            assert not inside.any(), text.get_text()


def test_long_strips_go_on_in_further_rows(pair: tuple[Recording, Recording]) -> None:
    figure = figures.ecg_paper(pair[0], seconds=25, leads=["V1"])
    traces = [t for t in figure.axes[0].lines if len(np.asarray(t.get_xdata())) > 6]
    spans = [np.ptp(np.asarray(t.get_xdata(), float)) / 25 for t in traces]
    assert spans == pytest.approx([10, 10, 5], abs=0.01)
    assert size(figure)[0] == 280
    tops = [np.median(np.asarray(t.get_ydata(), float)) for t in traces]
    assert tops == sorted(tops, reverse=True)
    shown = texts(figure)
    assert {"0 s", "11 s", "25 s"} <= set(shown)


def test_a_title_says_whose_when_and_how(pair: tuple[Recording, Recording]) -> None:
    began = datetime(2026, 11, 27, 10, 0, 5)
    told = dataclasses.replace(pair[0], start=began, comments=("Cleaned by iir: MLII",))
    title = figures.title_of(told, "a\x1b.edf")
    assert title.split("    ") == ["a\x1b.edf", "2026-11-27 10:00:05", "360 Hz", "Cleaned by iir"]
    shown = texts(figures.ecg_paper(pair[0], seconds=10, title=title))
    assert "a\\x1b.edf    2026-11-27" in shown[0]
    assert "not filtered by ipmdae" in figures.title_of(pair[0], "b")


def test_twelve_leads_before_and_after_fit_a_page(twelve: Recording) -> None:
    noisy = twelve.with_signal(twelve.signal + 0.3)
    figure = figures.overlay(noisy, twelve, dense=True)
    width, height = size(figure)
    assert width <= 281  # landscape A4 within margins of 8 mm
    assert height <= 194
    assert figures.png(figure, 100).startswith(b"\x89PNG")


def test_layouts_that_cannot_be_are_refused(
    twelve: Recording, pair: tuple[Recording, Recording]
) -> None:
    with pytest.raises(
        ValueError, match="unknown layout '4x3'; there are: 1, 2, 3, 3x4, 6x2, 12x1"
    ):
        figures.ecg_paper(twelve, layout="4x3")
    with pytest.raises(ValueError, match="needs the leads I, V1; there are MLII"):
        figures.ecg_paper(dataclasses.replace(pair[0], leads=("MLII", "V9")), layout="6x2")


def test_overlay_shares_the_baseline_and_shows_the_band(pair: tuple[Recording, Recording]) -> None:
    sd = np.full(pair[0].signal.shape, 0.2)
    figure = figures.overlay(*pair, start=10, seconds=4, leads=["V1"], sd=sd)
    _, before, after = figure.axes[0].lines
    noisy, clean = (r.excerpt(10, 4).signal[:, 1] for r in pair)
    shift = np.asarray(before.get_ydata(), float) - np.asarray(after.get_ydata(), float)
    np.testing.assert_allclose(shift, 10 * (noisy - clean), atol=1e-9)
    band = figure.axes[0].collections[-1].get_paths()[0].vertices
    assert np.ptp(np.asarray(band)[:, 1]) == pytest.approx(10 * np.ptp(clean) + 4, abs=0.1)
    assert "band: ± 1 standard deviation of the error" in texts(figure)[-1]


def test_what_cannot_be_read_is_shaded(pair: tuple[Recording, Recording]) -> None:
    signal = pair[0].signal.copy()
    signal[360 * 12 : 360 * 14, 1] = np.nan
    noisy = pair[0].with_signal(signal)
    for draw in (figures.before_after, figures.overlay):
        figure = draw(noisy, pair[1], start=11, seconds=2, quality=quality(noisy))
        (patch,) = figure.axes[0].patches
        assert isinstance(patch, Rectangle)
        assert (patch.get_x(), patch.get_width()) == pytest.approx((25 + 25, 25))
        assert "shaded: not readable" in texts(figure)[-1]
    assert len(figures.ecg_paper(noisy, seconds=20, quality=quality(noisy)).axes[0].patches) == 1


def test_times_are_those_of_the_recording(pair: tuple[Recording, Recording]) -> None:
    shown = texts(figures.ecg_paper(pair[1], seconds=2, leads=["V1"], origin=3599))
    assert shown[2:-1] == ["0:59:59", "1:00:00", "1:00:01"]
    assert texts(figures.ecg_paper(pair[1], seconds=1, leads=["V1"], origin=61.5))[2] == "1:01.50"


def test_leads_of_one_name_are_both_shown(pair: tuple[Recording, Recording]) -> None:
    twins = dataclasses.replace(pair[1], leads=("ECG", "ECG"))
    first, second = figures.ecg_paper(twins, seconds=2).axes[0].lines[1::2]
    assert not np.array_equal(first.get_ydata(), second.get_ydata())


@pytest.mark.parametrize("name", ["$\\frac", "<b>&", "導出", "\u202e"])
def test_any_name_of_a_lead_can_be_drawn(
    tmp_path: Path, pair: tuple[Recording, Recording], name: str
) -> None:
    recording = dataclasses.replace(pair[1], leads=(name, "V1"))
    figures.save(figures.ecg_paper(recording, seconds=1), tmp_path / "paper.png")
    assert figures.svg(figures.strip({name: np.zeros(99)}, 1)).startswith(b"<?xml")


def test_pictures_have_their_size_in_print(
    tmp_path: Path, pair: tuple[Recording, Recording]
) -> None:
    figure = figures.ecg_paper(pair[1], seconds=10)
    width, height = (value / 25.4 * 72 for value in size(figure))
    figures.save(figure, tmp_path / "paper.pdf")
    box = re.search(rb"MediaBox \[([^]]+)\]", (tmp_path / "paper.pdf").read_bytes())
    assert box is not None
    assert [float(x) for x in box[1].split()] == pytest.approx([0, 0, width, height], abs=0.1)
    drawn = figures.svg(figure)
    assert drawn == figures.svg(figure)
    found = re.search(rb'width="([\d.]+)pt"', drawn)
    assert found is not None
    assert float(found[1]) == pytest.approx(width, abs=0.1)


def test_spectra_and_timelines() -> None:
    frequencies = np.linspace(0, 180, 1441)
    flat = np.full(1441, 1e-4)
    densities = {"I": {"recorded": flat, "removed": flat / 10}, "II": {"recorded": flat * np.nan}}
    figure = figures.spectrum(frequencies, densities)
    assert [axes.get_ylabel() for axes in figure.axes] == ["I", "II"]
    level = np.asarray(figure.axes[0].lines[0].get_ydata(), float)
    np.testing.assert_allclose(level, -40)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["recorded", "removed"]
    times, values = np.arange(7200.0), np.zeros(7200)
    drawn = figures.timeline(times, {"I": [("noisy", values, values + 1)]}, shaded={"I": [(9, 99)]})
    assert len(drawn.axes[0].patches) == 1
    assert figures.svg(drawn)
    with pytest.raises(ValueError, match="to draw"):
        figures.spectrum(frequencies, {})
    with pytest.raises(ValueError, match="to draw"):
        figures.timeline(times, {})

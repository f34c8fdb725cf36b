"""Benchmark hearts: components, gains, real arrhythmia, test signals, motion, goals, command."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import hearts_files as made
import numpy as np
import pandas as pd
import pytest
from hearts_files import Function
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, find_peaks, sosfiltfilt, welch
from typer.testing import CliRunner

from ipmdae import cli
from ipmdae.lab.evaluation import goals, results
from ipmdae.lab.evaluation.goal_measures import Stored
from ipmdae.lab.evaluation.hearts import (
    arrhythmia,
    components,
    detections,
    gains,
    leads,
    limbs,
    method,
    motion,
    page,
    pictures,
    signals,
)
from ipmdae.lab.evaluation.hearts.benchmark import HeartsBenchmark
from ipmdae.lab.evaluation.hearts.components import COMPONENTS, FAST
from ipmdae.lab.evaluation.hearts.method import MethodUnderTest, Row, to_table
from ipmdae.lab.evaluation.hearts.statistics import select

pytestmark = pytest.mark.filterwarnings("ignore:.*units of part:UserWarning")

FS = 250.0
SAME = Function()
LOW = butter(2, 12, fs=FS, output="sos")
FILTER = Function(function=lambda x: sosfiltfilt(LOW, x, axis=0))


@cache
def pairs(number: int) -> dict[str, components.Pair]:
    return components.make(made.lead(number))


def pair(name: str, number: int = 0) -> components.Pair:
    return pairs(number)[name]


def main_hertz(x: np.ndarray) -> float:
    hertz, power = welch(x, FS, nperseg=2048)
    return float(hertz[power.argmax()])


def test_components_are_reproducible_and_lie_where_they_are_judged() -> None:
    again = components.make(made.lead())
    assert [*again] == [*COMPONENTS, *FAST]
    for name, part in again.items():
        np.testing.assert_array_equal(part.component, pair(name).component)
        assert np.abs(part.component[part.judged]).max() > 0.01
        assert not part.judged[: round(5 * FS)].any()
        assert np.abs(pair(name, 1).component - part.component).max() > 0.01


@pytest.mark.parametrize("number", range(4))
def test_components_have_the_rates_and_sizes_that_are_stated(number: int) -> None:
    size = made.lead(number).size
    for name, hertz, sizes in (
        ("f waves", (3.5, 9.5), (0.015, 0.3)),
        ("flutter waves", (3.2, 6.1), (0.08, 0.31)),
        ("fine VF", (2.9, 8), (0.07, 0.3)),
        ("coarse VF", (2.9, 8), (0.3, 1.5)),
    ):
        wave = pair(name, number).component
        assert hertz[0] <= main_hertz(wave) <= hertz[1]
        assert sizes[0] <= np.ptp(wave) / size <= sizes[1] * 1.1
    tops, _ = find_peaks(np.abs(pair("dissociated P waves", number).component), 0.04 * size,
                         distance=0.35 * FS)  # fmt: skip
    assert 60 * 0.9 <= 60 * FS / np.diff(tops).mean() <= 110 * 1.1


@pytest.mark.parametrize("rate", components.RATES)
def test_fast_beats_come_at_their_rate(rate: int) -> None:
    wave = pair(f"QRS at {rate}/min").component
    tops, _ = find_peaks(wave, 0.6 * wave.max(), distance=0.1 * FS)
    assert 60 * FS / np.diff(tops).mean() == pytest.approx(rate, rel=0.02)


def test_ectopic_beats_take_the_place_of_the_leads_own() -> None:
    lead = made.lead()
    for name in ("PVCs, single", "PVCs, bigeminy", "PVCs, run"):
        gone = np.abs(pair(name).before[lead.beats] - lead.signal[lead.beats]) > 0.5
        assert gone.any()
        assert not gone.all()
    single, bigeminy = (
        (np.abs(pair(name).before - lead.signal) > 0.5).sum()
        for name in ("PVCs, single", "PVCs, bigeminy")
    )
    assert bigeminy > 2 * single


def test_beats_are_taken_out_and_their_neighbours_stay() -> None:
    lead = made.lead()
    which = np.arange(len(lead.beats)) % 3 == 1
    silent = components.without_beats(lead, which)
    assert np.abs(silent[lead.beats[which]]).max() < 0.05
    np.testing.assert_array_equal(silent[lead.beats[~which]], lead.signal[lead.beats[~which]])
    assert np.abs(components.without_beats(lead, which | ~which)[round(FS) :]).max() < 0.05


@pytest.mark.parametrize("name", [*COMPONENTS, *FAST])
def test_what_is_kept_has_gain_1_and_a_share_its_share(name: str) -> None:
    part = pair(name)
    for share in (0.0, 0.4, 1.0):
        change = share * part.component + 3  # a constant offset is no part of a wave
        measured = gains.gain(change, part.component, part.judged, made.whole(change))
        assert measured[:2] == pytest.approx((share, share))
        assert measured[2] == 1.0


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_gain_is_the_slope_of_a_straight_line(seed: int) -> None:
    rng = np.random.default_rng(seed)
    change, component = rng.standard_normal((2, 200))
    judged, readable = rng.random((2, 200)) < 0.7
    value, trusted, share = gains.gain(change, component, judged, readable)
    assert value == pytest.approx(np.polyfit(component[judged], change[judged], 1)[0])
    both = judged & readable
    if share >= 0.2:
        assert trusted == pytest.approx(np.polyfit(component[both], change[both], 1)[0])


def test_gain_of_what_is_flagged_is_unknown() -> None:
    part = pair("f waves")
    nothing = np.zeros(len(part.component), np.bool_)
    value, trusted, share = gains.gain(part.component, part.component, part.judged, nothing)
    assert value == pytest.approx(1)
    assert share == 0
    assert np.isnan(trusted)


def test_a_linear_filter_keeps_as_much_with_noise_as_without(datasets: Path) -> None:
    measured = list(gains.gains(FILTER, datasets, made.lead()))
    assert len(measured) == len(leads.CONDITIONS) * len([*COMPONENTS, *FAST])
    for name in (*COMPONENTS, *FAST):
        values = [row.value for row in measured if row.case == name]
        np.testing.assert_allclose(values, values[0], atol=1e-6)
    assert all(row.value == row.trusted for row in measured)


@pytest.mark.parametrize(("share", "relative"), [(1.0, 0.0), (0.5, 0.5)])
def test_st_steps_are_recovered_as_far_as_they_are_kept(
    datasets: Path, share: float, relative: float
) -> None:
    weak = Function(function=lambda x: share * x)
    for row in gains.steps(weak, datasets, made.lead()):
        wanted = -relative * float(row.case.split()[0])
        assert row.value == pytest.approx(wanted, abs=1e-9)


def test_noise_has_its_level_and_is_the_same_each_time(datasets: Path) -> None:
    lead = made.lead()
    for condition in leads.CONDITIONS:
        noise = leads.noise(datasets, lead, condition)
        np.testing.assert_array_equal(noise, leads.noise(datasets, lead, condition))
        if condition not in (leads.NONE, leads.SINES):
            snr = 20 * np.log10(lead.signal.std() / noise.std())
            assert snr == pytest.approx(float(condition.split()[1]))
    assert np.ptp(leads.noise(datasets, lead, leads.SINES)) > 0.5


def test_leads_are_real_pieces_with_their_beats(datasets: Path) -> None:
    names = leads.present(datasets)
    assert names == ["sele0121 0", "sele0121 1"]
    first, second = leads.read_both(datasets, "sele0121")
    assert first.signal.shape == second.signal.shape == (7500,)
    assert first.start == second.start
    assert 20 < len(first.beats) < 60
    near = first.signal[first.beats[1:-1, np.newaxis] + np.arange(-12, 13)]
    assert np.median(np.ptp(near, axis=1)) > 0.4 * first.height


@pytest.mark.parametrize(
    ("spec", "name", "options"),
    [
        ("iir", "iir", {}),
        ("ipmdae-base+mode=gentle", "ipmdae-base", {"mode": "gentle"}),
        ("a+b/c.safetensors+strength=0.5", "a+b/c.safetensors", {"strength": 0.5}),
        ("m+x=true+mains=50", "m", {"x": True, "mains": 50.0}),
    ],
)
def test_a_method_is_named_with_its_options(spec: str, name: str, options: dict[str, Any]) -> None:
    under_test = MethodUnderTest(spec)
    assert (under_test.method, under_test.options) == (name, options)


@pytest.mark.parametrize("spec", ["nothing-like-it", "iir+no_such_option=1", ""])
def test_what_does_not_exist_is_refused(spec: str) -> None:
    with pytest.raises(ValueError, match=r"unknown method|no option 'no_such_option'|no name"):
        MethodUnderTest(spec).check()


def test_options_reach_the_method() -> None:
    x = made.lead().signal + 0.1
    cleaned = MethodUnderTest("butterworth-0.5-40+strength=0").clean(x, FS)
    np.testing.assert_allclose(cleaned.signal, x)
    assert cleaned.readable.all()


def test_what_is_left_blank_is_a_line_and_what_is_no_number_stays_so() -> None:
    x = np.array([0.0, np.nan, 2.0, np.nan, np.nan])
    readable = np.array([True, False, True, True, False])
    filled = method._without_blanks(x, readable)
    np.testing.assert_array_equal(filled, [0, 1, 2, np.nan, np.nan])
    leads = np.stack([x[:3], np.full(3, np.nan)], axis=1)
    flagged = np.isnan(leads)
    np.testing.assert_array_equal(method._without_blanks(leads, ~flagged), [[0, 0], [1, 0], [2, 0]])


def test_a_method_that_gives_no_number_is_counted_as_diverged(datasets: Path) -> None:
    def broken(x: np.ndarray) -> np.ndarray:
        return np.full(x.shape, np.nan)

    nothing = Function(function=broken)
    found = [
        *detections.r_peaks(nothing, datasets, "118e24"),
        *detections.false_detections(nothing, datasets, "sele0121 0"),
    ]
    assert HeartsBenchmark(datasets).diverged(pd.DataFrame(found))
    assert all(np.isnan(row.value) for row in found)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all databases."""
    return made.databases(tmp_path_factory.mktemp("databases"))


def test_lost_ectopic_beats_are_counted_by_type(everything: Path) -> None:
    recording = made.arrhythmia()
    marks = recording.annotations["atr"]
    ectopic = marks.sample[np.array(marks.symbol) == "V"]
    near = np.abs(np.arange(recording.samples)[:, np.newaxis] - ectopic).min(axis=1) < 90

    def flatten(x: np.ndarray) -> np.ndarray:
        return np.where(near[:, np.newaxis], 0.5 * x, x)

    measured = arrhythmia.rows(Function(function=flatten), everything, "208")
    lost = {(row.case, row.record): row.value for row in measured if row.measure == arrhythmia.LOST}
    total = {(r.case, r.record): r.value for r in measured if r.measure == arrhythmia.BEATS_OF}
    for lead in ("208 0", "208 1"):
        assert lost["V", lead] == total["V", lead] == len(ectopic)
        assert lost["N", lead] == 0
        assert total["N", lead] > len(ectopic)
    heights = {row.case: row.value for row in measured if row.measure == arrhythmia.HEIGHT}
    assert heights["V"] == pytest.approx(0.5, abs=0.05)
    assert heights["N"] == pytest.approx(1, abs=0.01)


def test_waves_between_beats_are_those_of_the_annotated_rhythm(everything: Path) -> None:
    stop = butter(2, (4.5, 7.5), "bandstop", fs=360, output="sos")
    without = Function(function=lambda x: sosfiltfilt(stop, x, axis=0))
    kept, gone = (
        [row.value for row in arrhythmia.rows(method, everything, "208")
         if row.measure == arrhythmia.BETWEEN]
        for method in (SAME, without)
    )  # fmt: skip
    assert len(kept) == len(gone) == 2 * 3  # leads, segments of 10 s after 10 s
    assert min(kept) > 0.9
    assert max(gone) < 0.6


def test_ventricular_fibrillation_is_compared_with_the_butterworth(everything: Path) -> None:
    flat = Function(function=lambda x: 0.3 * x, judge=lambda x: np.zeros(x.shape, np.bool_))
    same, damped = (arrhythmia.fibrillation(m, everything, "cu01") for m in (SAME, flat))
    assert len(same) == 10
    assert all(row.value == pytest.approx(1, abs=0.1) for row in same)
    assert all(row.value == pytest.approx(0.3, abs=0.05) for row in damped)
    assert all(np.isnan(row.trusted) for row in damped)


def test_r_peaks_are_counted_in_all_and_in_what_is_readable(everything: Path) -> None:
    half = Function(judge=lambda x: np.arange(len(x)) < len(x) // 2)
    measured = {(r.case, r.measure): r for r in detections.r_peaks(half, everything, "118e24")}
    for detector in ("xqrs", "neurokit"):
        hit, missed = measured[detector, detections.HIT], measured[detector, detections.MISSED]
        assert hit.value > 15
        assert missed.value <= 2
        assert 0.3 * hit.value < hit.trusted < 0.7 * hit.value
    assert detections.rates(90, 10, 30) == (90, 75)
    assert np.isnan(detections.rates(0, 0, 0)).all()


def test_limb_leads_obey_their_equations_until_a_lead_is_changed(everything: Path) -> None:
    x = limbs.limb_leads(*np.random.default_rng(0).standard_normal((2, 100)))
    assert max(limbs.errors(x).values()) < 1e-12

    def change(x: np.ndarray) -> np.ndarray:
        x = x.copy()
        x[:, 2] *= 1.1
        return x

    rest = limbs.errors(change(x))
    assert rest["I + III - II"] == pytest.approx(0.1 * x[:, 2].std())
    assert rest["aVR + (I + II) / 2"] < 1e-12
    measured = limbs.rows(Function(function=change), everything, "sele0121")
    worst = {m: max(r.value for r in measured if r.measure == m)
             for m in (limbs.BEFORE, limbs.AFTER)}  # fmt: skip
    assert worst[limbs.BEFORE] < 1e-9 < 1e-3 < worst[limbs.AFTER]


def test_signals_that_are_not_changed_are_kept_whole() -> None:
    assert signals.peak_kept(signals.triangles()) == pytest.approx(1)
    offset, slope = signals.offset_and_slope(signals.pulse())
    assert offset == 0
    assert slope == pytest.approx(0, abs=1e-9)
    assert all(
        row.value == pytest.approx(1)
        for row in signals.rows(SAME, Path(), "")
        if "sine" in row.case
    )


def test_a_high_pass_leaves_an_offset_behind_the_pulse_that_decays() -> None:
    time = np.arange(15000) / signals.FS
    behind = time >= 15.1
    decay = -0.5 * np.exp(-(time - 15.1) / 0.5) * behind
    offset, slope = signals.offset_and_slope(signals.pulse() + decay)
    assert offset == pytest.approx(0.5 * np.exp(-0.2), abs=0.01)
    assert slope == pytest.approx(np.exp(-0.4), abs=0.05)  # in the middle of its first 0.2 s
    half = np.convolve(signals.triangles(), np.ones(6) / 6, "same")
    assert signals.peak_kept(half) < 0.9


@pytest.mark.slow
def test_nothing_is_found_in_a_pause_unless_it_is_put_there(datasets: Path) -> None:
    quiet = [
        row
        for row in detections.false_detections(SAME, datasets, "sele0121 0")
        if row.condition == "none"
    ]
    assert all(row.value == 0 for row in quiet if row.measure == detections.FOUND)
    assert all(row.value < 0.3 for row in quiet if row.measure == detections.LEFT)

    def invent(x: np.ndarray) -> np.ndarray:
        lead, _ = made.ecg(30, FS)
        return lead

    silent = Function(function=invent, judge=lambda x: np.zeros(len(x), np.bool_))
    found = [row for row in detections.false_detections(silent, datasets, "sele0121 0")
             if row.measure == detections.FOUND]  # fmt: skip
    assert {row.case for row in found} == {*detections.PAUSES, detections.ALONE}
    assert all(row.value > 40 for row in found)
    assert all(row.trusted == 0 for row in found)


def test_motion_is_labelled_by_what_is_left_of_the_beats(everything: Path) -> None:
    measured = motion.rows(SAME, everything, "ID640")
    labels = {
        name: [row.case for row in measured if name in row.record and row.condition == condition]
        for name, condition in (("NoMot", "as recorded"), ("ArmW", "as recorded"))
    }
    assert set(labels["NoMot"]) == {motion.GOOD}
    count = len(labels["ArmW"])
    assert labels["ArmW"][: count // 2 - 1] == [motion.GOOD] * (count // 2 - 1)
    assert set(labels["ArmW"][count // 2 + 1 :]) == {motion.UNUSABLE}
    assert all(row.value == 1 for row in measured)
    stronger = [row for row in measured if row.condition == "motion x 3"]
    assert {row.record for row in stronger} == {"ID640_ArmW"}
    assert [motion.label(c) for c in (0.9, 0.5, 0.49, -1)] == [
        motion.GOOD, motion.LIMITED, motion.UNUSABLE, motion.UNUSABLE
    ]  # fmt: skip


def a_result(method: str, listed: list[Row]) -> results.Result:
    return results.Result(
        method=method, total=1, done=1, diverged=0,
        table=to_table(listed).assign(item=range(len(listed))),
    )  # fmt: skip


def judged(listed: list[Row], other: list[Row] | None = None) -> dict[str, goals.Goal]:
    others = [a_result(name, listed if other is None else other)
              for name in ("none", "butterworth-0.5-40")]  # fmt: skip
    stored = Stored(given=[a_result("x", listed), *others])
    return {goal.name: goal for goal in goals.judged("hearts", stored, "x")}


def test_goals_name_the_component_that_is_worst() -> None:
    listed = [
        Row(gains.GAIN, case, "none", f"a {i}", value, value, 1.0)
        for case, values in (("f waves", (0.8, 0.9, 1.0)), ("ST shift", (1.2, 1.2, 1.2)))
        for i, value in enumerate(values)
    ]
    found = judged(listed)
    least = found["components, no noise: least median gain"]
    assert least.value == pytest.approx(0.9)
    assert least.measured == "0.90 (f waves)"
    assert least.verdict == "**missed by 0.05**"
    assert not found["components, no noise: largest median gain"].reached
    assert found["components, no noise: least 5th percentile"].value == pytest.approx(0.81)


def test_what_is_all_flagged_is_reached_and_what_is_not_measured_is_not() -> None:
    listed = [Row(gains.GAIN, "f waves", "em 10", "a 0", 0.1, np.nan, 0.0)]
    found = judged(listed)
    flagged = found["components, em or ma at 10 dB, not rejected: least median gain"]
    assert (flagged.reached, flagged.measured) == (True, "all rejected")
    missing = goals.judged("hearts", Stored(), "x")
    assert [goal.name for goal in missing] == list(found)
    assert not any(goal.reached for goal in missing)
    assert not judged([])["VF (cu01): height preserved, not rejected, median"].reached


def test_goals_of_beats_and_peaks_are_relative_to_filter_and_input() -> None:
    def beats(lost: float) -> list[Row]:
        return [Row(arrhythmia.BEATS_OF, "V", "as recorded", "208 1", 100.0),
                Row(arrhythmia.LOST, "V", "as recorded", "208 1", lost),
                Row(arrhythmia.BEATS_OF, "E", "as recorded", "208 1", 1.0),
                Row(arrhythmia.LOST, "E", "as recorded", "208 1", 1.0)]  # fmt: skip

    found = judged(beats(5.0), beats(1.0))
    name = next(name for name in found if name.startswith("beats that lose"))
    assert found[name].value == pytest.approx(4)  # E is too rare to be judged
    assert found[name].measured == "4.0 (V, lead 1: 5.0 %)"

    def counted(hit: float, missed: float, false: float) -> list[Row]:
        counts = {"hit": hit, "missed": missed, "false": false}
        return [Row(m, "xqrs", "0 dB", "118e00", n, n) for m, n in counts.items()]

    found = judged(counted(90, 10, 10), counted(95, 5, 95))
    sensitivity, predictivity = (
        found[f"R peaks at 0 dB, `xqrs`: {what} less that of the input (points)"]
        for what in ("sensitivity", "predictivity")
    )
    assert (sensitivity.value, predictivity.value) == pytest.approx((-5, 40))
    assert (sensitivity.reached, predictivity.reached) == (False, True)


@cache
def small_run(folder: Path, method: str) -> results.Result:
    return HeartsBenchmark(folder).run(method, part=1)


@pytest.mark.slow
def test_the_input_itself_hides_and_invents_nothing(everything: Path) -> None:
    result = small_run(everything, "none")
    assert result.diverged == 0
    np.testing.assert_allclose(select(result, gains.GAIN), 1, atol=1e-6)
    np.testing.assert_allclose(select(result, gains.STEP), 0, atol=1e-6)
    assert (select(result, arrhythmia.LOST) == 0).all()
    shown = pictures.strips(result.examples)
    assert {*COMPONENTS, pictures.PVCS, pictures.VF, *signals.SHOWN} <= set(shown)
    for strip in (strip for case in shown.values() for strip in case.values()):
        assert strip.before.shape == strip.after.shape == (625,)
        np.testing.assert_allclose(strip.before, strip.after, atol=1e-5)


@pytest.mark.slow
def test_page_is_written_again_from_what_is_stored(everything: Path, tmp_path: Path) -> None:
    for name in ("none", "butterworth-0.5-40"):
        results.save(small_run(everything, name), tmp_path / "hearts" / f"{name}.npz")
    paths = page.write(tmp_path, tmp_path / "out")
    assert [path.name for path in paths][:2] == ["hearts.md", "hearts.csv"]
    told = paths[0].read_text(encoding="utf-8")
    assert all(path.is_file() and f"figures/{path.name}" in told for path in paths[2:])
    assert "**Covering part of the test, or diverged" in told
    assert "| beats that lose > 30 %" in told
    assert "nan" not in told.replace("`-nano`", "")
    assert page.write(tmp_path / "nothing", tmp_path / "out") == []


@pytest.mark.slow
def test_command_measures_a_method_with_options(
    datasets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["benchmark", "run", "--protocol", "hearts", "--datasets", str(datasets),
                 "--part", "1", "--methods", "butterworth-0.5-40+strength=0.5"]  # fmt: skip
    first = CliRunner().invoke(cli.app, arguments)
    assert first.exit_code == 0, first.output
    assert "least gain" in first.output
    stored = results.load_all(Path("results/benchmark/hearts"), [])
    assert [result.method for result in stored] == ["butterworth-0.5-40+strength=0.5"]
    assert "already stored" in CliRunner().invoke(cli.app, arguments).output
    told = Path("docs/results/hearts.md").read_text(encoding="utf-8")
    assert "`butterworth-0.5-40+strength=0.5`" in told


def test_no_database_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="ipmdae download"):
        HeartsBenchmark(tmp_path).size(None)

"""Clinical measures: matching of beats, delineation and ST against marks, noise alone."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from excerpts import DATASETS, NSTDB, QTDB
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching
from typer.testing import CliRunner

from ipmdae import cli, formats
from ipmdae.lab.data import mitdb
from ipmdae.lab.evaluation import beats, candidates, clinical, results, waves
from ipmdae.lab.evaluation.candidates import Candidate
from ipmdae.lab.evaluation.clinical import ClinicalBenchmark
from ipmdae.lab.protocols.clinic_test import CLEAN
from ipmdae.methods import classical

pytestmark = [
    pytest.mark.filterwarnings("ignore:13 of the 14 test records:UserWarning"),
    pytest.mark.filterwarnings("ignore:10 of the 12 records 118e. and 119e.:UserWarning"),
]

FS = waves.FS
SAMPLES = st.lists(st.integers(0, 300), max_size=15, unique=True).map(sorted)


class Silent:
    """Gives no signal at all."""

    def denoise(self, x: classical.Signal, fs: float) -> classical.Signal:
        return np.full_like(x, np.nan)


@cache
def none() -> Candidate:
    return candidates.find("none")


@cache
def result(method: str = "none") -> results.Result:
    return ClinicalBenchmark(DATASETS).run(method)


@cache
def marked() -> waves.Marked:
    return waves.read(QTDB, "sele0121")


@given(SAMPLES, SAMPLES, st.integers(0, 40))
def test_as_many_beats_are_matched_as_can_be(
    reference: list[int], detected: list[int], tolerance: int
) -> None:
    a, b = np.array(reference, np.int64), np.array(detected, np.int64)
    hit, true = beats.match(a, b, tolerance)
    near = np.abs(a[:, np.newaxis] - b) <= tolerance
    best = 0
    if near.size:
        best = int((maximum_bipartite_matching(csr_matrix(near)) >= 0).sum())
    assert hit.sum() == true.sum() == best
    assert not (hit & ~near.any(axis=1)).any()


@pytest.mark.parametrize("detector", beats.DETECTORS)
def test_detectors_find_the_beats_of_a_nearly_clean_record(detector: str) -> None:
    recording = formats.read(NSTDB / "118e24")
    atr = recording.annotations["atr"]
    marks = atr.sample[np.isin(atr.symbol, list(mitdb.BEATS))]
    part = beats.Segment(signal=recording.signal[:, 0], fs=recording.fs, beats=marks)
    hit, missed, false = beats.count_beats(none(), [part])[detector]
    inside = ((marks >= 5 * 360) & (marks < 25 * 360)).sum()
    assert hit + missed == inside
    assert (hit, false) == (inside, 0)


def test_records_have_the_names_of_their_snr() -> None:
    assert set(beats.RECORDS) == {
        f"{patient}e{snr}" for patient in (118, 119) for snr in ("24", "18", "12", "06", "00", "_6")
    }
    assert beats.records_present(NSTDB) == ["118e24", "118e06"]


def test_marks_of_an_expert_become_beats() -> None:
    symbol = ("(", "p", ")", "(", "N", ")", "t", ")", "u", ")", "(", "N", ")", "(", "t", ")")
    first, second = waves.beats_of(10 * np.arange(len(symbol)), symbol)
    assert first == {
        "R": 40, "P onset": 0, "P offset": 20, "QRS onset": 30, "QRS offset": 50, "T offset": 70,
    }  # fmt: skip
    assert second == {
        "R": 110, "QRS onset": 100, "QRS offset": 120, "T onset": 130, "T offset": 150,
    }  # fmt: skip


def test_an_excerpt_holds_the_expert_s_beats() -> None:
    lead = marked()
    assert {point: int(np.isfinite(x).sum()) for point, x in lead.points.items()} == {
        "P onset": 30, "P offset": 30, "QRS onset": 30, "QRS offset": 30, "T onset": 0,
        "T offset": 30,
    }  # fmt: skip
    assert np.all(np.diff(lead.r_peaks) > 0.5 * FS)


def test_errors_are_distances_to_the_nearest_point(monkeypatch: pytest.MonkeyPatch) -> None:
    lead = marked()
    shifts = dict(zip(waves.POINTS, (1, -2, 3, -4, 5, 30), strict=True))
    points = {name: x[~np.isnan(x)] + shifts[name] for name, x in lead.points.items()}
    monkeypatch.setattr(waves, "delineate", lambda x, r_peaks: points)
    errors = waves.point_errors(lead, lead.signal)
    assert len(errors["T onset"]) == 0
    for name in ("P onset", "P offset", "QRS onset", "QRS offset", "T offset"):
        np.testing.assert_allclose(errors[name], 4 * shifts[name])
    np.testing.assert_allclose(errors[waves.QT], 4 * (30 - 3))
    points["T offset"] = points["T offset"] + 20
    assert np.isnan(waves.point_errors(lead, lead.signal)[waves.QT]).all()


def test_the_delineator_is_near_the_expert_and_takes_any_signal() -> None:
    lead = marked()
    errors = waves.point_errors(lead, lead.signal)
    for name, limit in (("P onset", 30), ("QRS onset", 20), ("T offset", 30)):
        assert np.nanstd(errors[name]) < limit
        assert np.isnan(errors[name]).mean() < 0.1
    for x in (np.zeros_like(lead.signal), np.full_like(lead.signal, np.nan)):
        assert np.isnan(waves.point_errors(lead, x)["T offset"]).all()


def test_noise_shorter_than_a_record_continues_backwards_and_forwards() -> None:
    noise = np.arange(8.0).reshape(4, 2)
    np.testing.assert_array_equal(waves.at_least(noise, 3), noise)
    np.testing.assert_array_equal(waves.at_least(noise, 9)[:, 0], [0, 2, 4, 6, 4, 2, 0, 2, 4])


def test_st_level_is_measured_60_ms_after_the_end_of_qrs() -> None:
    lead = marked()
    for level, kept in ((0.0, True), (0.015, True), (0.3, False)):
        raised = lead.signal.copy()
        for offset in lead.points["QRS offset"].astype(int):
            raised[offset + 8 : offset + 25] += level
        errors = waves.st_errors(lead, raised)
        np.testing.assert_allclose(errors[waves.ST], level, atol=1e-9)
        assert bool(errors[waves.ST_KEPT].all()) is kept
    np.testing.assert_allclose(waves.st_errors(lead, lead.signal + 3)[waves.ST], 0, atol=1e-9)


def test_noise_alone_is_searched_for_beats_and_flags_need_a_network_that_tells() -> None:
    noise = np.random.default_rng(0).normal(0, 0.25, 7500)
    found = beats.measure_noise_only(none(), noise)
    assert found["xqrs beats"] > 30
    assert found[beats.LEFT] == pytest.approx(0.25, rel=0.05)
    assert np.isnan(found[beats.FLAGGED])
    assert beats.measure_noise_only(Candidate("flat", method=Flat()), noise)["neurokit beats"] == 0


class Flat:
    """Gives a flat line."""

    def denoise(self, x: classical.Signal, fs: float) -> classical.Signal:
        return np.zeros_like(x)


def test_flagged_seconds_hold_no_trusted_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).normal(0, 0.25, 7500)
    doubtful = np.zeros(30, np.bool_)
    doubtful[:15] = True
    monkeypatch.setattr(Candidate, "predicts_uncertainty", True)
    monkeypatch.setattr(Candidate, "clean_with_unreadable", lambda subject, x, fs: (x, doubtful))
    found = beats.measure_noise_only(none(), noise)
    assert found[beats.FLAGGED] == 0.5
    assert 0 < found["xqrs trusted"] < found["xqrs beats"]


@pytest.mark.slow
def test_all_methods_give_the_same_rows() -> None:
    ours, theirs = result(), result("iir")
    np.testing.assert_array_equal(ours["item"], theirs["item"])
    for label in ("measure", "condition"):
        np.testing.assert_array_equal(ours[label], theirs[label])
    assert (ours.done, ours.total, ours.diverged) == (6, 6, 0)
    clean = (ours["measure"] == waves.ST) & (ours["condition"] == CLEAN)
    np.testing.assert_allclose(ours["value"][clean], 0, atol=1e-9)


def test_divergence_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "get", lambda name: Silent())
    silent = ClinicalBenchmark(DATASETS).run("fir", part=1)
    assert (silent.done, silent.diverged) == (3, 2)  # 118e24 is too short to hold a stretch


def test_tables_average_within_records_first(tmp_path: Path) -> None:
    rows = [
        *(("T offset", "em 5", "a", value) for value in (0.0, 20.0, np.nan, np.nan)),
        *(("T offset", "em 5", "b", value) for value in (30.0, 30.0)),
        *((f"xqrs {name}", "6", "a", n) for name, n in zip(beats.COUNTS, (8, 2, 0), strict=True)),
        *((f"xqrs {name}", "6", "b", n) for name, n in zip(beats.COUNTS, (4, 2, 8), strict=True)),
    ]
    made = results.Result(
        method="x", total=1, done=1, diverged=0,
        table=pd.DataFrame(rows, columns=clinical.COLUMNS).assign(item=range(len(rows))),
    )  # fmt: skip
    page = clinical.section([made])
    assert "20 [10, 30] ± 5 (25 %)" in page
    assert "75.0 / 60.0" in page
    clinical.write_csv([made], tmp_path / "clinical.csv")
    with (tmp_path / "clinical.csv").open() as file:
        lines = {(line["measure"], line["record"]): line for line in csv.DictReader(file)}
    a = lines["T offset", "a"]
    assert (a["count"], a["found"], a["mean"], a["median_absolute"]) == ("4", "2", "10", "10")


def test_command_adds_the_clinical_part_to_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["run", "--protocol", "clinical", "--datasets", str(DATASETS), "--part", "1"]
    outcome = CliRunner().invoke(cli.app, ["benchmark", *options, "--methods", "none"])
    assert outcome.exit_code == 0, outcome.output
    page = Path("docs/results/clinic.md").read_text()
    assert "### ST level" in page
    assert "| `none` (3 of 6 recordings) |" in page

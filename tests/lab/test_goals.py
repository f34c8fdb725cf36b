"""The page of goals: verdicts, and what stored results say of each goal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from seeded import seeded

from ipmdae.cards import NOT_MEASURED
from ipmdae.engine import model_names
from ipmdae.lab.evaluation import candidates, goals, results
from ipmdae.lab.evaluation.clinic import BANDS, COVERED
from ipmdae.lab.evaluation.goal_measures import Stored, not_superior
from ipmdae.lab.evaluation.goals import Goal, judged
from ipmdae.lab.evaluation.robustness import CONDITIONS as CHANGES
from ipmdae.lab.evaluation.training_budget import Network
from ipmdae.lab.evaluation.waves import QT, ST
from ipmdae.lab.protocols.clinic_test import CLEAN, CONDITIONS
from tools import goals as tool

MODEL = "ipmdae-small"
PUBLISHED, OPEN = "ipmdae-beat", "ipmdae-beat+open"
RECORDS = ("a", "b", "c")


def clinic(method: str, gain: float, where: str = "", there: float = 0.0) -> results.Result:
    """A result with the same gain everywhere but, in the whole band, under one kind of noise."""
    kinds, snrs = (np.array(column) for column in zip(*CONDITIONS, strict=True))
    each, rng = len(CONDITIONS), np.random.default_rng(0)
    gains = np.where(kinds == where, there, gain) + np.where(kinds == CLEAN, np.nan, 0)
    values = {
        "snr_improvement": np.tile(gains, len(RECORDS)) + 0.1 * rng.random(each * len(RECORDS)),
        "snr_improvement_above": np.full(each * len(RECORDS), gain),
        "snr": np.full(each * len(RECORDS), 25.0),
        "snr_above": np.full(each * len(RECORDS), 40.0),
        COVERED: np.full(each * len(RECORDS), 0.96),
        **{f"power_{band}": np.full(each * len(RECORDS), 1.0) for band in BANDS},
        **{f"change_{band}": np.full(each * len(RECORDS), 0.01) for band in BANDS},
    }
    return results.Result(
        method=method,
        version=candidates.find(method).version if method in model_names() else "",
        total=len(RECORDS),
        done=len(RECORDS),
        diverged=0,
        table=pd.DataFrame(
            {
                "item": np.arange(each * len(RECORDS)),
                "record": np.repeat(RECORDS, each),
                "kind": np.tile(kinds, len(RECORDS)),
                "snr_in": np.tile(snrs, len(RECORDS)),
                **values,
            }
        ),
    )


def clinical(method: str, rows: list[tuple[str, str, float]]) -> results.Result:
    table = pd.DataFrame(rows, columns=["measure", "condition", "value"])
    return results.Result(
        method=method,
        version=candidates.find(method).version,
        total=1,
        done=1,
        diverged=0,
        table=table.assign(item=range(len(rows)), record="a"),
    )


def store(folder: Path, protocol: str, result: results.Result) -> None:
    results.save(result, folder / protocol / f"{result.method}.npz")


@pytest.mark.parametrize(
    ("goal", "verdict"),
    [
        (Goal(name="x", bound=3.4, value=3.4), "reached"),
        (Goal(name="x", bound=3.4, value=3.52), "**missed by 0.12**"),
        (Goal(name="x", sign="≥", bound=20, value=18.5, digits=1), "**missed by 1.5**"),
        (Goal(name="x", bound=0.02, value=0.0203, digits=3), "**missed by 0.0003**"),
        (Goal(name="x", sign="<", bound=5, value=5), "**missed by 0.00**"),
        (Goal(name="x", bound=5, value=np.nan), NOT_MEASURED),
    ],
)
def test_a_goal_is_reached_or_missed_by_so_much(goal: Goal, verdict: str) -> None:
    assert goal.verdict == verdict
    assert goal.reached == (verdict == "reached")


def test_a_goal_tells_what_is_wanted_and_what_was_measured() -> None:
    goal = Goal(name="x", sign=">", bound=30_000, value=1.0, shown="1.00 [0.50, 1.50]")
    assert (goal.wanted, goal.measured) == ("> 30,000", "1.00 [0.50, 1.50]")
    assert Goal(name="x", bound=1, value=np.nan, shown="-").measured == NOT_MEASURED


def test_without_results_nothing_is_measured_but_sizes(tmp_path: Path) -> None:
    page = goals.markdown(tmp_path)
    told = [line for line in page.splitlines() if line.startswith("|") and " | wanted" not in line]
    measured = [line for line in told if "not measured" not in line and "---" not in line]
    assert [line.split("|")[1].strip() for line in measured] == [
        "`ipmdae-base`: MMAC for 5 s of two leads",
        "`ipmdae-small`: MMAC for 5 s of two leads",
        "`ipmdae-nano`: MMAC for 5 s of two leads",
        "`ipmdae-nano`: parameters",
    ]
    assert "| SSD (mV²) | ≤ 2.3 | not measured | not measured |" in page
    tool.main([f"--results={tmp_path}", f"--output={tmp_path}"])
    assert (tmp_path / "goals.md").read_text(encoding="utf-8") == page


def test_cells_in_which_a_rival_is_not_surely_worse_are_listed(tmp_path: Path) -> None:
    ours = clinic(MODEL, 8.0)
    theirs = [clinic("iir", 6.0, "bw", 9.0), clinic("none", 0.0)]
    ahead = not_superior(ours, theirs, "snr_improvement")
    assert [(kind, snr, name) for kind, snr, name, _ in ahead] == [
        ("bw", snr, "iir") for snr in (-5, 0, 5, 10)
    ]
    assert ahead[0][3].mean == pytest.approx(-1, abs=0.01)
    for result in (ours, *theirs, clinic("Ultralight_IPM_DAE", 7.0)):
        store(tmp_path, "clinic", result)
    told = goals.markdown(tmp_path)
    assert "| ≥ 16 | 12 | **missed by 4** |" in told
    assert "| the same above 0.5 Hz | ≥ 16 | 16 | reached |" in told
    assert f"`{MODEL}` compared with all 3 other rows" in told
    (small,) = judged("small", Stored(tmp_path), MODEL)
    assert small.value == pytest.approx(1, abs=0.01)


def test_methods_that_diverged_are_named_and_left_out(tmp_path: Path) -> None:
    ours, broken = clinic(MODEL, 8.0), clinic("tv", 9.0)
    for result in (ours, clinic("none", 0.0)):
        store(tmp_path, "clinic", result)
    store(tmp_path, "clinic", replace(broken, diverged=1))
    told = goals.markdown(tmp_path)
    assert "Excluded, since they diverged or cover part of the test: tv." in told
    assert "| ≥ 16 | 16 | reached |" in told


def test_harm_and_coverage_are_read_from_protocol_clinic(tmp_path: Path) -> None:
    result = clinic(MODEL, 8.0)
    store(tmp_path, "clinic", result)
    least, aim, above, changed, *_, coverage = judged("safety", Stored(tmp_path), MODEL)
    assert (least.reached, aim.verdict, above.reached) == (True, "**missed by 5.0**", True)
    assert changed.value == pytest.approx(1.0)
    assert coverage.measured == "1.0 (within: 96.0)"
    old = replace(result, table=result.table.drop(columns=COVERED))
    store(tmp_path, "clinic", old)
    assert judged("safety", Stored(tmp_path), MODEL)[-1].measured == NOT_MEASURED


def test_st_qt_and_invention_are_read_from_the_clinical_measures(tmp_path: Path) -> None:
    rows = [(ST, "em 5", -0.03), (ST, "em 5", 0.01), (ST, "em 5", 0.02), (QT, "em 5", -12.0),
            (QT, "em 5", np.nan), ("xqrs beats", "bw", 90.0), ("neurokit beats", "bw", 60.0),
            ("xqrs trusted", "bw", 3.0), ("neurokit trusted", "bw", 6.0)]  # fmt: skip
    ours = clinical(MODEL, rows)
    none = clinical("none", [(m, c, 5.0 if m == QT else v) for m, c, v in rows])
    for result in (ours, none):
        store(tmp_path, "clinical", result)
    found = {goal.name: goal for goal in judged("safety", Stored(tmp_path), MODEL)}
    level = found["ST level error, electrode motion at 5 dB (mV)"]
    assert level.value == pytest.approx(0.02)
    interval = found["QT error after less before, electrode motion at 5 dB (ms)"]
    assert interval.value == pytest.approx(7)
    wander = found["false detections per minute in baseline wander only, not rejected"]
    assert (wander.measured, wander.verdict) == ("6.0 (all: 90.0)", "**missed by 1.0**")


def test_beats_are_judged_by_means_and_cost(tmp_path: Path) -> None:
    values = {"ssd": 3.3, "mad": 0.32, "prd_deepfilter": 36.0, "cosine": 0.94}
    result = results.Result(
        method=PUBLISHED, version="1", network=Network(parameters=1, multiply_accumulates=2**26),
        total=2, done=2, diverged=0,
        table=pd.DataFrame({"item": [0, 1], "record": ["a", "b"], **{
            name: [value - 0.1, value + 0.1] for name, value in values.items()}}),
    )  # fmt: skip
    store(tmp_path, "deepfilter", result)
    told = goals.markdown(tmp_path)
    assert "| SSD (mV²) | ≤ 3.4 | 3.300 [3.200, 3.400] | reached |" in told
    assert "| MAD (mV) | ≤ 0.315 | 0.320 [0.220, 0.420] | **missed by 0.005**" in told
    assert "| GMAC a beat | ≤ 0.02 | 0.0671 | **missed by 0.0471** |" in told
    assert "| SSD (mV²) | ≤ 2.3 | not measured | not measured |" in told
    assert "| seeds | ≥ 3 | " in told


def test_beats_are_judged_by_the_mean_over_seeds(tmp_path: Path) -> None:
    for seed, shift in ((0, 0.0), (1, 0.1), (2, 0.2)):
        values = {"ssd": 2.1, "mad": 0.2, "prd_deepfilter": 30.0, "cosine": 0.7}
        shifted = {name: value + shift for name, value in values.items()}
        store(tmp_path, "deepfilter", seeded(OPEN, shifted, seed=seed))
    told = goals.markdown(tmp_path)
    assert f"`{OPEN}`, 3 seeds" in told
    assert "| SSD (mV²) | ≤ 2.3 | 2.200 ± 0.100 [2.190, 2.210] | reached |" in told
    assert "| CosSim | ≥ 0.955 | 0.800 ± 0.100 [0.790, 0.810] | **missed by 0.155** |" in told
    assert "| seeds | ≥ 3 | 3 | reached |" in told
    store(tmp_path, "deepfilter", seeded(OPEN, values, seed=2, epochs=9))
    told = goals.markdown(tmp_path)
    assert "| SSD (mV²) | ≤ 2.3 | 2.150 ± 0.071 [2.140, 2.160] | reached |" in told
    assert "| seeds | ≥ 3 | 2 | **missed by 1** |" in told


def test_robustness_is_judged_against_the_best_classical_method(tmp_path: Path) -> None:
    def made(method: str, gain: float) -> results.Result:
        count = 3 * len(CHANGES)
        return results.Result(
            method=method, version=candidates.find(method).version, total=3, done=3, diverged=0,
            table=pd.DataFrame({"item": range(count), "record": np.repeat(RECORDS, len(CHANGES)),
                                "condition": np.tile(list(CHANGES), 3), "snr_improvement": gain,
                                "snr": gain + 5}),
        )  # fmt: skip

    for method, gain in ((MODEL, 4.0), ("none", 0.0), ("iir", 5.0)):
        store(tmp_path, "robustness", made(method, gain))
    told = goals.goal_table(judged("robustness", Stored(tmp_path), MODEL))
    assert "| steps: SNR improvement (dB) | ≥ 0 | 4.00 [4.00, 4.00]; loss 0.00 | reached |" in told
    assert "-1.00 [-1.00, -1.00] over `iir` | **missed by 1.00** |" in told


def test_results_of_other_weights_are_refused(tmp_path: Path) -> None:
    old = replace(clinic(MODEL, 8.0), version="0" * 64)
    store(tmp_path, "clinic", old)
    with pytest.raises(ValueError, match=f"of other weights .* --methods {MODEL}"):
        goals.markdown(tmp_path)

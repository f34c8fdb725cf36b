"""Protocol P2 as a benchmark: per-beat results, their files, tables, figures, and the command."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import command_line
import numpy as np
import pandas as pd
import pytest
import trainings
from excerpts import DATASETS
from typer.testing import Result

from ipmdae.lab.commands import benchmark as command
from ipmdae.lab.commands.benchmark import processes
from ipmdae.lab.evaluation import candidates, deepfilter, deepfilter_page, results
from ipmdae.lab.evaluation.deepfilter import DeepFilterBenchmark
from ipmdae.lab.evaluation.training_budget import Network, Training
from ipmdae.lab.protocols.deepfilter import DeepFilter
from ipmdae.methods import classical

pytestmark = pytest.mark.filterwarnings("ignore:100 of the 105 records:UserWarning")


@cache
def harness() -> DeepFilterBenchmark:
    return DeepFilterBenchmark(DATASETS)


def protocol() -> DeepFilter:
    return harness().protocol


@cache
def result(method: str, beats: int | None = 20) -> results.Result:
    return harness().run(method, part=beats)


class Diverging:
    """Gives what is no number for every beat with much noise."""

    def denoise(self, x: classical.Signal, fs: float) -> classical.Signal:
        return x * (np.inf if np.ptp(x) > 3 else 1)


def run(*arguments: object) -> Result:
    return command_line.run("benchmark", *arguments)


def refused(outcome: Result) -> str:
    assert outcome.exit_code == 1, outcome.output
    assert outcome.stderr.splitlines()[-1].startswith("ipmdae: error: ")
    return outcome.stderr


def test_no_filter_improves_nothing_and_is_scored_on_all_beats_of_both_versions() -> None:
    none = result("none", None)
    count = len(protocol().beats("test"))
    assert len(none) == none.total == 2 * count
    np.testing.assert_array_equal(none["snr_improvement"], 0)
    added = protocol().noisy_beats("test", 2)
    expected = np.square(added.noisy - added.clean).sum(axis=1)
    np.testing.assert_allclose(none["ssd"][count:], expected)
    np.testing.assert_array_equal(none["factor"], np.tile(added.factor, 2))


def test_a_part_of_the_beats_is_spread_over_all() -> None:
    some = result("none")
    assert (some.done, some.total) == (40, result("none", None).total)
    factors = protocol().factors["test"]
    assert some["factor"][0] == factors[0]
    assert some["factor"][19] == factors[-1]


def test_learners_are_fitted_for_each_version() -> None:
    fitted = result("lmmse")
    assert fitted.diverged == 0
    assert fitted["snr_improvement"].mean() > 5


@pytest.mark.slow
def test_the_number_of_processes_does_not_change_a_digit() -> None:
    with processes(2) as mapper:
        for method in ("iir", "lmmse"):
            other = harness().run(method, part=20, mapper=mapper)
            pd.testing.assert_frame_equal(other.table, result(method).table)


def test_a_stored_result_comes_back_as_it_was(tmp_path: Path) -> None:
    results.save(result("iir"), tmp_path / "iir.npz")
    stored = results.load(tmp_path / "iir.npz")
    assert (stored.method, stored.total) == ("iir", result("iir").total)
    np.testing.assert_array_equal(stored["record"], result("iir")["record"])
    for name in deepfilter.MEASURES:
        np.testing.assert_array_equal(stored[name], result("iir")[name])
    np.testing.assert_array_equal(stored.examples["cleaned"], result("iir").examples["cleaned"])
    np.savez(tmp_path / "other.npz", method="x")
    whole = (tmp_path / "iir.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    for name in ("other.npz", "half.npz"):
        with pytest.raises(ValueError, match="not a stored result"):
            results.load(tmp_path / name)


def test_divergence_is_scored_as_no_number_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = result("iir")
    monkeypatch.setattr(candidates, "get", lambda name: Diverging())
    diverging = harness().run("fir", part=20)
    assert 0 < diverging.diverged < 40
    table = deepfilter_page.markdown([diverging, usual], usual)
    assert f"`fir` (diverged on {diverging.diverged} beats; 40 of 190 beats) | - | -" in table
    assert "`iir` (40 of 190 beats)" in table


def test_report_has_our_rows_the_published_ones_and_their_sources() -> None:
    table = deepfilter_page.markdown([result("none"), result("iir")], None)
    for row in ("| MECG-E (magnitude and phase) [MECG-E] | 3.445 |", "| `none` (40 of", "| IIR ["):
        assert row in table
    assert "records are missing" in table
    ssd = result("iir")["ssd"]
    assert f"| {ssd.mean():.3f} ± {ssd.std():.3f} [-, -] |" in table


def test_report_tells_how_far_the_published_row_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepfilter_page, "PUBLISHED_BEATS", 40)
    table = deepfilter_page.markdown([result("iir")], None)
    share = result("iir")["ssd"].mean() / 35.645 - 1
    assert f"`iir` against the published IIR: SSD {share:+.1%}" in table
    assert "**Unexplained.**" in table


def test_report_states_that_a_published_network_was_trained_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deepfilter_page, "PUBLISHED_BEATS", 40)
    drnn = trainings.summary("deepfilter", "drnn", losses=[0.03] * 6)
    network = Network(
        parameters=25_537,
        multiply_accumulates=12_700_000,
        trainings=(Training(drnn, "rival", 0.01),),
    )
    table = deepfilter_page.markdown(
        [dataclasses.replace(result("iir"), method="drnn", network=network)], None
    )
    assert "Worse, for an unknown reason: trained here for 6 epochs, the last of which" in table
    assert "in the publication until 10 epochs lowered the training SSD" in table


def test_what_learns_is_also_scored_without_the_patient_on_both_sides() -> None:
    wiener = result("wiener")
    shared = np.arange(len(wiener)) < len(wiener) // 2
    mixed = dataclasses.replace(
        wiener, table=wiener.table.assign(record=np.where(shared, "sele0121", "sel233"))
    )
    table = deepfilter_page.markdown([mixed, result("iir")], None).split("## Without the patient")[
        1
    ]
    row = next(line for line in table.splitlines() if line.startswith("| `wiener`"))
    assert f"| {wiener['ssd'][~shared].mean():.3f} |" in row
    assert "iir" not in table.split("## ")[0]


@pytest.mark.slow
def test_command_writes_a_table_and_small_figures_and_report_makes_them_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = run("run", "--datasets", DATASETS, "--methods", "none, iir", "--part", 10)
    assert outcome.exit_code == 0, outcome.output
    assert "iir: SSD" in outcome.output
    written = Path("docs/results/deepfilter.md")
    table = written.read_bytes()
    for name in ("deepfilter_examples.png", "deepfilter_by_factor.png"):
        assert 0 < (written.parent / "figures" / name).stat().st_size <= 150_000
    written.unlink()
    assert run("report").exit_code == 0
    assert written.read_bytes() == table


def test_what_is_stored_is_skipped_unless_more_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "write_report", lambda *folders: None)
    options = ("run", "--datasets", DATASETS, "--methods", "none", "--part")
    assert "none: SSD" in run(*options, 10).output
    assert "none: already stored" in run(*options, 10).output
    assert "none: already stored" in run(*options, 8).output
    assert "none: SSD" in run(*options, 10, "--force").output
    assert "on 24 beats" in run(*options, 12).output


def test_a_method_that_fails_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(classical._MODULES, "fir", "not_there")
    monkeypatch.setattr(command, "write_report", lambda *folders: None)
    outcome = run("run", "--datasets", DATASETS, "--methods", "fir,none", "--part", 5)
    assert "could not be run: fir (method fir needs" in refused(outcome)
    assert "none: SSD" in outcome.output


def test_bad_input_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "unknown method 'x'; there are: none, fir" in refused(run("run", "--methods", "x"))
    unknown = refused(run("run", "--protocol", "x"))
    assert "unknown protocol 'x'; there are: deepfilter, clinic, clinical" in unknown
    assert "ipmdae download qtdb nstdb --to datasets" in refused(run("run"))
    assert "make some with: ipmdae benchmark run" in refused(run("report"))


def test_help_has_examples() -> None:
    for name in ("run", "report"):
        assert f"Example: ipmdae benchmark {name}" in run(name, "--help").output

"""Protocol clinic as a benchmark: methods, measures, stored results, page, and the command."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import command_line
import numpy as np
import pandas as pd
import pytest
from excerpts import DATASETS
from scipy.stats import pearsonr
from typer.testing import Result

from ipmdae.denoiser import Denoiser
from ipmdae.engine import ModelFile, find_model, write_model
from ipmdae.lab.commands.benchmark import processes
from ipmdae.lab.evaluation import candidates, clinic, clinic_page, results
from ipmdae.lab.evaluation.clinic import ClinicBenchmark
from ipmdae.lab.evaluation.intervals import Interval
from ipmdae.lab.protocols.clinic_test import CLEAN, CONDITIONS, FS
from ipmdae.methods import classical

pytestmark = pytest.mark.filterwarnings("ignore:13 of the 14 test records:UserWarning")

MODEL = "ipmdae-base"


@cache
def harness() -> ClinicBenchmark:
    return ClinicBenchmark(DATASETS)


@cache
def result(method: str) -> results.Result:
    return harness().run(method, part=1)


def run(*arguments: object) -> Result:
    return command_line.run("benchmark", *arguments)


def refused(outcome: Result) -> str:
    assert outcome.exit_code == 1, outcome.output
    return outcome.stderr.splitlines()[-1].removeprefix("ipmdae: error: ")


class Diverging:
    """Gives what is no number where there is much noise."""

    def denoise(self, x: classical.Signal, fs: float) -> classical.Signal:
        return x * (np.inf if x.std() > 0.1 else 1)


def test_measures_are_those_of_independent_formulas() -> None:
    rng = np.random.default_rng(0)
    clean, noisy = (rng.normal(3, 1, (len(CONDITIONS), 5000)) for _ in range(2))
    cleaned = 0.9 * clean + 0.3 * noisy
    values = clinic.measure(clean, noisy, cleaned)
    x, y, z = clean[5], cleaned[5], noisy[5]
    error, before = (part - part.mean() for part in (y - x, z - x))
    assert values["rmse"][5] == pytest.approx(np.std(y - x))
    assert values["ssd"][5] == pytest.approx(5000 * np.var(y - x))
    assert values["mad"][5] == pytest.approx(np.abs(error).max())
    assert values["prd"][5] == pytest.approx(100 * np.std(y - x) / np.std(x))
    assert values["snr"][5] == pytest.approx(10 * np.log10(x.var() / error.var()))
    gain = 10 * np.log10(before.var() / error.var())
    assert values["snr_improvement"][5] == pytest.approx(gain)
    assert values["cosine"][5] == pytest.approx(pearsonr(x, y).statistic)
    assert np.isnan(values["snr_improvement"][0])
    assert np.isnan(values["power_low"][1:]).all()


def test_a_level_is_no_error() -> None:
    clean = np.random.default_rng(0).normal(size=(len(CONDITIONS), 5000))
    assert clinic.measure(clean, clean, clean + 5)["mad"].max() < 1e-9


def test_band_powers_are_those_of_sines() -> None:
    time = np.arange(5000) / FS
    x = 2 * np.sin(2 * np.pi * 0.3 * time) + np.sin(2 * np.pi * 10 * time)
    x += 0.1 * np.sin(2 * np.pi * 60 * time) + 0.1 * np.sin(2 * np.pi * 110 * time)
    powers = clinic.band_powers(x[np.newaxis])
    expected = {"low": 2.0, "middle": 0.5, "high": 0.005}
    for band, power in expected.items():
        assert powers[band][0] == pytest.approx(power, rel=0.02)


def test_no_cleaning_changes_nothing() -> None:
    none = result("none")
    noisy = none["kind"] != CLEAN
    np.testing.assert_allclose(none["snr_improvement"][noisy], 0, atol=1e-6)
    np.testing.assert_allclose(none["rmse"][~noisy], 0, atol=1e-9)
    assert (none.done, none.total, len(none)) == (2, 20, 2 * len(CONDITIONS))


def test_a_piece_is_cleaned_whole_and_scored_in_its_middle() -> None:
    piece = next(harness().test.pieces(np.array([0])))
    noisy = piece.noisy()[7]
    cleaned = Denoiser(MODEL).denoise(noisy, FS)
    error = (cleaned - piece.clean)[1250:6250]
    assert result(MODEL)["rmse"][7] == pytest.approx(error.std())


@pytest.mark.slow
def test_wiener_is_fitted_on_training_windows_and_improves_at_any_rate() -> None:
    wiener = candidates.fitted(candidates.find("wiener"), DATASETS)
    piece = next(harness().test.pieces(np.array([0])))
    for noisy in piece.noisy()[1::4]:
        error = wiener.clean(noisy, FS) - piece.clean
        assert error.std() < 0.8 * np.std(noisy - piece.clean)
    x = np.sin(np.arange(3600) / 20)
    assert wiener.clean(x, 360.0).shape == x.shape


@pytest.mark.slow
def test_the_number_of_processes_does_not_change_a_digit() -> None:
    with processes(2) as mapper:
        for method in ("iir", MODEL):
            other = harness().run(method, part=1, mapper=mapper)
            pd.testing.assert_frame_equal(other.table, result(method).table)


def test_models_go_by_name_or_file_and_are_told_apart(
    tmp_path: Path, tiny_model: ModelFile
) -> None:
    file = tmp_path / "mine.safetensors"
    write_model(file, tiny_model)
    assert candidates.find(str(file)).name == "mine"
    assert candidates.find(str(find_model(MODEL))).version == candidates.find(MODEL).version
    assert candidates.find(str(file)).version != candidates.find(MODEL).version
    for name in (MODEL, "iir"):
        namesake = tmp_path / f"{name}.safetensors"
        write_model(namesake, tiny_model)
        with pytest.raises(ValueError, match="has the name of another method"):
            candidates.find(str(namesake))
    with pytest.raises(FileNotFoundError, match="no such model file"):
        candidates.find(str(tmp_path / "absent.safetensors"))
    with pytest.raises(ValueError, match="unknown method 'lmmse'; there are: none, fir"):
        candidates.find("lmmse")


def test_divergence_is_scored_as_no_number_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = result("iir")
    monkeypatch.setattr(candidates, "get", lambda name: Diverging())
    diverging = harness().run("fir", part=1)
    assert diverging.diverged == 2
    page = clinic_page.markdown([diverging], [], usual)
    assert "| `fir` (diverged on 2 segments; 2 of 20 segments) | - | -" in page


def test_scores_are_means_of_record_means_and_paired_differences() -> None:
    iir, none = result("iir"), result("none")
    chosen = (iir["kind"] == "em") & (iir["snr_in"] == 5)
    gain = iir["snr_improvement"][chosen].mean()
    case = ("snr_improvement", "em", 5.0)
    assert clinic.mean(iir, *case).mean == pytest.approx(gain)
    assert clinic.mean_less(iir, none, *case).mean == pytest.approx(gain, abs=1e-6)
    noisy = iir["kind"] != CLEAN
    overall = clinic.mean(iir, "rmse")
    assert overall.mean == pytest.approx(iir["rmse"][noisy].mean())
    changed = clinic.mean(iir, "changed_low")
    wander = iir["change_low"][~noisy].sum() / iir["power_low"][~noisy].sum()
    assert changed.mean == pytest.approx(100 * wander)
    assert isinstance(changed, Interval)
    assert np.isnan(clinic.mean_less(none, none, *case).mean)


@pytest.mark.slow
def test_command_writes_page_numbers_and_figures_and_report_makes_them_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("run", "--protocol", "clinic", "--datasets", DATASETS, "--part", 1)
    outcome = run(*options, "--methods", f"none,iir,{MODEL}")
    assert outcome.exit_code == 0, outcome.output
    assert "iir: SNR improvement" in outcome.output
    written = Path("docs/results/clinic.md")
    page = written.read_text()
    assert f"Difference to `{MODEL}` in SNR improvement above 0.5 Hz (dB); ahead" in page
    assert "Worse than the noisy input, with the whole interval below zero:" in page
    assert "| `none` (2 of 20 segments) | unchanged | unchanged | 0.00" in page
    for name in ("clinic_gain.png", "clinic_harm.png", "clinic_examples.png"):
        assert 0 < (written.parent / "figures" / name).stat().st_size <= 150_000
    with (written.parent / "clinic.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["method"] for row in rows} == {"none", "iir", MODEL}
    assert "iir: already stored" in run(*options, "--methods", "iir").output
    assert run("report", "--protocol", "clinic").exit_code == 0
    assert written.read_text() == page
    assert run("report", "--protocol", "clinic", "--against", "iir").exit_code == 0
    assert "Difference to `iir` in SNR improvement (dB);" in written.read_text()
    assert "no result of 'fir' to compare with; there are: none, iir" in refused(
        run("report", "--protocol", "clinic", "--against", "fir")
    )


@pytest.mark.slow
def test_a_network_with_other_weights_is_run_again(
    tmp_path: Path, tiny_model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("run", "--protocol", "clinic", "--datasets", DATASETS, "--part", 1)
    write_model("mine.safetensors", tiny_model)
    first = run(*options, "--methods", "mine.safetensors")
    assert "mine: SNR improvement" in first.output, first.output
    assert "mine: already stored" in run(*options, "--methods", "mine.safetensors").output
    tensors = {name: 2 * tensor for name, tensor in tiny_model.tensors.items()}
    other = ModelFile(**{**vars(tiny_model), "tensors": tensors})
    write_model("mine.safetensors", other)
    assert "mine: SNR improvement" in run(*options, "--methods", "mine.safetensors").output


def test_old_results_of_a_model_that_ships_are_told(tmp_path: Path) -> None:
    old = results.Result(**{**vars(result(MODEL)), "version": "0" * 64})
    results.save(old, tmp_path / "clinic" / f"{MODEL}.npz")
    with pytest.warns(UserWarning, match=f"stored results of {MODEL} are of other weights"):
        clinic_page.write(tmp_path, tmp_path / "out")


def test_bad_input_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("run", "--protocol", "clinic")
    assert "unknown method 'x'; there are: none, fir" in refused(run(*options, "--methods", "x"))
    assert "ipmdae download qtdb" in refused(run(*options, "--methods", "none"))
    assert "make some with: ipmdae benchmark run --protocol clinic" in refused(
        run("report", "--protocol", "clinic")
    )
    assert "have one name" in refused(run(*options, "--methods", f"{MODEL},{find_model(MODEL)}"))

"""Recordings of other kinds: what each condition changes, scores, page, and the command."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from excerpts import DATASETS
from typer.testing import CliRunner

from ipmdae import cli
from ipmdae.lab.evaluation import candidates, results, robustness
from ipmdae.lab.evaluation.robustness import AS_IT_IS, CONDITIONS, Case, RobustnessBenchmark
from ipmdae.lab.protocols.clinic_test import FS, Piece
from ipmdae.methods import classical

pytestmark = pytest.mark.filterwarnings("ignore:13 of the 14 test records:UserWarning")

MODEL = "ipmdae-small"


@cache
def harness() -> RobustnessBenchmark:
    return RobustnessBenchmark(DATASETS)


@cache
def piece() -> Piece:
    return next(harness().test.pieces(np.array([0])))


@cache
def result(method: str) -> results.Result:
    return harness().run(method, part=1)


def case(condition: str) -> Case:
    return robustness.case(piece(), condition)


def snr(clean: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(clean.var() / (other - clean).var()))


class OnlyAt250:
    """Filters nothing, and refuses every other rate."""

    def denoise(self, x: classical.Signal, fs: float) -> classical.Signal:
        if fs != FS:
            raise ValueError("this rate is not supported")
        return x


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_case_is_reproducible_and_scored_in_its_middle(condition: str) -> None:
    one, other = case(condition), case(condition)
    np.testing.assert_array_equal(one.noisy, other.noisy)
    assert one.noisy.shape == one.clean.shape == one.scored.shape
    time = np.flatnonzero(one.scored) / one.fs
    assert time.min() == pytest.approx(5, abs=1 / one.fs)
    assert time.max() == pytest.approx(25, abs=1.5 / one.fs)
    assert np.isfinite(one.noisy[one.scored]).all()


@pytest.mark.parametrize("fs", robustness.RATES)
def test_other_rates_hold_the_same_signals(fs: float) -> None:
    usual, other = case(AS_IT_IS), case(f"{fs:g} Hz")
    assert (other.fs, len(other.noisy)) == (fs, 30 * fs)
    if fs == 500:
        np.testing.assert_allclose(other.noisy[2000:-2000:2], usual.noisy[1000:-1000], atol=0.01)
    assert snr(other.clean, other.noisy) == pytest.approx(robustness.SNR, abs=0.3)


def test_scale_and_sign_change_the_lead_and_what_is_wanted_of_it() -> None:
    usual = case(AS_IT_IS)
    for condition, factor in (("gain 0.1", 0.1), ("gain 10", 10), ("inverted", -1)):
        np.testing.assert_allclose(case(condition).noisy, factor * usual.noisy)
        np.testing.assert_allclose(case(condition).clean, factor * usual.clean)


def test_lost_contacts_are_not_scored() -> None:
    lost = slice(3375, 4125)
    missing, flat, usual = (case(name) for name in ("contact missing", "contact flat", AS_IT_IS))
    assert np.isnan(missing.noisy[lost]).all()
    assert np.isnan(missing.noisy).sum() == 750
    assert np.ptp(flat.noisy[lost]) == 0
    for part in (missing, flat):
        assert not part.scored[lost].any()
        assert part.scored.sum() == usual.scored.sum() - 750
        np.testing.assert_array_equal(part.noisy[part.scored], usual.noisy[part.scored])


def test_a_saturated_lead_is_clipped_at_both_ends() -> None:
    usual, clipped = case(AS_IT_IS).noisy, case("saturated").noisy
    assert (clipped == clipped.max()).mean() == pytest.approx(0.01, abs=0.001)
    assert (clipped == clipped.min()).mean() == pytest.approx(0.01, abs=0.001)
    inside = (usual > clipped.min()) & (usual < clipped.max())
    np.testing.assert_array_equal(usual[inside], clipped[inside])


@pytest.mark.parametrize("frequency", [50, 60])
def test_hum_is_a_sine_of_the_stated_amplitude(frequency: int) -> None:
    hum = case(f"mains {frequency} Hz").noisy - case(AS_IT_IS).noisy
    spectrum = np.abs(np.fft.rfft(hum)) / len(hum) * 2
    assert spectrum.argmax() == 30 * frequency
    assert spectrum.max() == pytest.approx(robustness.HUM)


@pytest.mark.parametrize("condition", ["steps", "bursts"])
def test_synthetic_noise_has_the_stated_snr_and_kind(condition: str) -> None:
    part = case(condition)
    noise = part.noisy - part.clean
    assert snr(part.clean, part.noisy) == pytest.approx(robustness.SNR, abs=0.01)
    power = np.abs(np.fft.rfft(noise - noise.mean())) ** 2
    hertz = np.fft.rfftfreq(len(noise), 1 / FS)
    in_band = power[(hertz > 0.7) & (hertz < 12)].sum() / power.sum()
    assert (in_band > 0.95) == (condition == "bursts")


def test_scores_are_those_of_an_independent_formula() -> None:
    part = case("contact missing")
    cleaned = 0.5 * (part.clean + np.nan_to_num(part.noisy)) + 3
    gain, after = robustness.measure(part, cleaned)
    m = part.scored
    assert after == pytest.approx(snr(part.clean[m], cleaned[m]))
    assert gain == pytest.approx(after - snr(part.clean[m], part.noisy[m]))


@pytest.mark.slow
def test_no_cleaning_changes_nothing_and_a_model_does_not_mind_the_scale() -> None:
    np.testing.assert_allclose(result("none")["snr_improvement"], 0, atol=1e-6)
    model = result(MODEL)
    gain = dict(zip(model["condition"], model["snr_improvement"], strict=False))
    assert len(model) == 2 * len(CONDITIONS) == len(result("none"))
    assert np.isfinite(list(gain.values())).all()
    # The guard takes some µV for no noise, whatever the height of the QRS complex.
    for condition, apart in (("gain 0.1", 0.5), ("gain 10", 0.01)):
        assert gain[condition] == pytest.approx(gain[AS_IT_IS], abs=apart)
    assert robustness.loss(model, "gain 10").mean == pytest.approx(0, abs=0.01)
    lead = result("none")["snr"][1:] - model["snr"][1:]
    mean = lead[model["condition"][1:] == "steps"].mean()
    assert robustness.difference(result("none"), model, "steps").mean == pytest.approx(mean)


@pytest.mark.slow
def test_a_rate_that_a_method_cannot_is_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "get", lambda name: OnlyAt250())
    refusing = harness().run("fir", part=1)
    assert refusing.diverged == 0
    page = robustness.markdown([refusing], None)
    assert "| 360 Hz | - |" in page
    assert "| gain 10 | 0.00 " in page
    assert "at the least 0.00" in harness().summary(refusing)


def test_missing_samples_are_bridged_for_classical_methods_as_for_a_user() -> None:
    part = case("contact missing")
    cleaned = robustness.clean(candidates.find("iir"), part)
    np.testing.assert_array_equal(np.isnan(cleaned), np.isnan(part.noisy))


@pytest.mark.slow
def test_command_writes_a_page_and_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["run", "--protocol", "robustness", "--datasets", str(DATASETS), "--part", "1"]
    arguments = ["benchmark", *words, "--methods", f"none,{MODEL}"]
    first = CliRunner().invoke(cli.app, arguments)
    assert first.exit_code == 0, first.output
    page = Path("docs/results/robustness.md").read_text(encoding="utf-8")
    assert f"## Against `{MODEL}`, signal by signal" in page
    assert "`none` (2 of 6 segments)" in page
    assert f"{MODEL}: already stored" in CliRunner().invoke(cli.app, arguments).output


def test_old_results_of_a_model_that_ships_are_told(tmp_path: Path) -> None:
    old = results.Result(**{**vars(result(MODEL)), "version": "0" * 64})
    results.save(old, tmp_path / "robustness" / f"{MODEL}.npz")
    with pytest.warns(UserWarning, match=f"stored results of {MODEL} are of other weights"):
        robustness.write(tmp_path, tmp_path / "out")
    assert robustness.write(tmp_path / "nothing", tmp_path / "out") == []

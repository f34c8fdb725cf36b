"""Protocol P1 as a benchmark: its measures, its two noises, its networks, and the command."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from excerpts import DATASETS
from typer.testing import CliRunner

from ipmdae import cli
from ipmdae.lab.evaluation import reference, results
from ipmdae.lab.evaluation.reference import COMMON, ReferenceBenchmark

pytestmark = pytest.mark.filterwarnings("ignore:100 of the 105 records:UserWarning")


@cache
def harness() -> ReferenceBenchmark:
    return ReferenceBenchmark(DATASETS)


@cache
def result(method: str) -> results.Result:
    return harness().run(method)


def make_run(folder: Path, protocol: str, training: list[str]) -> str:
    folder.mkdir(parents=True)
    settings = {"model": "drnn", "protocol": protocol, "split": {"training": training}}
    (folder / "run.json").write_text(json.dumps(settings))
    return str(folder)


def test_the_noisy_windows_have_the_published_ratio_with_either_noise() -> None:
    none = result("none")
    assert (len(none), none.done, none.total) == (24, 24, 24)
    np.testing.assert_allclose(none["snr"], 0, atol=1e-3)
    np.testing.assert_allclose(none["prd"], 100, atol=0.1)
    assert set(none["record"]) == {"sele0122"}


def test_methods_are_scored_on_both_noises_with_and_without_the_mean() -> None:
    iir, none = result("iir"), result("none")
    for name in reference.MEASURES:
        assert np.isfinite(iir[name]).all()
    assert (iir["snr_centred"] > none["snr_centred"]).mean() > 0.9
    common = iir["noise"] == COMMON
    assert not np.array_equal(iir["snr"][common], iir["snr"][~common])


def test_a_subtraction_of_leads_lives_on_common_noise_alone() -> None:
    """What the leak is: the difference of the leads knows nothing of the noise."""
    noisy, clean = (
        [harness()._pairs[noise].draw(3)[i] for noise in reference.NOISES] for i in (0, 1)
    )
    common, independent = (np.diff(a - b, axis=1).std() for a, b in zip(noisy, clean, strict=True))
    assert common < 1e-6 < 0.05 < independent
    np.testing.assert_array_equal(clean[0], clean[1])


def test_page_tells_what_the_leak_is_worth() -> None:
    page = reference.markdown([result("none"), result("iir")], result("none"))
    assert "## Effect of common noise" in page
    assert "Differences to `none`:" in page
    mean = result("iir")["snr"][result("iir")["noise"] == COMMON].mean()
    assert f"| `iir` | {mean:.3f} [" in page


def test_runs_that_saw_the_test_or_another_protocol_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    clinic = make_run(Path("results", "a", "version_0"), "clinic", [])
    seen = make_run(Path("results", "a", "version_1"), "reference", ["sel100", "sele0122"])
    fine = make_run(Path("results", "a", "version_2"), "reference", ["sel100"])
    assert harness().methods[-1] == fine
    assert results.name_of(fine) == "a-version_2"
    with pytest.raises(ValueError, match="was trained on protocol clinic"):
        harness().version(clinic)
    with pytest.raises(ValueError, match="was trained on 1 of the test records"):
        harness().version(seen)
    for name in ("x", "wiener"):
        with pytest.raises(ValueError, match=f"unknown method '{name}'; there are: none, fir"):
            harness().version(name)


def test_command_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["run", "--protocol", "reference", "--datasets", str(DATASETS), "--part", "3"]
    outcome = CliRunner().invoke(cli.app, ["benchmark", *options, "--methods", "none,iir"])
    assert outcome.exit_code == 0, outcome.output
    assert "iir: SNR without DC" in outcome.output
    assert "| `iir` (6 of 24 windows) |" in Path("docs/results/reference.md").read_text()

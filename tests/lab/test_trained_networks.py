"""Networks of finished runs in all benchmarks: found, cleaned with, told of on the pages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from excerpts import DATASETS
from trainings import finish
from typer.testing import CliRunner, Result

from ipmdae import cli
from ipmdae.lab.commands.benchmark import processes
from ipmdae.lab.evaluation import candidates, deepfilter, deepfilter_page, results
from ipmdae.lab.evaluation.clinic import ClinicBenchmark
from ipmdae.lab.evaluation.clinical import ClinicalBenchmark
from ipmdae.lab.evaluation.deepfilter import DeepFilterBenchmark
from ipmdae.lab.evaluation.reference import ReferenceBenchmark
from ipmdae.lab.evaluation.results import evenly_spaced
from ipmdae.lab.evaluation.trained_network import TrainedNetwork
from ipmdae.lab.training import run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:100 of the 105 records:UserWarning"),
    pytest.mark.filterwarnings("ignore:13 of the 14 test records:UserWarning"),
    pytest.mark.filterwarnings("ignore:10 of the 12 records 118e. and 119e.:UserWarning"),
]

METHOD, PAPER = "fcn-dae", "Ultralight_IPM_DAE"
ALIKE = f"{METHOD}+augmented"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with finished runs of one network on all protocols, and one of the paper's."""
    results = tmp_path_factory.mktemp("results")
    finish(results, "deepfilter", METHOD, losses=(1.0, 0.9))
    finish(results, "clinic", METHOD, losses=(1.0, 1.0))
    finish(results, "clinic", ALIKE)
    finish(results, "reference", METHOD, split_idx=4)
    (paper,) = finish(results, "reference", PAPER, split_idx=4)
    (results / PAPER).mkdir()
    paper.rename(results / PAPER / "version_0")
    (results / PAPER / "version_0" / "training.json").unlink()
    return results


@pytest.fixture(scope="module")
def beats(runs: Path) -> results.Result:
    return DeepFilterBenchmark(DATASETS, runs).run(METHOD, part=10)


def command(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, ["benchmark", *(str(argument) for argument in arguments)])


def test_all_that_is_trained_is_run_where_nothing_is_named(runs: Path, tmp_path: Path) -> None:
    for made in (DeepFilterBenchmark, ClinicBenchmark, ClinicalBenchmark):
        methods = made(DATASETS, runs).methods
        assert METHOD in methods
        assert (ALIKE in methods) == (made is not DeepFilterBenchmark)
        assert "drnn" not in methods
        assert METHOD not in made(DATASETS, tmp_path).methods
    found = ReferenceBenchmark(DATASETS, runs).methods
    assert found[-2:] == [METHOD, str(runs / PAPER / "version_0")]
    finish(tmp_path, "clinic", "descod")
    assert candidates.trained_names("clinic", tmp_path) == ["descod", "descod-10"]


def test_each_version_of_the_noise_has_its_model(runs: Path, beats: results.Result) -> None:
    harness = DeepFilterBenchmark(DATASETS, runs)
    cleaned = []
    for version in (1, 2):
        test = harness.protocol.noisy_beats("test", version)
        chosen = evenly_spaced(len(test), 10)
        rival = TrainedNetwork(METHOD).trained("deepfilter", f"noise-{version}", runs)
        cleaned.append(rival.denoise_batch(test.noisy[chosen], 360.0) - test.clean[chosen])
    expected = np.square(np.concatenate(cleaned)).sum(axis=1)
    np.testing.assert_allclose(beats["ssd"], expected, rtol=1e-5)
    assert beats.version == harness.version(METHOD)
    assert beats.network is not None
    assert beats.network.parameters == 80_223
    assert [training.summary.epochs for training in beats.network.trainings] == [2, 2]
    assert [training.recipe for training in beats.network.trainings] == ["rival", "rival"]
    assert beats.network.trainings[1].late_fall == pytest.approx(0.1)


def test_processes_and_threads_change_no_digit(runs: Path, beats: results.Result) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        other = DeepFilterBenchmark(DATASETS, runs).run(METHOD, part=10)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    with processes(2) as mapper:
        spread = DeepFilterBenchmark(DATASETS, runs).run(METHOD, part=10, mapper=mapper)
    for name in deepfilter.MEASURES:
        np.testing.assert_array_equal(other[name], beats[name])
        np.testing.assert_array_equal(spread[name], beats[name])


def test_page_tells_what_it_was_given_and_why_it_deviates(
    beats: results.Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deepfilter_page, "PUBLISHED_BEATS", 20)
    page = deepfilter_page.markdown([beats], None)
    assert f"| `{METHOD}` (not converged in 2 epochs on a CPU; 20 of 190 beats) |" in page
    assert f"| `{METHOD}` | 80.2 k | 7.89 M | rival | 2 | 20 | once | 2 | cpu | own |" in page
    worse = replace(beats, table=beats.table.assign(ssd=21.0))
    told = "Not converged in 2 epochs on a CPU (20 windows); the last tenth of them still lowered"
    assert f"SSD {21 / 10.633 - 1:+.1%}" in deepfilter_page.markdown([worse], None)
    assert told in deepfilter_page.markdown([worse], None)
    better = replace(beats, table=beats.table.assign(ssd=1.0))
    assert "but trained differently" in deepfilter_page.markdown([better], None)
    fresh = replace(beats, method=f"{METHOD}+open", table=beats.table.assign(ssd=beats["ssd"] - 1))
    told = f"| `{METHOD}+open`, less `{METHOD}` | -1.000 ["
    assert told in deepfilter_page.markdown([beats, fresh], None)


def test_report_needs_no_runs_and_a_retrained_network_is_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folders = finish(Path("runs"), "deepfilter", METHOD)
    options = ("--methods", METHOD, "--datasets", DATASETS, "--part", 5, "--runs", "runs")
    assert f"{METHOD}: SSD" in command("run", *options).output
    assert f"{METHOD}: already stored" in command("run", *options).output
    finish(Path("runs"), "deepfilter", METHOD, seed=5)
    assert f"{METHOD}: SSD" in command("run", *options).output
    page = Path("docs/results/deepfilter.md").read_bytes()
    for folder in folders:
        (folder / run.SETTINGS_FILE).unlink()
        (folder / "training.json").unlink()
    assert command("report").exit_code == 0
    assert Path("docs/results/deepfilter.md").read_bytes() == page
    assert 0 < Path("docs/results/figures/deepfilter_cost.png").stat().st_size <= 150_000


@pytest.mark.parametrize("protocol", ["deepfilter", "clinic", "clinical", "reference"])
def test_an_untrained_network_is_told_before_anything_is_run(
    protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("--protocol", protocol, "--datasets", DATASETS, "--methods", "none,drnn")
    outcome = command("run", *options)
    assert outcome.exit_code == 1
    trained_on = "clinic" if protocol == "clinical" else protocol
    wanted = f"ipmdae benchmark train --protocol {trained_on} --methods drnn"
    assert outcome.stderr.splitlines()[-1].endswith(wanted)
    assert list(tmp_path.iterdir()) == []


def test_a_lead_is_cleaned_by_the_network_of_protocol_clinic(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = candidates.find(METHOD, runs)
    lead = np.random.default_rng(0).standard_normal(3000).cumsum() / 50 + 4
    rival = TrainedNetwork(METHOD).trained("clinic", results=runs)
    middle = float(np.median(lead))
    expected = rival.denoise(lead - middle, 250.0) + middle
    np.testing.assert_allclose(subject.clean(lead, 250.0), expected)
    assert subject.version == rival.version
    assert not subject.predicts_uncertainty
    assert subject.network is not None
    assert subject.network.multiply_accumulates == rival.complexity(1250).multiply_accumulates

    monkeypatch.chdir(tmp_path)
    options = ("--datasets", DATASETS, "--part", 1, "--runs", runs)
    methods = ("--methods", f"none,{METHOD},{ALIKE},ipmdae-small")
    for protocol in ("clinic", "clinical"):
        outcome = command("run", "--protocol", protocol, *options, *methods)
        assert outcome.exit_code == 0, outcome.output
    page = Path("docs/results/clinic.md").read_text()
    assert f"| `{METHOD}` (2 of 20 segments) |" in page
    assert f"| `{METHOD}` | 80.2 k |" in page
    assert f"| `{ALIKE}` (" in page
    assert "## Equal training" not in page  # without the paper's network to compare with
    assert "| `ipmdae-small` | " in page
    assert 0 < Path("docs/results/figures/clinic_cost.png").stat().st_size <= 150_000


def test_a_model_that_ships_is_meant_by_its_name_wherever_it_was_trained(tmp_path: Path) -> None:
    assert "ipmdae-base" in candidates.NETWORKS
    found = candidates.find("ipmdae-base", tmp_path)
    assert found.file is not None
    assert found.network is not None
    assert found.network.trainings == ()
    assert candidates.names().count("ipmdae-base") == 1
    assert [candidates.find(name).name for name in candidates.ready(tmp_path)]


def test_protocol_reference_has_networks_by_name_and_runs_by_folder(runs: Path) -> None:
    harness = ReferenceBenchmark(DATASETS, runs)
    folder = runs / PAPER / "version_0"
    by_name, by_folder = (harness.run(m, part=2) for m in (METHOD, str(folder)))
    noisy, clean = harness._pairs["common"].draw(0)
    cleaned = run.load_network(folder, "best").eval()(torch.from_numpy(noisy[np.newaxis]))
    error = cleaned.detach().numpy()[0] - clean
    assert by_folder["rmse"][0] == pytest.approx(np.sqrt(np.square(error).mean()), rel=1e-4)
    assert (by_folder.method, by_name.method) == (f"{PAPER}-version_0", METHOD)
    assert by_folder.network is not None
    assert by_folder.network.trainings == ()
    assert by_name.network is not None
    one = TrainedNetwork(METHOD).complexity(1250).multiply_accumulates
    assert by_name.network.multiply_accumulates == 2 * one

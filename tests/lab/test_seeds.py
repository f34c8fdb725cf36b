"""Several seeds of a network: which runs are chosen, run and stored, and how a page tells them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import command_line
import numpy as np
import pytest
from excerpts import DATASETS
from seeded import seeded
from trainings import finish
from typer.testing import Result

from ipmdae.lab.evaluation import candidates, deepfilter, deepfilter_page, results
from ipmdae.lab.evaluation.deepfilter import DeepFilterBenchmark
from ipmdae.lab.evaluation.trained_network import TrainedNetwork
from ipmdae.lab.evaluation.training_budget import groups, parse_seed, pool
from ipmdae.lab.training import queue

pytestmark = pytest.mark.filterwarnings("ignore:100 of the 105 records:UserWarning")

METHOD = "fcn-dae"
LOW, HIGH = dict.fromkeys(deepfilter.MEASURES, 0.5), dict.fromkeys(deepfilter.MEASURES, 0.7)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of seeds 4, 1 and 4 again; of seed 0 only the first model is finished."""
    folder = tmp_path_factory.mktemp("results")
    for version, seed in enumerate((4, 1, 4, 0)):
        folders = finish(folder, "deepfilter", METHOD, seed=seed, version=version)
    (folders[1] / "training.json").unlink()
    return folder


def run(*arguments: object) -> Result:
    return command_line.run("benchmark", *arguments)


def test_models_are_of_one_seed_the_lowest_of_which_all_are_finished(runs: Path) -> None:
    assert queue.seeds(runs, "deepfilter", METHOD) == [1, 4]
    for name, version in ((METHOD, 1), (f"{METHOD}@1", 1), (f"{METHOD}@4", 2)):
        found = candidates.trained(name, "deepfilter", runs, ("noise-1", "noise-2"))
        assert [network.run_folder.name for network in found] == [f"version_{version}"] * 2
    with pytest.raises(FileNotFoundError, match=r"seed 1, 4, not with 0: .*--seed 0"):
        TrainedNetwork(METHOD).trained("deepfilter", "noise-1", runs, seed=0)
    with pytest.raises(FileNotFoundError, match="drnn is not trained on protocol deepfilter yet"):
        candidates.trained("drnn@2", "deepfilter", runs, ("noise-1",))


def test_each_network_is_named_once_for_each_seed(runs: Path) -> None:
    def named(*methods: str, wanted: str) -> list[str]:
        return candidates.with_seeds(methods, wanted, "deepfilter", runs)

    assert named("iir", METHOD, wanted="all") == ["iir", METHOD, f"{METHOD}@4"]
    assert named(METHOD, wanted="4, 1,4") == [METHOD, f"{METHOD}@4"]
    assert named(METHOD, wanted="7") == [f"{METHOD}@7"]
    assert named("drnn", wanted="all") == ["drnn"]
    assert parse_seed(f"{METHOD}@4") == (METHOD, 4)
    for name in (METHOD, f"{METHOD}@x", "@4"):
        assert parse_seed(name) == (name, None)


@pytest.mark.slow
def test_each_seed_is_run_once_and_stored_and_the_page_has_their_mean(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("--methods", METHOD, "--datasets", DATASETS, "--part", 5, "--runs", runs)
    assert f"{METHOD}: SSD" in run("run", *options).output
    first = Path("results/benchmark/deepfilter", f"{METHOD}.npz")
    before = first.stat().st_mtime_ns
    outcome = run("run", *options, "--seeds", "all")
    assert outcome.exit_code == 0, outcome.output
    assert f"{METHOD}: already stored" in outcome.output
    assert f"{METHOD}@4: SSD" in outcome.output
    assert first.stat().st_mtime_ns == before
    assert f"{METHOD}@4: already stored" in run("run", *options, "--seeds", "1,4").output

    ours, other = results.load(first), results.load(first.with_name(f"{METHOD}@4.npz"))
    assert other.version == DeepFilterBenchmark(DATASETS, runs).version(f"{METHOD}@4")
    assert other.version != ours.version
    assert other.network is not None
    assert other.network.seeds == [4]
    page = Path("docs/results/deepfilter.md").read_text(encoding="utf-8")
    means = [result["ssd"].mean() for result in (ours, other)]
    assert f"| `{METHOD}` | 4 | {means[1]:.4f} |" in page
    middle, apart = np.mean(means), np.std(means, ddof=1)
    assert f"| `{METHOD}` | mean of 2 | {middle:.4f} ± {apart:.4f} |" in page
    told = "mean over 2 seeds; not converged in 1 epoch on a CPU; 10 of 190 beats"
    row = f"| `{METHOD}` ({told}) | {middle:.3f} ±"
    assert row in page
    for seed in (1, 4):
        assert f"--seed {seed} --methods {METHOD}\n" in page


def test_only_what_differs_in_nothing_but_the_seed_is_averaged() -> None:
    first, second = seeded(METHOD, LOW, seed=0), seeded(METHOD, HIGH, seed=10)
    others = [
        seeded(METHOD, HIGH, seed=2, epochs=9),
        seeded(METHOD, HIGH, seed=3, done=1),
        dataclasses.replace(seeded(METHOD, HIGH, seed=4), diverged=1),
        seeded("unet", HIGH, seed=5),
        dataclasses.replace(first, method="iir", network=None),
    ]
    again = dataclasses.replace(first, method=f"{METHOD}@0")
    found = groups([second, first, again, *others])
    assert found == [[first, second], *([other] for other in others)]
    assert all(pool(group) is group[0] for group in found[1:])
    pooled = pool(found[0])
    assert (pooled.method, pooled.done) == (METHOD, 2)
    np.testing.assert_allclose(pooled["ssd"], [0.49, 0.51, 0.69, 0.71])
    np.testing.assert_array_equal(pooled["record"], ["a", "b", "a", "b"])
    np.testing.assert_array_equal(pooled["factor"], [0.3, 1.2, 0.3, 1.2])
    assert pooled.network is not None
    assert pooled.network.seeds == [0, 10]
    assert len(pooled.network.trainings) == 4


def test_a_page_compares_beat_by_beat_with_the_lowest_seed() -> None:
    found = [seeded(METHOD, LOW, seed=0), seeded(METHOD, HIGH, seed=1)]
    anchor = dataclasses.replace(found[0], method="iir", network=None)
    page = deepfilter_page.markdown([anchor, *found], anchor)
    assert f"| `{METHOD}` (mean over 2 seeds) | 0.600 ± 0.100 [" in page
    assert (
        f"| `{METHOD}` (mean over 2 seeds) | 0.590 / 0.590 | - / - | 0.610 / 0.610 | - / - |"
        in page
    )
    paired = page.split("beat by beat\n")[1]
    assert f"| `{METHOD}` | 0.000 [0.000, 0.000] |" in paired
    assert f"| `{METHOD}` | mean of 2 | 0.6000 ± 0.1414 |" in page
    fresh = [seeded(f"{METHOD}+open", HIGH, seed=seed) for seed in (0, 1)]
    effects = deepfilter_page.markdown([anchor, *found, *fresh], anchor)
    assert f"| `{METHOD}+open`, less `{METHOD}` | 0.200 [" in effects
    alone = deepfilter_page.markdown([anchor, found[1]], anchor)
    assert "## Seeds" not in alone
    assert f"| `{METHOD}@1` | 0.700 ± 0.010 [" in alone


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--seeds", "one"), "--seeds takes numbers with commas between them, or all, not 'one'"),
        (("--seeds", "1,"), "or all, not '1,'"),
        (("--seeds", "1,7"), f"{METHOD} is trained on protocol deepfilter with seed 1, 4, not"),
        (("--seeds", "all", "--protocol", "clinic"), "is for protocol deepfilter, not for clinic"),
    ],
)
def test_bad_seeds_are_told_in_one_line(options: tuple[str, ...], told: str, runs: Path) -> None:
    outcome = run("run", "--methods", METHOD, "--datasets", DATASETS, "--runs", runs, *options)
    assert outcome.exit_code == 1
    (line,) = outcome.stderr.splitlines()
    assert line.startswith("ipmdae: error: ")
    assert told in line

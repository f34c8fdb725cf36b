"""Protocols fgdae and tfcdiff as benchmarks: windows, measures, page, and the command."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from excerpts import DATASETS, NSTDB, copy_for_tfcdiff
from patients import patient
from scipy.spatial import distance
from typer.testing import CliRunner

from ipmdae import cli
from ipmdae.engine import model_names
from ipmdae.lab.data import nstdb, qtdb, splits
from ipmdae.lab.evaluation import windows
from ipmdae.lab.evaluation.results import Result
from ipmdae.lab.evaluation.training_budget import PAPER
from ipmdae.lab.evaluation.windows import FGDAEBenchmark, TFCDiffBenchmark, measure
from ipmdae.lab.protocols import fgdae
from ipmdae.lab.protocols.fgdae import FGDAE

pytestmark = pytest.mark.filterwarnings("ignore:100 of the 105 records:UserWarning")


@cache
def result(method: str, part: int | None = 40) -> Result:
    return FGDAEBenchmark(DATASETS).run(method, part=part)


@pytest.fixture(scope="module")
def ten_seconds(tmp_path_factory: pytest.TempPathFactory) -> TFCDiffBenchmark:
    datasets = tmp_path_factory.mktemp("datasets")
    copy_for_tfcdiff(datasets / qtdb.FOLDER)
    shutil.copytree(NSTDB, datasets / nstdb.FOLDER)
    return TFCDiffBenchmark(datasets)


def test_measures_are_those_of_scipy_on_the_output_less_its_mean() -> None:
    x, z = np.random.default_rng(0).normal(size=(2, 512))
    x -= x.mean()
    y = x + 0.3 * z + 5
    ours, y = measure(x, y, 0.25, fgdae.METRICS), y - y.mean()
    squares = distance.sqeuclidean(x, y)
    assert ours == pytest.approx(
        {
            "rmse": np.sqrt(squares / 512),
            "ssd": squares,
            "mad": distance.chebyshev(x, y),
            "prd_deepfilter": 100 * distance.euclidean(x, y) / np.linalg.norm(y - 0.25),
            "cosine_similarity": 1 - distance.cosine(x, y),
            "snr": 10 * np.log10(np.dot(x, x) / squares),
        }
    )
    assert measure(x, x + 3, 0.0, fgdae.METRICS)["snr"] == np.inf


def test_none_is_scored_on_all_windows_of_both_versions_less_their_means() -> None:
    none, protocol = result("none", None), FGDAE(qtdb_folder=qtdb_folder(), nstdb_folder=NSTDB)
    first, second = (protocol.windows("test", version) for version in (1, 2))
    added = np.concatenate([test.noisy - test.clean for test in (first, second)])
    np.testing.assert_allclose(none["ssd"], 512 * added.var(axis=1), atol=1e-12)
    np.testing.assert_array_equal(np.isinf(none["snr"]), none["factor"] == 0)
    assert none.done == none.total == 2 * len(first)
    some = result("none")
    assert (some.done, some.total) == (80, none.total)
    np.testing.assert_allclose(some["ssd"], none["ssd"][some["item"]])


def qtdb_folder() -> Path:
    return DATASETS / qtdb.FOLDER


def test_windows_of_ten_seconds_are_all_there(ten_seconds: TFCDiffBenchmark) -> None:
    assert ten_seconds.size(None) == 2 * (5 + 90)
    chosen = ten_seconds.units(3)
    assert [window.number for window in chosen] == [0, 94, 189]
    assert {window.record for window in chosen} == {"sel123"}
    assert chosen[0].mean == pytest.approx(ten_seconds.versions[0].clean.mean())


def test_no_model_that_ships_has_seen_a_test_patient() -> None:
    tests = {patient(name) for name in splits.load("deepfilter", "test")}
    for model in model_names():
        card = json.loads((resources.files("ipmdae.weights") / f"{model}.json").read_text())
        split = card["data"]["signal"]["split"]
        seen = (split["training"]["names"] + " " + split["validation"]["names"]).split()
        assert len(seen) == 90
        assert not tests & {patient(name) for name in seen}
    arrhythmia = {f"sel{name}" for name in splits.load("mitdb", "train")}
    assert not tests & arrhythmia


def test_command_writes_the_page_with_published_and_partial_rows(
    ten_seconds: TFCDiffBenchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for protocol, datasets in (("fgdae", DATASETS), ("tfcdiff", ten_seconds.datasets)):
        words = ["run", "--protocol", protocol, "--datasets", str(datasets), "--part", "9"]
        outcome = CliRunner().invoke(
            cli.app, ["benchmark", *words, "--methods", "none,iir,ipmdae-base"]
        )
        assert outcome.exit_code == 0, outcome.output
        assert "iir: SSD" in outcome.output
    page = Path("docs/results/windows.md").read_text(encoding="utf-8")
    none = next(line for line in page.splitlines() if line.startswith("| `none` (18 of "))
    assert none.endswith("| - |")
    assert "| TFCDiff-10, published | 21.522 | 0.308 | 28.202 | 0.957 | 14.10 |" in page
    assert page.count("Differences to `ipmdae-base`") == 2
    assert "equal training\n" not in page
    assert windows.write(Path("nothing"), tmp_path) == []


def test_networks_with_equal_training_are_compared_with_the_papers() -> None:
    """The paper's network has the scores of iir here, the other one those of none."""
    given = {PAPER: result("iir"), "unet+augmented": result("none")}
    rows = [replace(scores, method=name) for name, scores in given.items()]
    page = windows.markdown({"fgdae": [*rows, result("none")], "tfcdiff": []}, {})
    table = page.split(f"Method less `{PAPER}`, on the same windows:")[1].split("\n\n")[1]
    (row,) = (line for line in table.splitlines() if line.startswith("| `"))
    ssd = (result("none")["ssd"] - result("iir")["ssd"]).mean()
    assert row.startswith("| `unet+augmented` (80 of ")
    assert f"| {ssd:.3f} [" in row

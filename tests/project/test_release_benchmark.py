"""Released runs and scores of a benchmark: what they give is what the runs and results give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from excerpts import DATASETS
from trainings import finish

from ipmdae.lab.evaluation import candidates, clinic, reference, results
from ipmdae.lab.evaluation.deepfilter import DeepFilterBenchmark
from ipmdae.lab.evaluation.pages import estimate, mean
from ipmdae.lab.evaluation.training_budget import parse_seed
from ipmdae.lab.training import queue, run
from tools import release_benchmark

pytestmark = pytest.mark.filterwarnings("ignore:100 of the 105 records:UserWarning")

METHOD = "lunet+open"
ROOT = Path(__file__).parents[2]
RELEASE = ROOT / "release"
STORED = sorted(RELEASE.glob("scores/*/*.npz"))


def test_a_released_network_scores_like_its_run_and_takes_half_the_space(tmp_path: Path) -> None:
    runs, release = tmp_path / "results", tmp_path / "release"
    for seed in (0, 1):
        folders = finish(runs, "deepfilter", METHOD, losses=(0.6, 0.5), seed=seed, version=seed)
    release_benchmark.main(["runs", "--runs", str(runs), "--to", str(release)])
    released = [release / "runs" / folder.relative_to(runs) for folder in folders]
    assert len(list(release.glob("runs/deepfilter/*/*/*/weights.safetensors"))) == 4
    assert not list(release.rglob("*.ckpt"))
    before, after = (run.load_network(folders[0], "best"), run.load_network(released[0], "best"))
    for name, tensor in after.state_dict().items():
        torch.testing.assert_close(tensor, before.state_dict()[name], atol=1e-4, rtol=1e-3)
    sizes = [run.checkpoint_path(folder, "best").stat().st_size for folder in (*folders, *released)]
    assert max(sizes[2:]) < 0.6 * min(sizes[:2])

    scored = [
        DeepFilterBenchmark(DATASETS, folder).run(METHOD, part=3)
        for folder in (runs, release / "runs")
    ]
    np.testing.assert_allclose(scored[0]["ssd"], scored[1]["ssd"], rtol=0.01)
    stored = tmp_path / "benchmark" / "deepfilter" / f"{METHOD}.npz"
    results.save(scored[1], stored)
    release_benchmark.main(["scores", "--results", str(stored.parents[1]), "--to", str(release)])
    again = results.load(release / "scores" / "deepfilter" / stored.name)
    assert again["ssd"].dtype == np.float32
    np.testing.assert_allclose(again["ssd"], scored[1]["ssd"], rtol=1e-6)
    np.testing.assert_array_equal(again["record"], scored[1]["record"])
    assert again.network == scored[1].network


def test_a_damaged_released_weight_file_is_told_in_one_line(tmp_path: Path) -> None:
    runs, release = tmp_path / "results", tmp_path / "release"
    (folder, _) = finish(runs, "deepfilter", METHOD)
    target = release / folder.relative_to(runs)
    release_benchmark.release_run(folder, target)
    (target / run.RELEASED_WEIGHTS).write_bytes(b"not safetensors")
    with pytest.raises(ValueError, match=r"weights.safetensors is damaged"):
        run.load_network(target, "best")


@pytest.mark.skipif(not STORED, reason="the folder is not in the source distribution")
@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_scores_are_of_the_released_weights_and_in_the_page(path: Path) -> None:
    result, protocol = results.load(path), path.parent.name
    models = queue.models(protocol)
    networks = candidates.trained(result.method, protocol, RELEASE / "runs", models)
    assert candidates.joint_version(networks) == result.version
    assert result.done == result.total
    method, seed = parse_seed(result.method)
    page = (ROOT / "docs" / "results" / f"{protocol}.md").read_text(encoding="utf-8")
    if seed is None and len(queue.seeds(RELEASE / "runs", protocol, method)) == 1:
        rows = [line for line in page.splitlines() if line.startswith(f"| `{method}`")]
        if protocol == "deepfilter":
            cell = f"| {mean(result['ssd'])} ± "
        elif protocol == "reference":
            cell = f"| {estimate(result.mean('snr', noise=reference.COMMON))} |"
        else:
            cell = f"| {estimate(clinic.mean(result, 'snr_improvement'), 2)} |"
        assert any(cell in row for row in rows)

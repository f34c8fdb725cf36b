"""Released networks of the benchmark belong to their scores, and the page has these scores."""

from __future__ import annotations

from pathlib import Path

import pytest

from ipmdae.lab.evaluation import candidates, results
from ipmdae.lab.evaluation.pages import mean
from ipmdae.lab.evaluation.training_budget import parse_seed
from ipmdae.lab.training import queue

ROOT = Path(__file__).parents[2]
RELEASE = ROOT / "release"
STORED = sorted(RELEASE.glob("scores/*/*.npz"))

pytestmark = pytest.mark.skipif(not STORED, reason="the release folder is not in a package")


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
        assert any(f"| {mean(result['ssd'])} ± " in row for row in rows)

"""Released runs and scores of a benchmark: what they give is what the runs and results give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from excerpts import DATASETS
from trainings import finish

from ipmdae.lab.evaluation import (
    candidates,
    clinic,
    clinic_page,
    deepfilter_page,
    reference,
    results,
)
from ipmdae.lab.evaluation.deepfilter import DeepFilterBenchmark
from ipmdae.lab.evaluation.pages import estimate, mean
from ipmdae.lab.evaluation.training_budget import parse_seed
from ipmdae.lab.training import queue, run
from tools import release_benchmark, run_card

pytestmark = pytest.mark.filterwarnings("ignore:100 of the 105 records:UserWarning")

METHOD = "lunet+open"
ROOT = Path(__file__).parents[2]
RELEASE = ROOT / "release"
STORED = sorted(RELEASE.glob("scores/*/*.npz"))
RUNS = sorted(path.parent for path in RELEASE.glob("runs/**/run.json"))


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


@pytest.mark.skipif(not RUNS, reason="the folder is not in the source distribution")
@pytest.mark.parametrize("folder", RUNS, ids=lambda path: str(path.relative_to(RELEASE)))
def test_each_released_run_has_its_card(folder: Path) -> None:
    assert (folder / run_card.CARD_FILE).read_text(encoding="utf-8") == run_card.text(folder)


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


def _verdict(cell: str, sign: int = 1) -> str:
    """Verdict by a difference ``mean [low, high]`` in a table; empty where an end rounds to 0."""
    low, high = sorted(sign * float(end) for end in cell.split("[")[1].rstrip("]").split(", "))
    if 0 in (low, high):
        return ""
    return "better" if low > 0 else "worse" if high < 0 else "not decided"


def _sentence(page: str, title: str) -> dict[str, list[str]]:
    """Names by verdict in the sentence about a measure below a table of differences."""
    begin = page.index(f"- {title}, by differences whose interval excludes zero: ")
    told = page[begin : page.index(".\n", begin)].partition("zero: ")[2]
    parts = [part.split("`") for part in told.split("; ")]
    return {
        next(v for v in ("better", "worse", "not decided") if v in part[0]): part[1::2]
        for part in parts
        if not part[0].startswith("all others")
    }


@pytest.mark.slow
@pytest.mark.skipif(not STORED, reason="the folder is not in the source distribution")
def test_sentences_below_the_tables_of_differences_agree_with_them() -> None:
    leads = clinic_page.markdown(results.load_all(RELEASE / "scores" / "clinic", ()), [], None)
    rows = leads.partition("## Equal training")[2].partition("## ")[0].splitlines()
    table = [row.strip("| ").split(" | ") for row in rows if row.startswith("| `")]
    table = [row for row in table if row[-1] != "-"]
    assert len(table) >= 8
    for title, cell in (("SNR improvement (dB)", 5), ("SNR improvement above 0.5 Hz (dB)", 6)):
        told = _sentence(leads, title)
        for row in table:
            verdict = _verdict(row[cell])
            assert not verdict or row[0].split("`")[1] in told[verdict]
    scores = results.load_all(RELEASE / "scores" / "deepfilter", ())
    beats = deepfilter_page.markdown(scores, None)
    assert (
        "Standard deviation of the mean SSD over training seeds, mV²: `ipmdae-beat` 0.087" in beats
    )
    by_measure = {title: _sentence(beats, title) for title in ("SSD", "CosSim")}
    alike = beats.partition("Networks with the same training pairs")[2].partition("Effect of")[0]
    compared = [row for row in alike.splitlines() if row.startswith("| `")]
    assert len(compared) >= 15
    for line in compared:
        name, ssd, cosine = line.strip("| ").split(" | ")
        for title, verdict in (("SSD", _verdict(ssd, -1)), ("CosSim", _verdict(cosine))):
            found = [v for v, names in by_measure[title].items() if name.split("`")[1] in names]
            assert not verdict or found == ([] if verdict == "worse" else [verdict]), line

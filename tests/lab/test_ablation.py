"""The ablation study: variants differ in what they say, runs go on, one page comes out."""

from __future__ import annotations

from math import nan
from pathlib import Path

import numpy as np
import pytest
import torch
from excerpts import DATASETS
from torch import Tensor, nn

from ipmdae.lab.evaluation.ablation import SCORE_FILE, Study, compare, score
from ipmdae.lab.networks import registry
from ipmdae.lab.networks.complexity import measure
from ipmdae.lab.nn.mf_ipm import MFIPM
from ipmdae.lab.protocols import Pair
from ipmdae.lab.training import queue, run, variants
from ipmdae.lab.training.variants import BASE, VARIANTS, ForwardOnly, Variant
from tools import ablation as command

MODEL = "ipmdae-nano"


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_every_variant_of_every_network_of_ours_cleans_and_learns(variant: Variant) -> None:
    for model in ("ipmdae-small", MODEL):
        network = variant.build(model)
        windows = torch.randn(2, 130, 1)
        output = network(windows)
        assert output.shape == (2, 130, 2)
        output.square().mean().backward()
        assert all(p.grad is not None for p in network.parameters() if p.requires_grad)


def test_a_variant_differs_from_the_base_in_something() -> None:
    assert VARIANTS[0] is BASE
    assert BASE.build(MODEL).architecture == registry.architecture(MODEL)
    for variant in VARIANTS[1:]:
        assert variant.architecture or variant.network or variant.recipe or variant.protocol
    assert len({variant.name for variant in VARIANTS}) == len(VARIANTS)
    with pytest.raises(ValueError, match="unknown variant 'other'; there are: base, every-skip"):
        variants.get("other")


def test_what_is_left_out_costs_nothing() -> None:
    base = measure(BASE.build("ipmdae-small"), 500)
    for name in ("no-mamba", "forward-only", "kernel-3"):
        cost = measure(variants.get(name).build("ipmdae-small"), 500)
        assert cost.parameters < base.parameters
        assert cost.multiply_accumulates < base.multiply_accumulates
    shared = measure(variants.get("shared-state").build("ipmdae-small"), 500)
    assert shared.parameters < base.parameters
    assert shared.multiply_accumulates == base.multiply_accumulates


@pytest.mark.parametrize("kind", [MFIPM, ForwardOnly])
def test_forward_alone_does_not_know_what_comes(kind: type[MFIPM]) -> None:
    module = kind(registry.architecture("ipmdae-small"), 2)
    x = torch.randn(1, 20, 14)
    later = x.clone()
    later[:, 10:] += 1
    with torch.inference_mode():
        same = torch.allclose(module._bidirectional(x, 0)[:, :10],
                              module._bidirectional(later, 0)[:, :10])  # fmt: skip
    assert same == (kind is ForwardOnly)


def test_shared_state_matrices_stay_shared_in_training() -> None:
    network = variants.get("shared-state").build("ipmdae-small")
    optimizer = torch.optim.SGD(network.parameters(), lr=10.0)
    network(torch.randn(2, 130, 1)).square().mean().backward()
    optimizer.step()
    for module in network.modules():
        if isinstance(module, MFIPM):
            first, *others = module.A_log_forward
            assert all(torch.equal(first, other) for other in others)


class Gain(nn.Module):
    """Gives its input times ``gain``."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain

    def forward(self, noisy: Tensor) -> Tensor:
        return noisy * self.gain


@pytest.fixture
def validation() -> Pair:
    """A window with noise at 6 dB, and one without."""
    rng = np.random.default_rng(0)
    clean = rng.standard_normal((2, 400, 1)).astype(np.float32)
    noise = rng.standard_normal((400, 1)).astype(np.float32)
    return np.stack([clean[0] + 0.5 * noise, clean[1]]), clean


def test_scores_tell_windows_with_noise_from_those_without(validation: Pair) -> None:
    nothing = score(Gain(1.0), validation)
    assert nothing.improvement == pytest.approx(0)
    assert nothing.kept > 60
    half = score(Gain(0.5), validation)
    assert half.kept == pytest.approx(20 * np.log10(2), abs=0.01)
    assert half.improvement < 0
    assert half.loss > nothing.loss
    noisy, clean = validation
    assert np.isnan(score(Gain(1.0), (noisy[:1], clean[:1])).kept)


def test_differences_are_judged_by_one_spread() -> None:
    found = compare([[1.0, 1.2], [-1.0, -1.2], [0.1, -0.1], [nan, 1.0]])
    assert found[0].error == pytest.approx(np.sqrt(3 * 0.02 / 3 / 2))
    assert [c.verdict for c in found] == ["helped", "hurt", "not significant", "diverged"]
    assert compare([[1.0], [2.0]])[0].verdict == "one seed: open"


def flags(folder: Path, *more: str) -> list[str]:
    return [
        *(f"--datasets={DATASETS}", f"--results={folder / 'runs'}", f"--use_model={MODEL}"),
        *(f"--output={folder / 'page.md'}", "--epochs=1", "--steps=1", "--batch_size=4"),
        *more,
    ]


@pytest.mark.slow
def test_a_study_goes_on_where_it_stopped_and_writes_one_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(FileNotFoundError, match="no score of the base with these seeds"):
        command.main(flags(tmp_path, "--report"))
    command.main(flags(tmp_path, "--variants", "base", "--seeds", "0"))
    assert "one seed" not in (tmp_path / "page.md").read_text(encoding="utf-8")

    capsys.readouterr()
    command.main(flags(tmp_path, "--variants", "base", "shared-state", "--seeds", "0", "1"))
    told = capsys.readouterr().out
    assert told.count("(already)") == 1
    assert "4 of 4: shared-state, seed 1:" in told

    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert [row[0] for row in rows] == ["| `base`", "| `shared-state`"]
    assert rows[0][6:8] == ["-", "-"]
    assert rows[1][2] < rows[0][2]
    assert "±" in rows[1][6]
    assert "--variants base shared-state --seeds 0 1 --epochs 1 --steps 1 --batch_size 4" in page

    before = page
    command.main(flags(tmp_path, "--report", "--seeds", "0", "1"))
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == before


def test_the_budget_is_counted_in_steps(tmp_path: Path) -> None:
    study = Study(datasets=DATASETS, results=tmp_path, model=MODEL, epochs=1, steps=2, batch_size=3)
    machine = run.machine(gpu=None, devices=1, workers=0)
    summary, _ = queue.work(study.job(BASE, seed=0), machine)
    assert summary.windows_seen == 6


def test_a_score_that_is_damaged_or_of_another_network_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study(datasets=DATASETS, results=tmp_path, model=MODEL, epochs=1, steps=1, batch_size=2)
    machine = run.machine(gpu=None, devices=1, workers=0)
    study.work(BASE, 0, machine)
    path = tmp_path / "base" / "version_0" / SCORE_FILE
    with monkeypatch.context() as patched:
        patched.setitem(registry.ARCHITECTURES, MODEL, registry.architecture("ipmdae-small"))
        with pytest.raises(ValueError, match="version_0 is of another network than ipmdae-nano"):
            study.stored(BASE, 0)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match=r"ablation\.json is damaged"):
        study.stored(BASE, 0)

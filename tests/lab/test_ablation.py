"""The ablation study: variants differ in what they say, runs go on, one page comes out."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from pathlib import Path

import numpy as np
import pytest
import torch
from excerpts import DATASETS
from scipy.stats import t
from torch import Tensor, nn

from ipmdae.engine.complexity import multiply_accumulates
from ipmdae.lab.evaluation.ablation import SCORE_FILE, Comparison, Study, compare, score
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
        assert output.shape == (2, 130, network.architecture.outputs)
        output.square().mean().backward()
        assert all(p.grad is not None for p in network.parameters() if p.requires_grad)


def test_a_variant_differs_from_the_base_in_something() -> None:
    assert VARIANTS[0] is BASE
    assert BASE.build(MODEL).architecture == registry.architecture(MODEL)
    for variant in VARIANTS[1:]:
        assert variant.architecture or variant.network or variant.recipe or variant.protocol
    assert len({variant.name for variant in VARIANTS}) == len(VARIANTS)
    with pytest.raises(ValueError, match="unknown variant 'other'; there are: base, no-mamba"):
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


@pytest.mark.parametrize("name", ["convolution", "lstm"])
@pytest.mark.parametrize("model", ["ipmdae-nano", "ipmdae-small", "ipmdae-base"])
def test_a_block_in_place_of_mamba_costs_about_the_same(name: str, model: str) -> None:
    replaced = variants.get(name).build(model)
    mamba = multiply_accumulates(replaced.architecture, 640)["mamba"]
    base, other = (measure(network, 640) for network in (BASE.build(model), replaced))
    assert abs(other.multiply_accumulates - base.multiply_accumulates) < 0.1 * mamba
    assert not any("A_log" in key or "mamba_forward.D" in key for key in replaced.state_dict())


@pytest.mark.parametrize(("factor", "channels"), [(0.7, (8, 14, 20, 28, 40, 56)),
                                                  (1.4, (17, 28, 40, 56, 80, 112))])  # fmt: skip
def test_a_width_keeps_the_branches(factor: float, channels: tuple[int, ...]) -> None:
    architecture = variants.get(f"width-{factor}").build("ipmdae-small").architecture
    assert architecture == replace(registry.architecture("ipmdae-small"), channels=channels)


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
    nothing = score(Gain(1.0), validation, validation)
    assert nothing.improvement == pytest.approx(0)
    assert nothing.kept > 60
    half = score(Gain(0.5), validation, validation)
    assert half.kept == pytest.approx(20 * np.log10(2), abs=0.01)
    assert half.improvement < 0
    assert half.loss > nothing.loss
    noisy, clean = validation
    noise = noisy[:1], clean[:1]
    assert np.isnan(score(Gain(1.0), noise, noise).kept)


class WithoutOffset(nn.Module):
    """Subtracts a slow sine of 0.1 Hz from its input."""

    def forward(self, noisy: Tensor) -> Tensor:
        return noisy - slow(noisy.shape[1])


def slow(samples: int) -> Tensor:
    return 5 * torch.sin(2 * np.pi * 0.1 * torch.arange(samples) / 250)[:, None]


def test_baseline_wander_of_the_targets_does_not_count_above_half_a_hertz() -> None:
    rng = np.random.default_rng(0)
    clean = rng.standard_normal((2, 2500, 1)).astype(np.float32)
    noisy = clean + rng.standard_normal(clean.shape).astype(np.float32)
    clean += slow(2500).numpy()
    noisy += slow(2500).numpy()
    scores = score(WithoutOffset(), (noisy, clean), (noisy, clean))
    assert scores.improvement < -5
    assert scores.above == scores.rhythms == pytest.approx(0, abs=0.05)


def test_differences_are_judged_by_one_residual_of_all_runs() -> None:
    rng = np.random.default_rng(0)
    table = rng.standard_normal((5, 4)) * 0.1 + np.arange(5)[:, None] + 3 * np.arange(4)
    base, *others = ({seed: float(x) for seed, x in enumerate(row)} for row in table)
    residual = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    found = compare(base, others)
    assert found[0].freedom == 4 * 3
    assert found[0].error == pytest.approx(np.sqrt((residual**2).sum() / 12 * 2 / 4))
    low, high = t.interval(0.95, 12, found[1].mean, found[1].error)
    assert found[1].half_width == pytest.approx((high - low) / 2)
    again = compare(base, [*others, {0: nan, 1: 1.0}])
    assert again[-1].verdict == "diverged"
    assert again[0].error == pytest.approx(found[0].error)


def test_unequal_variances_are_not_pooled() -> None:
    base = dict.fromkeys(range(3), 0.0)
    steady, erratic = {0: 0.50, 1: 0.51, 2: 0.52}, {0: -3.0, 1: 0.0, 2: 4.0}
    found = compare(base, [steady, erratic])
    assert [comparison.verdict.partition(",")[0] for comparison in found] == ["helps", "undecided"]
    assert found[0].freedom == 2
    low, high = t.interval(0.95, 2, 0.51, 0.01 / np.sqrt(3))
    assert found[0].half_width == pytest.approx((high - low) / 2)
    alike = compare(base, [{0: 0.5, 1: -0.4, 2: 0.1}, {0: -0.3, 1: 0.4, 2: 0.6}])
    assert alike[0].freedom == 4


def test_a_difference_is_decided_or_bounded() -> None:
    differences = np.array([0.3, 0.5])
    verdicts = [Comparison(x, 0.1, 10).verdict for x in (differences, -differences)]
    assert verdicts == ["helps", "hurts"]
    assert Comparison(differences - 0.5, 0.1, 10).verdict == "undecided, -0.32 to +0.12 dB"
    assert compare({0: 1.0}, [{0: 2.0}])[0].verdict == "one seed: open"


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
    assert [row[0] for row in rows] == ["| `shared-state`", "| `base`", "| `shared-state`"]
    assert all("±" in rows[0][column] for column in (1, 3, 5))
    assert rows[2][2] < rows[1][2]
    assert "--variants base shared-state --seeds 0 1 --epochs 1 --steps 1 --batch_size 4" in page

    before = page
    command.main(flags(tmp_path, "--report", "--seeds", "0", "1"))
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == before


def test_the_page_is_that_of_the_released_scores(tmp_path: Path) -> None:
    page = Path("docs", "results", "ablation.md").read_text(encoding="utf-8")
    budget = page.split("--variants ")[1].split(" --output")[0].split()
    model = page.split("--use_model ")[1].split()[0]
    written = tmp_path / "page.md"
    paths = (f"--results={Path('release', 'ablation')}", f"--output={written}")
    command.main(["--report", *paths, f"--use_model={model}", "--variants", *budget])
    text = written.read_text(encoding="utf-8")
    assert text.replace(str(written), "docs/results/ablation.md") == page


def test_a_study_stops_in_time_and_needs_its_databases(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command.main(flags(tmp_path, "--variants", "base", "--minutes", "0"))
    assert "out of time" in capsys.readouterr().out
    assert not (tmp_path / "page.md").exists()
    with pytest.raises(FileNotFoundError, match="ipmdae download"):
        command.main(flags(tmp_path, "--variants", "base", "rhythms"))
    assert not (tmp_path / "runs" / "base").exists()


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

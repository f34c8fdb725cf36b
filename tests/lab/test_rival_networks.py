"""The networks of others: shapes, counts as published, and that each learns by its own loss."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ipmdae.architecture import Architecture
from ipmdae.engine import complexity as by_architecture
from ipmdae.lab import networks
from ipmdae.lab.networks import registry
from ipmdae.lab.networks.base import LeadNetwork
from ipmdae.lab.networks.complexity import measure
from ipmdae.lab.networks.descod import DeScoD
from ipmdae.lab.networks.tcdae import attention, spectral_correlation
from ipmdae.lab.nn.ipm_dae import UltralightIPMDAE
from ipmdae.lab.training import losses
from ipmdae.lab.training import recipe as recipes
from ipmdae.lab.training.module import DenoisingModule

ALL = [*networks.NAMES]


def network(name: str) -> LeadNetwork:
    """A network with fixed weights; of the diffusion model a narrow one, which is quick.

    Its last layer is made small: of what it tells, a part of each of 50 steps is amplified.
    """
    torch.manual_seed(0)
    if name != "descod":
        return networks.build(name)
    model = DeScoD(features=8)
    with torch.no_grad():
        model.denoiser.last.weight *= 0.01
    return model


def beats(count: int = 2, time: int = 128) -> tuple[Tensor, Tensor]:
    """Windows (count, time, 1) of a drawn beat with wander, and without it."""
    at = torch.linspace(0, 1, time)
    waves = ((0.3, 0.03, 0.2), (0.45, 0.012, 1.2), (0.7, 0.05, 0.3))
    beat = sum(height * torch.exp(-(((at - place) / width) ** 2)) for place, width, height in waves)
    assert isinstance(beat, Tensor)
    clean = torch.stack([beat * (1 + 0.3 * n) for n in range(count)])
    wander = torch.stack([torch.sin(3 * at + n) for n in range(count)])
    return (clean + wander).unsqueeze(2), clean.unsqueeze(2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 77, 1), (2, 130, 2)])
def test_any_length_and_number_of_leads_comes_back_in_its_shape(
    name: str, shape: tuple[int, ...]
) -> None:
    noisy = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        cleaned = network(name).eval()(noisy)
    assert cleaned.shape == noisy.shape
    assert cleaned.isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_leads_and_windows_do_not_see_each_other(name: str) -> None:
    noisy, _ = beats()
    clean_alone = network(name).eval()
    with torch.inference_mode():
        together = clean_alone(torch.cat([noisy[:1], noisy[1:]], dim=2))
        for lead in range(2):
            alone = clean_alone(noisy[lead : lead + 1])
            torch.testing.assert_close(together[..., lead], alone[..., 0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shape", [(2, 64), (2, 0, 1), (2, 64, 0)])
def test_what_are_no_windows_is_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"shape \(batch, time, leads\)"):
        network(name)(torch.zeros(shape))


#: Weights, and multiply-accumulates for 512 samples in millions.
COUNTS = {
    "fcn-dae": (80_223, 7.89),
    "drnn": (25_537, 12.75),
    "deepfilter": (68_719, 34.85),
    "unet": (461_649, 52.64),
    "lunet": (23_749, 3.82),
    "acdae": (151_306, 9.79),
    "tcdae": (1_001_985, 89.88),
    "mecg-e": (622_441, 812.5),  # published: 0.62 M, 0.81 G
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COUNTS)
def test_size_and_cost(name: str) -> None:
    found = measure(networks.build(name), 512)
    assert found.parameters == COUNTS[name][0]
    assert found.multiply_accumulates / 1e6 == pytest.approx(COUNTS[name][1], abs=0.05)


@pytest.mark.slow
def test_a_shot_of_the_diffusion_model_costs_what_is_published() -> None:
    found = measure(networks.build("descod"), 32)
    assert 16 * found.multiply_accumulates / 1e9 == pytest.approx(39, abs=0.2)
    unused_block = 80 * 20 * (3 + 5 + 9 + 15) + 2 * 80 * 80 * 9 + 3 * 80
    assert found.parameters + 2 * unused_block == 1_926_321  # published: 1.93 M
    one, ten = (measure(DeScoD(shots=n, features=8), 32).multiply_accumulates for n in (1, 10))
    assert ten == 10 * one


def test_sizes_follow_from_the_papers_layers() -> None:
    channels = [1, 40, 20, 20, 20, 40, 1, 1, 40, 20, 20, 20, 40, 1]
    taps = sum(16 * a * b + b for a, b in pairwise(channels))
    assert taps + 2 * sum(channels[1:-1]) == COUNTS["fcn-dae"][0]
    lstm = 4 * 64 * (1 + 64 + 2)
    assert lstm + 2 * (64 * 64 + 64) + 65 == COUNTS["drnn"][0]


@pytest.mark.parametrize("name", ["fcn-dae", "unet", "acdae"])
def test_cost_is_that_of_torchs_own_counter(name: str) -> None:
    built = networks.build(name).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        built(torch.zeros(1, 512, 1))
    found = measure(built, 512)
    assert found.multiply_accumulates == counter.get_total_flops() // 2
    assert built.training is False


def test_counting_leaves_nothing_behind_and_agrees_with_the_count_by_architecture() -> None:
    architecture = Architecture(leads=1, channels=(8, 16), branches=(0,))
    ours = UltralightIPMDAE(architecture)
    expected = sum(by_architecture.multiply_accumulates(architecture, 64).values())
    assert measure(ours, 64).multiply_accumulates == expected
    assert measure(ours, 64).multiply_accumulates == expected
    assert ours.training
    assert not any(module._forward_hooks for module in ours.modules())


#: By how much so many steps on one batch divide the loss, at least.
LEARNS = {
    "fcn-dae": (30, 4.0),
    "drnn": (60, 3.0),
    "deepfilter": (40, 2.0),
    "unet": (20, 5.0),
    "lunet": (40, 4.0),
    "acdae": (30, 4.0),
    "tcdae": (20, 3.0),
    "descod": (60, 1.5),
    "mecg-e": (12, 2.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_one_batch_is_learnt_by_heart(name: str) -> None:
    noisy, clean = beats(time=64)
    learner = network(name).train()
    optimizer = torch.optim.Adam(learner.parameters(), lr=5e-3)
    torch.manual_seed(1)
    found = []
    steps, factor = LEARNS[name]
    for _ in range(steps):
        loss = learner.loss(noisy, clean)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        found.append(loss.item())
    assert np.mean(found[-5:]) < np.mean(found[:2]) / factor
    assert all(parameter.grad is not None for parameter in learner.parameters())


@pytest.mark.parametrize(("name", "own"), [("lunet", False), ("deepfilter", True)])
def test_the_loss_of_the_recipe_trains_networks_that_come_with_none(name: str, own: bool) -> None:
    noisy, clean = beats(time=64)
    learner = network(name).eval()
    module = DenoisingModule(learner, recipes.get("leads"))
    expected = learner.loss(noisy, clean) if own else losses.local(learner(noisy), clean)
    assert module.training_step((noisy, clean), 0) == expected


@pytest.mark.slow
def test_diffusion_draws_alike_each_time_and_validates_without_chance() -> None:
    noisy, clean = beats()
    model = network("descod").eval()
    with torch.inference_mode():
        assert torch.equal(model(noisy), model(noisy))
        assert torch.equal(model.loss(noisy, clean), model.loss(noisy, clean))
        assert model.train().loss(noisy, clean) != model.loss(noisy, clean)


@pytest.mark.slow
def test_more_shots_are_the_mean_of_different_draws() -> None:
    noisy, _ = beats(count=1, time=32)
    model = network("descod").eval()
    assert isinstance(model, DeScoD)
    with torch.inference_mode():
        one = model(noisy)
        model.shots = 3
        assert not torch.equal(model(noisy), one)
        signal = model.lead_by_lead(noisy)
        draws = [model._draw(signal, shot) for shot in range(3)]
        torch.testing.assert_close(model.clean(signal), (draws[0] + draws[1] + draws[2]) / 3)


def test_attention_in_bfloat16_is_that_of_float32_but_for_rounding() -> None:
    generator = torch.Generator().manual_seed(0)
    heads = torch.randn(3, 2, 8, 20, 64, generator=generator).requires_grad_()
    exact = attention(*heads)
    rounded = attention(*heads.bfloat16())
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), exact, rtol=0.02, atol=0.02)
    gradients = [torch.autograd.grad(y.float().square().sum(), heads)[0] for y in (exact, rounded)]
    torch.testing.assert_close(gradients[1], gradients[0], rtol=0.05, atol=0.05)


def test_spectra_of_like_signals_correlate() -> None:
    _, clean = beats()
    correlation = spectral_correlation(clean, 2 * clean)
    torch.testing.assert_close(correlation, torch.ones_like(correlation), rtol=1e-4, atol=1e-4)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    assert spectral_correlation(clean, noise).abs().max() < 0.5


def test_the_registry_builds_them_all_and_names_them_where_one_is_unknown() -> None:
    assert set(networks.NAMES) < set(registry.names())
    assert isinstance(registry.build("unet", 2), LeadNetwork)
    with pytest.raises(ValueError, match="ipmdae-beat, fcn-dae, drnn"):
        registry.build("nothing")
    with pytest.raises(ValueError, match="fcn-dae, drnn"):
        networks.build("Ultralight_IPM_DAE")

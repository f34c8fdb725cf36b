"""Ours on single beats."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ipmdae.lab.evaluation.network import multiply_accumulates
from ipmdae.lab.networks import registry
from ipmdae.lab.networks.ipmdae_beat import BeatIPMDAE


def beats(count: int) -> tuple[Tensor, Tensor]:
    """Beats under slow wander and far from zero, noisy and clean, (count, 512, 1)."""
    torch.manual_seed(1)
    time = torch.linspace(-1, 1, 512)
    clean = torch.rand(count, 1) * torch.exp(-((time / 0.05) ** 2))
    wander = torch.randn(count, 1) * torch.sin(2 * time + torch.rand(count, 1)) + 3
    return (clean + wander)[..., None], clean[..., None]


@pytest.fixture
def network() -> BeatIPMDAE:
    torch.manual_seed(0)
    built = registry.build(registry.BEAT)
    assert isinstance(built, BeatIPMDAE)
    return built.eval()


def test_neither_gain_nor_offset_of_the_recorder_matters(network: BeatIPMDAE) -> None:
    noisy, _ = beats(3)
    with torch.inference_mode():
        cleaned = network(noisy)
        other = network(2.5 * noisy - 7)
    assert cleaned.shape == noisy.shape
    torch.testing.assert_close(other, 2.5 * cleaned, rtol=1e-3, atol=1e-4)


def test_a_flat_beat_comes_back_finite(network: BeatIPMDAE) -> None:
    with torch.inference_mode():
        cleaned = network(torch.full((1, 512, 1), 4.2))
    assert torch.isfinite(cleaned).all()


@pytest.mark.slow
def test_it_learns_to_take_off_wander_and_offset(network: BeatIPMDAE) -> None:
    noisy, clean = beats(16)
    optimizer = torch.optim.AdamW(network.train().parameters(), 4e-3)
    before = float(network.loss(noisy, clean).detach())
    for _ in range(40):
        optimizer.zero_grad()
        network.loss(noisy, clean).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert float(network.loss(noisy, clean).detach()) < before / 4


def test_a_beat_costs_less_than_a_tenth_of_a_giga_mac(network: BeatIPMDAE) -> None:
    assert multiply_accumulates(network, 512, 1) < 0.1e9

"""What training minimises."""

from __future__ import annotations

import math

import pytest
import torch

from ipmdae.lab.training import losses


def clean(windows: int = 3) -> torch.Tensor:
    return torch.randn(windows, 500, 1, generator=torch.Generator().manual_seed(0))


def test_relative_loss_weighs_windows_of_any_size_alike() -> None:
    x, error = clean(), 0.1 * clean().flip(1)
    once = losses.relative(x + error, x)
    assert losses.relative(5 * (x + error), 5 * x).item() == pytest.approx(once.item(), rel=1e-3)


def test_relative_loss_is_the_relative_error_and_that_of_the_slope() -> None:
    x = clean()
    assert losses.relative(1.1 * x, x).item() == pytest.approx(0.1 * 1.25, rel=0.02)


def test_a_flat_target_and_no_error_have_a_gradient() -> None:
    output = torch.zeros(2, 50, 1, requires_grad=True)
    losses.relative(output, torch.zeros(2, 50, 1)).backward()  # type: ignore[no-untyped-call]
    assert output.grad is not None
    assert torch.isfinite(output.grad).all()


def test_the_likelihood_is_least_at_the_true_deviation() -> None:
    x = torch.zeros(4, 20000, 1)
    error = 0.3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))

    def loss(log_deviation: float) -> float:
        stated = torch.full_like(x, log_deviation)
        return losses.relative(torch.cat([x + error, stated], dim=2), x).item()

    true = math.log(0.3)
    assert loss(true) < min(loss(true - 0.2), loss(true + 0.2))


def test_the_uncertainty_does_not_move_what_is_cleaned() -> None:
    x, output = clean(), clean().flip(1).requires_grad_()
    losses.relative(output, x).backward()  # type: ignore[no-untyped-call]
    assert output.grad is not None
    alone = output.grad.clone()
    output.grad = None
    stated = torch.full_like(x, -2.0).requires_grad_()
    losses.relative(torch.cat([output, stated], dim=2), x).backward()  # type: ignore[no-untyped-call]
    assert stated.grad is not None
    torch.testing.assert_close(output.grad, alone)
    assert stated.grad.abs().sum() > 0

"""Scans for the tests: random inputs, and how a kernel is compared with the torch loop."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ipmdae.lab.nn.scan import selective_scan


def inputs(batch: int, length: int, d: int, n: int, dtype: torch.dtype) -> list[Tensor]:
    """u, delta, A, B, C, D, the same for the same sizes."""
    generator = torch.Generator().manual_seed(batch * length * d * n)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype)

    u, delta = normal(batch, length, d), torch.nn.functional.softplus(normal(batch, length, d) - 2)
    A = -torch.exp(normal(d, n))
    return [u, delta, A, normal(batch, length, n), normal(batch, length, n), normal(d)]


def assert_agrees_with_float64(
    scan: Callable[..., Tensor], sizes: tuple[int, int, int, int], device: str = "cpu"
) -> None:
    """Output and gradients of a scan of float32 are those of the torch loop in float64."""
    oracle = [tensor.requires_grad_() for tensor in inputs(*sizes, torch.float64)]
    single = [tensor.detach().float().to(device).requires_grad_() for tensor in oracle]
    expected, y = selective_scan(*oracle, backend="torch"), scan(*single)
    weight = torch.linspace(-1, 1, y.numel()).reshape(y.shape)
    (expected * weight.double()).sum().backward()  # type: ignore[no-untyped-call]
    (y * weight.to(device)).sum().backward()  # type: ignore[no-untyped-call]
    assert_near(y, expected, 1e-5)
    for ours, theirs in zip(single, oracle, strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        assert_near(ours.grad, theirs.grad, 2e-5)


def assert_near(result: Tensor, expected: Tensor, bound: float) -> None:
    """Within ``bound`` of the largest value, or of 1: terms of a sum that cancel are about that."""
    assert result.dtype == torch.float32
    assert result.shape == expected.shape
    error = (result.detach().cpu().double() - expected.detach()).abs().max()
    assert float(error) <= bound * max(1.0, float(expected.detach().abs().max()))

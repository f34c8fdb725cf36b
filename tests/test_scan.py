"""The differentiable scan: its backends agree, and its gradients are those of the equations."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ipmdae import native
from ipmdae.nn.scan import selective_scan

needs_native = pytest.mark.skipif(not native.available(), reason="the native library is not built")


def inputs(batch: int, length: int, d: int, n: int, dtype: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(batch * length * d * n)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype)

    u, delta = normal(batch, length, d), torch.nn.functional.softplus(normal(batch, length, d) - 2)
    A = -torch.exp(normal(d, n))
    return [u, delta, A, normal(batch, length, n), normal(batch, length, n), normal(d)]


def by_the_equations(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor
) -> Tensor:
    """The closed form y_t = Σ_s C_t · exp(A Σ_{s < r ≤ t} Δ_r) Δ_s B_s u_s + D u_t."""
    y = torch.empty_like(u)
    for t in range(u.shape[1]):
        total = D * u[:, t]
        for s in range(t + 1):
            decay = torch.exp(delta[:, s + 1 : t + 1].sum(1).unsqueeze(-1) * A)
            weight = (C[:, t] * B[:, s]).unsqueeze(1) * decay
            total = total + weight.sum(-1) * delta[:, s] * u[:, s]
        y[:, t] = total
    return y


def test_torch_backend_is_the_closed_form() -> None:
    arguments = inputs(2, 9, 5, 3, torch.float64)
    torch.testing.assert_close(
        selective_scan(*arguments, backend="torch"), by_the_equations(*arguments)
    )


def test_torch_backend_passes_gradcheck() -> None:
    arguments = [tensor.requires_grad_() for tensor in inputs(2, 6, 3, 2, torch.float64)]
    assert torch.autograd.gradcheck(lambda *a: selective_scan(*a, backend="torch"), arguments)


@needs_native
@settings(deadline=None, max_examples=25)
@given(
    batch=st.integers(1, 3),
    length=st.integers(1, 90),
    d=st.integers(1, 70),
    n=st.integers(1, 20),
)
def test_native_backend_and_its_gradients_agree_with_float64(
    batch: int, length: int, d: int, n: int
) -> None:
    oracle = [tensor.requires_grad_() for tensor in inputs(batch, length, d, n, torch.float64)]
    single = [tensor.detach().float().requires_grad_() for tensor in oracle]
    expected = selective_scan(*oracle, backend="torch")
    y = selective_scan(*single, backend="native")
    torch.testing.assert_close(
        y, expected.float(), rtol=1e-4, atol=1e-5 * float(expected.detach().abs().max())
    )

    weight = torch.linspace(-1, 1, y.numel()).reshape(y.shape)
    (expected * weight.double()).sum().backward()
    (y * weight).sum().backward()
    for ours, theirs in zip(single, oracle, strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        scale = float(theirs.grad.abs().max()) + 1e-6
        assert float((ours.grad - theirs.grad).abs().max()) <= 2e-5 * scale


@needs_native
def test_native_operator_is_registered_correctly() -> None:
    arguments = tuple(t.requires_grad_() for t in inputs(2, 7, 5, 3, torch.float32))
    torch.library.opcheck(torch.ops.ipmdae.selective_scan.default, arguments)


@needs_native
def test_native_backend_takes_views() -> None:
    u, delta, A, B, C, D = inputs(2, 8, 6, 4, torch.float32)
    reversed_views = [tensor.flip(1).flip(1)[:, ::1] for tensor in (u, delta)]
    strided = torch.stack([B, C], dim=-1)
    y = selective_scan(*reversed_views, A, strided[..., 0], strided[..., 1], D, backend="native")
    torch.testing.assert_close(y, selective_scan(u, delta, A, B, C, D, backend="torch"))


@needs_native
def test_low_precision_is_computed_in_float32_and_given_back() -> None:
    arguments = inputs(2, 20, 6, 4, torch.float32)
    low = [tensor.bfloat16() for tensor in arguments]
    y = selective_scan(*low)
    assert y.dtype == torch.bfloat16
    expected = selective_scan(*(tensor.float() for tensor in low), backend="torch")
    torch.testing.assert_close(y.float(), expected, rtol=1e-2, atol=1e-2)


def test_unknown_backend_is_refused() -> None:
    with pytest.raises(ValueError, match="auto, native, torch"):
        selective_scan(*inputs(1, 2, 2, 2, torch.float32), backend="cuda")


def test_native_backend_refuses_float64() -> None:
    with pytest.raises(ValueError, match="at most float32"):
        selective_scan(*inputs(1, 2, 2, 2, torch.float64), backend="native")

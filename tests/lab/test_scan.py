"""The differentiable scan: its backends agree, and its gradients are those of the equations."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scans import assert_agrees_with_float64, inputs
from torch import Tensor

from ipmdae import native
from ipmdae.lab.nn import scan as scan_module
from ipmdae.lab.nn.scan import selective_scan

needs_native = pytest.mark.skipif(not native.available(), reason="the native library is not built")


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


@pytest.mark.slow
def test_torch_backend_passes_gradcheck() -> None:
    arguments = [tensor.requires_grad_() for tensor in inputs(2, 6, 3, 2, torch.float64)]
    assert torch.autograd.gradcheck(lambda *a: selective_scan(*a, backend="torch"), arguments)


@pytest.mark.slow
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
    scan = partial(selective_scan, backend="native")
    assert_agrees_with_float64(scan, (batch, length, d, n))


@pytest.mark.slow
@needs_native
def test_native_operator_is_registered_correctly() -> None:
    arguments = tuple(t.requires_grad_() for t in inputs(2, 7, 5, 3, torch.float32))
    torch.library.opcheck(torch.ops.ipmdae.selective_scan.default, arguments)


@pytest.mark.slow
@needs_native
def test_the_native_scan_does_not_break_the_graph_of_torch_compile() -> None:
    tensors = inputs(2, 9, 5, 3, torch.float32)
    compiled = torch.compile(selective_scan, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(*tensors), selective_scan(*tensors))


@needs_native
def test_native_backend_takes_views() -> None:
    u, delta, A, B, C, D = inputs(2, 8, 6, 4, torch.float32)
    u_view, delta_view = (tensor.flip(1).flip(1)[:, ::1] for tensor in (u, delta))
    strided = torch.stack([B, C], dim=-1)
    B_view, C_view = strided.unbind(-1)
    y = selective_scan(u_view, delta_view, A, B_view, C_view, D, backend="native")
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
    with pytest.raises(ValueError, match="auto, native, triton, torch"):
        selective_scan(*inputs(1, 2, 2, 2, torch.float32), backend="cuda")


def test_native_backend_refuses_float64() -> None:
    with pytest.raises(ValueError, match="at most float32"):
        selective_scan(*inputs(1, 2, 2, 2, torch.float64), backend="native")


@pytest.fixture
def without_triton(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Triton cannot be imported, and nothing has tried yet."""
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "ipmdae.lab.nn.scan_triton", raising=False)
    scan_module._triton_scan.cache_clear()
    yield
    scan_module._triton_scan.cache_clear()


@pytest.mark.usefixtures("without_triton")
def test_without_triton_a_gpu_runs_the_loop_after_one_warning() -> None:
    with pytest.warns(RuntimeWarning, match="Install triton") as caught:
        chosen = [scan_module.fastest_backend("cuda", torch.bfloat16) for _ in range(3)]
    assert len(caught) == 1
    assert chosen == ["torch"] * 3


def test_a_gpu_takes_triton_but_for_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_module, "_triton_scan", lambda: selective_scan)
    assert scan_module.fastest_backend("cuda", torch.float32) == "triton"
    assert scan_module.fastest_backend("cuda", torch.float64) == "torch"
    assert scan_module.fastest_backend("mps", torch.float32) == "torch"


def test_triton_backend_refuses_tensors_of_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with pytest.raises(ValueError, match="CUDA tensors"):
        selective_scan(*inputs(1, 2, 2, 2, torch.float32), backend="triton")

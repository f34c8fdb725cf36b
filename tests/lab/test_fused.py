"""The fused steps of a Mamba block are those of torch, in float64, with their gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scans import assert_near, inputs
from torch import Tensor

from ipmdae import native
from ipmdae.lab.nn.fused import convolution_silu, gated_scan
from ipmdae.lab.nn.mamba import Mamba, initial_state_matrix

needs_native = pytest.mark.skipif(not native.available(), reason="the native library is not built")
sizes = {"batch": st.integers(1, 3), "length": st.integers(1, 40), "d": st.integers(1, 40)}


def convolution_inputs(batch: int, length: int, d: int, taps: int) -> list[Tensor]:
    """u, a slice of wider rows, weight, bias."""
    generator = torch.Generator().manual_seed(1)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return [normal(batch, length, d + 3)[..., 1 : d + 1], normal(d, taps), normal(d)]


def gated_inputs(batch: int, length: int, d: int, n: int) -> list[Tensor]:
    """u, s, A, B, C, D, z; B and C are slices of the same rows, z of others."""
    u, s, A, B, C, D = inputs(batch, length, d, n, torch.float64)
    B, C = torch.cat([B, C], dim=-1).chunk(2, dim=-1)
    _, z = torch.cat([u, s - u], dim=-1).chunk(2, dim=-1)
    return [u, 20 * s - 4, A, B, C, D, z]


def assert_as_in_float64(step: Callable[..., Tensor], exact: Sequence[Tensor]) -> None:
    """Output and gradients in float32, by the library, are those of torch in float64."""
    single = [tensor.float() if tensor.is_contiguous() else like(tensor) for tensor in exact]
    for tensor in (*single, *exact):
        tensor.requires_grad_()
    y, expected = step(*single), step(*exact)
    weight = torch.linspace(-1, 1, y.numel(), dtype=torch.float64).reshape(y.shape)
    ours = torch.autograd.grad((y * weight.float()).sum(), single)
    theirs = torch.autograd.grad((expected * weight).sum(), exact)
    assert_near(y, expected, 1e-5)
    for gradient, value in zip(ours, theirs, strict=True):
        assert_near(gradient, value, 2e-5)


def like(tensor: Tensor) -> Tensor:
    """The tensor in float32 with the same strides."""
    return torch.empty_strided(tensor.shape, tensor.stride()).copy_(tensor)


@needs_native
@settings(deadline=None, max_examples=25)
@example(batch=2, length=2, d=5, taps=4)
@given(**sizes, taps=st.integers(1, 6))
def test_convolution(batch: int, length: int, d: int, taps: int) -> None:
    assert_as_in_float64(convolution_silu, convolution_inputs(batch, length, d, taps))


@needs_native
@settings(deadline=None, max_examples=25)
@given(**sizes, n=st.integers(1, 18))
def test_gated_scan(batch: int, length: int, d: int, n: int) -> None:
    assert_as_in_float64(gated_scan, gated_inputs(batch, length, d, n))


@needs_native
@pytest.mark.parametrize(("batch", "length"), [(0, 3), (2, 0)], ids=["batch", "length"])
def test_empty_arrays_give_zero_gradients(batch: int, length: int) -> None:
    for step, exact in (
        (convolution_silu, convolution_inputs(batch, length, 5, 4)),
        (gated_scan, gated_inputs(batch, length, 5, 3)),
    ):
        single = [tensor.float().requires_grad_() for tensor in exact]
        y = step(*single)
        assert y.shape == (batch, length, 5)
        for gradient in torch.autograd.grad(y.sum(), single):
            assert not gradient.any()


@needs_native
@pytest.mark.parametrize("instruction_set", ["sse42", "avx2", "avx512", "generic"])
def test_every_instruction_set_agrees(instruction_set: str) -> None:
    library = native.library()
    assert library is not None
    before = library.ipmdae_instruction_set()
    if library.ipmdae_set_instruction_set(instruction_set.encode()):
        pytest.skip("this processor does not run it")
    try:
        assert_as_in_float64(convolution_silu, convolution_inputs(2, 21, 37, 4))
        assert_as_in_float64(gated_scan, gated_inputs(2, 21, 37, 16))
    finally:
        library.ipmdae_set_instruction_set(before)


@needs_native
def test_uneven_rows_are_copied() -> None:
    exact = gated_inputs(2, 6, 5, 3)
    exact[3] = exact[3].flip(1).transpose(0, 1).contiguous().transpose(0, 1)
    exact[6] = exact[6].mT.contiguous().mT
    assert_as_in_float64(gated_scan, exact)
    u, weight, bias = convolution_inputs(6, 2, 5, 4)
    assert_as_in_float64(convolution_silu, [u.transpose(0, 1), weight.T.clone().T, bias])


@pytest.mark.slow
@needs_native
def test_operators_are_registered_correctly() -> None:
    u, weight, bias = (t.float().requires_grad_() for t in convolution_inputs(2, 7, 5, 4))
    torch.library.opcheck(torch.ops.ipmdae.convolution_silu.default, (u, weight, bias))
    scan = tuple(t.float().requires_grad_() for t in gated_inputs(2, 7, 5, 3))
    torch.library.opcheck(torch.ops.ipmdae.gated_scan.default, scan)


@pytest.mark.slow
@needs_native
def test_a_block_is_one_graph_to_torch_compile() -> None:
    block, A_log, x = Mamba(8), initial_state_matrix(16, 16), torch.randn(2, 9, 8)
    compiled = torch.compile(block, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x, A_log), block(x, A_log))


@needs_native
def test_low_precision_is_given_back() -> None:
    block, A_log, x = Mamba(8), initial_state_matrix(16, 16), torch.randn(2, 9, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = block(x, A_log)
    y.float().sum().backward()
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), block(x, A_log), rtol=0.05, atol=0.02)
    assert block.conv1d.weight.grad is not None

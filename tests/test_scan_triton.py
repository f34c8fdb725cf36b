"""The scan in Triton: on a GPU where there is one, in the interpreter, and compiled without."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from scans import assert_agrees_with_float64, inputs

from ipmdae.lab.nn.scan import selective_scan

triton = pytest.importorskip("triton")
scan_triton = pytest.importorskip("ipmdae.lab.nn.scan_triton")

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"
needs_device = pytest.mark.skipif(
    not (INTERPRETED or torch.cuda.is_available()), reason="there is no GPU"
)
compiler_only = pytest.mark.skipif(INTERPRETED, reason="the interpreter compiles nothing")
scan = partial(selective_scan, backend="triton")


@compiler_only
def test_all_of_these_in_the_interpreter() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout


@needs_device
@pytest.mark.parametrize("length", [1, 2, 31, 32, 33, 65, 200])
def test_any_length(length: int) -> None:
    assert_agrees_with_float64(scan, (1, length, 3, 2), DEVICE)


@needs_device
@pytest.mark.parametrize(
    ("d", "n"), [(1, 1), (64, 1), (5, 7), (9, 16), (4, 17), (2, 64), (1, 100), (70, 3)]
)
def test_any_number_of_channels_and_states(d: int, n: int) -> None:
    assert_agrees_with_float64(scan, (2, 6, d, n), DEVICE)


@needs_device
def test_low_precision_is_computed_in_float32_and_given_back() -> None:
    low = [tensor.bfloat16().to(DEVICE) for tensor in inputs(2, 20, 6, 4, torch.float32)]
    y = scan(*low)
    assert y.dtype == torch.bfloat16
    expected = selective_scan(*(tensor.float() for tensor in low), backend="torch")
    torch.testing.assert_close(y.float(), expected, rtol=1e-2, atol=1e-2)


@needs_device
@pytest.mark.parametrize("sizes", [(0, 5, 3, 2), (2, 0, 3, 2), (2, 5, 0, 2)], ids=str)
def test_empty_tensors_give_empty_or_zero_results(sizes: tuple[int, int, int, int]) -> None:
    arguments = [t.to(DEVICE).requires_grad_() for t in inputs(*sizes, torch.float32)]
    y = scan(*arguments)
    assert y.shape == sizes[:3]
    y.sum().backward()  # type: ignore[no-untyped-call]
    for tensor in arguments:
        assert tensor.grad is not None
        assert not tensor.grad.any()


@needs_device
def test_results_are_the_same_every_time() -> None:
    results = []
    for _ in range(2):
        arguments = [t.to(DEVICE).requires_grad_() for t in inputs(2, 5, 6, 16, torch.float32)]
        scan(*arguments).square().sum().backward()  # type: ignore[no-untyped-call]
        results.append([tensor.grad for tensor in arguments])
    for first, second in zip(*results, strict=True):
        assert first is not None
        assert second is not None
        assert torch.equal(first, second)


@needs_device
def test_operator_is_registered_correctly() -> None:
    arguments = tuple(t.to(DEVICE).requires_grad_() for t in inputs(2, 7, 5, 3, torch.float32))
    torch.library.opcheck(torch.ops.ipmdae.selective_scan_triton.default, arguments)


@compiler_only
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("name", ["_forward_kernel", "_backward_kernel"])
def test_compiles_for_a_gpu(
    name: str, capability: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel = getattr(scan_triton, name)
    _, constants = scan_triton._blocks(64, 16)
    types = dict.fromkeys(kernel.arg_names, "*fp32") | dict.fromkeys(("length", "d", "n"), "i32")
    source = triton.compiler.ASTSource(
        kernel,
        types | dict.fromkeys(constants, "constexpr"),
        {(kernel.arg_names.index(argument),): value for argument, value in constants.items()},
    )
    target = triton.backends.compiler.GPUTarget("cuda", capability, 32)
    code = triton.compile(source, target=target, options={"num_warps": 1}).asm
    assert len(code["cubin"]) > 0
    assert "cp.async" in code["ptx"], "inputs should be fetched ahead"

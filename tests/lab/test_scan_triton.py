"""The scan in Triton: on a GPU where there is one, in the interpreter, and compiled without."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
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
@pytest.mark.skipif(
    tuple(map(int, np.__version__.split(".")[:2])) >= (2, 5),
    reason="Triton's interpreter makes scalars of arrays as NumPy 2.5 no longer allows",
)
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
@pytest.mark.parametrize("length", [1, 15, 16, 17, 100])
def test_any_length(length: int) -> None:
    assert_agrees_with_float64(scan, (1, length, 3, 2), DEVICE)


@needs_device
@pytest.mark.parametrize(
    ("d", "n"),
    [(1, 1), (64, 1), (3, 4), (5, 7), (6, 8), (64, 16), (2, 64), (1, 100), (140, 3)],
)
def test_any_number_of_channels_and_states(d: int, n: int) -> None:
    assert_agrees_with_float64(scan, (2, 6, d, n), DEVICE)


@needs_device
def test_a_batch() -> None:
    assert_agrees_with_float64(scan, (12, 18, 2, 4), DEVICE)


@needs_device
def test_steps_that_forget_all_or_nothing() -> None:
    """Decays of 0 and of 1, between which chunks carry nothing or everything."""
    u, delta, A, B, C, D = inputs(1, 36, 2, 2, torch.float32)
    delta[:, ::7] = 1e4
    delta[:, 1::7] = 0
    y = scan(*(tensor.to(DEVICE) for tensor in (u, delta, A, B, C, D))).cpu()
    expected = selective_scan(*(t.double() for t in (u, delta, A, B, C, D)), backend="torch")
    torch.testing.assert_close(y.double(), expected, rtol=1e-5, atol=1e-4)


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
@pytest.mark.parametrize(
    ("name", "capability", "options"),
    [
        ("_ends_kernel", 80, {"REVERSE": False}),
        ("_ends_kernel", 90, {"REVERSE": True}),
        ("_outputs_kernel", 80, {}),
        ("_gradients_kernel", 90, {}),
        ("_carry_kernel", 90, {"REVERSE": False, "TILE": 128, "STAGES": 4}),
    ],
)
def test_compiles_for_a_gpu(
    name: str,
    capability: int,
    options: dict[str, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel = getattr(scan_triton, name)
    constants = options | {
        name: value
        for name, value in scan_triton._blocks(64, 16)[1].items()
        if name in kernel.arg_names
    }
    types = dict.fromkeys(kernel.arg_names, "*fp32") | dict.fromkeys(constants, "constexpr")
    types |= {name: "i32" for name in ("length", "chunks") if name in types}
    pointers = (i for i, name in enumerate(kernel.arg_names) if types[name] == "*fp32")
    source = triton.compiler.ASTSource(
        kernel,
        types,
        {(kernel.arg_names.index(argument),): value for argument, value in constants.items()},
        {(pointer,): [["tt.divisibility", 16]] for pointer in pointers},
    )
    target = triton.backends.compiler.GPUTarget("cuda", capability, 32)
    compiled = triton.compile(source, target=target, options={"num_warps": 1})
    assert len(compiled.asm["cubin"]) > 0
    if name in ("_ends_kernel", "_outputs_kernel"):
        assert compiled.metadata.shared == 0, "values should stay with the threads that load them"
        assert "ld.global.v4" in compiled.asm["ptx"], "states of a step should be read by fours"

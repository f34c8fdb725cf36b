"""The C++ scan against the equations in float64, on every instruction set of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from native_scans import (
    NAMES,
    addresses,
    assert_close,
    backward_oracle,
    doubles,
    forward_oracle,
    magnitudes,
    scan_backward,
    scan_exp,
    scan_forward_state,
    scan_inputs,
    states_of,
)

from ipmdae import native

pytestmark = pytest.mark.skipif(not native.available(), reason="the native library is not built")

shapes = {
    "batch": st.integers(1, 3),
    "length": st.integers(1, 70),
    "d": st.integers(1, 70),
    "n": st.integers(1, 20),
}


def choose(instruction_set: str) -> bool:
    """Whether this machine runs the instruction set, which is then in use."""
    library = native.library()
    return library is not None and not library.ipmdae_set_instruction_set(instruction_set.encode())


@pytest.fixture(
    scope="module",
    autouse=True,
    params=[name for name in ("generic", "sse42", "avx2", "avx512") if choose(name)],
)
def instruction_set(request: pytest.FixtureRequest) -> str:
    """Runs the whole module once for each instruction set, the widest last and from then on."""
    name: str = request.param
    assert choose(name)
    return name


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_backward_oracle_agrees_with_finite_differences() -> None:
    arrays = doubles(*scan_inputs(2, 4, 3, 2))
    dy = np.random.default_rng(1).standard_normal(arrays[0].shape)
    step = 1e-6
    for array, gradient in zip(arrays, backward_oracle(*[*arrays, dy]), strict=True):
        for index in np.ndindex(array.shape):
            kept = array[index]
            array[index] = kept + step
            above = np.sum(forward_oracle(*arrays) * dy)
            array[index] = kept - step
            below = np.sum(forward_oracle(*arrays) * dy)
            array[index] = kept
            assert gradient[index] == pytest.approx((above - below) / (2 * step), abs=1e-7)


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@example(batch=2, length=625, d=64, n=16)
@example(batch=1, length=1250, d=33, n=31)
@given(**shapes)
def test_forward_and_backward_agree_with_float64(batch: int, length: int, d: int, n: int) -> None:
    arrays = scan_inputs(batch, length, d, n)
    dy = scan_inputs(batch, length, d, n + 1)[0]
    y = native.scan_forward(*arrays)
    exact, magnitude = (forward_oracle(*of(*arrays)) for of in (doubles, magnitudes))
    assert_close(y, exact, magnitude, "y")
    gradients = scan_backward(arrays, dy)
    expected, bounds = (backward_oracle(*of(*arrays, dy)) for of in (doubles, magnitudes))
    for name, result, value, bound in zip(NAMES, gradients, expected, bounds, strict=True):
        assert_close(result, value, bound, f"gradient by {name}")


@settings(deadline=None, max_examples=40)
@given(**shapes, data=st.data())
def test_scan_in_two_parts_is_the_whole_scan(
    batch: int, length: int, d: int, n: int, data: st.DataObject
) -> None:
    u, delta, A, B, C, D = scan_inputs(batch, length, d, n)
    cut = data.draw(st.integers(0, length))
    h = np.zeros((batch, d, n), np.float32)
    whole, h_whole = scan_forward_state((u, delta, A, B, C, D), h)
    parts = []
    for part in (slice(None, cut), slice(cut, None)):
        u_, delta_, B_, C_ = (np.ascontiguousarray(a[:, part]) for a in (u, delta, B, C))
        y, h = scan_forward_state((u_, delta_, A, B_, C_, D), h)
        parts.append(y)
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)
    np.testing.assert_array_equal(h, h_whole)
    np.testing.assert_array_equal(native.scan_forward(u, delta, A, B, C, D), whole)
    exact, magnitude = (states_of(*of(u, delta, A, B))[-1] for of in (doubles, magnitudes))
    assert_close(h_whole, exact, magnitude, "last state")


def test_state_may_be_updated_in_place() -> None:
    arrays = scan_inputs(2, 9, 20, 5)
    h0 = np.ones((2, 20, 5), np.float32)
    y, last = scan_forward_state(arrays, h0)
    again = np.empty_like(y)
    native.scan_forward_pointers(*addresses(*arrays, h0, again, h0), 2, 9, 20, 5)
    np.testing.assert_array_equal(again, y)
    np.testing.assert_array_equal(h0, last)


@pytest.fixture
def any_threads() -> Iterator[None]:
    yield
    native.set_threads(None)


@pytest.mark.usefixtures("any_threads")
def test_results_do_not_depend_on_the_number_of_threads() -> None:
    arrays = scan_inputs(5, 200, 70, 16)
    dy = arrays[0][::-1].copy()
    native.set_threads(1)
    expected = (native.scan_forward(*arrays), *scan_backward(arrays, dy))
    for threads in (2, 3, 4):
        native.set_threads(threads)
        results = (native.scan_forward(*arrays), *scan_backward(arrays, dy))
        for result, value in zip(results, expected, strict=True):
            np.testing.assert_array_equal(result, value)


@pytest.mark.usefixtures("any_threads")
def test_callers_on_several_threads_share_the_pool() -> None:
    arrays = scan_inputs(4, 200, 64, 16)
    native.set_threads(2)
    expected = native.scan_forward(*arrays)
    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(lambda _: native.scan_forward(*arrays), range(16)):
            np.testing.assert_array_equal(result, expected)


def test_batch_items_do_not_influence_each_other() -> None:
    u, delta, A, B, C, D = scan_inputs(4, 30, 20, 16)
    whole = native.scan_forward(u, delta, A, B, C, D)
    for b in range(4):
        item = slice(b, b + 1)
        alone = native.scan_forward(u[item], delta[item], A, B[item], C[item], D)
        np.testing.assert_array_equal(alone[0], whole[b])


@pytest.mark.parametrize(
    ("batch", "length", "d"), [(0, 5, 3), (2, 0, 3), (2, 5, 0)], ids=["batch", "length", "d"]
)
def test_empty_arrays_give_empty_or_zero_results(batch: int, length: int, d: int) -> None:
    arrays = scan_inputs(batch, length, d, 4)
    assert native.scan_forward(*arrays).shape == (batch, length, d)
    h0 = np.ones((batch, d, 4), np.float32)
    y, last = scan_forward_state(arrays, h0)
    assert y.shape == (batch, length, d)
    np.testing.assert_array_equal(last, h0)
    gradients = scan_backward(arrays, np.empty_like(arrays[0]))
    for array, gradient in zip(arrays, gradients, strict=True):
        assert gradient.shape == array.shape
        assert not gradient.any()


def test_exponential_keeps_its_error_bound() -> None:
    x = np.linspace(-87, 0, 200_001).astype(np.float32)
    expected = np.exp(x.astype(np.float64))
    relative = np.abs(scan_exp(x) / expected - 1)
    assert np.all(relative <= 2e-7 + 1.2e-7 * np.abs(x))
    assert scan_exp(np.zeros(1, np.float32))[0] == 1.0


def test_exponential_of_very_negative_numbers_is_zero_and_of_nan_is_nan() -> None:
    x = np.array([-88, -88.1, -90, -104, -1e3, -1e10, -3e38, -np.inf], np.float32)
    y = scan_exp(x)
    assert np.all((y >= 0) & (y < np.finfo(np.float32).tiny))
    assert np.all(y[3:] == 0)
    assert np.isnan(scan_exp(np.full(3, np.nan, np.float32))).all()


def test_huge_steps_forget_the_state() -> None:
    u, delta, A, B, C, D = scan_inputs(1, 12, 18, 3)
    delta[:, 6] = 1e30
    y = native.scan_forward(u, delta, A, np.zeros_like(B), C, D)
    np.testing.assert_array_equal(y, D * u)


def test_nan_stays_in_its_channel() -> None:
    arrays = scan_inputs(1, 10, 20, 4)
    clean = native.scan_forward(*arrays)
    arrays[0][0, 3, 7] = np.nan
    y = native.scan_forward(*arrays)
    assert np.isnan(y[0, 3:, 7]).all()
    y[0, 3:, 7] = clean[0, 3:, 7]
    np.testing.assert_array_equal(y, clean)


def test_denormals_of_the_process_are_left_alone() -> None:
    native.scan_forward(*scan_inputs(1, 10, 20, 4))
    assert np.all(np.full(8, 1e-40, np.float32) * np.float32(1) != 0)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("u", lambda a: a.astype(np.float64), "u must be float32"),
        ("u", lambda a: a[0], "u must be"),
        ("delta", lambda a: a[:, :-1].copy(), r"delta must have the shape \(2, 6, 5\)"),
        ("delta", lambda a: -a, "delta must not be negative"),
        ("A", lambda a: -a, "A must not be positive"),
        ("A", lambda a: a[:-1].copy(), "A must have the shape"),
        ("A", lambda a: a[:, :0].copy(), "B must have the shape"),
        ("B", lambda a: np.asfortranarray(a), "B must be C-contiguous"),
        ("C", lambda a: a[..., ::-1], "C must be C-contiguous"),
        ("D", lambda a: a[:, None].copy(), "D must have the shape"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(name: str, change: object, message: str) -> None:
    arrays = dict(zip(NAMES, scan_inputs(2, 6, 5, 3), strict=True))
    assert callable(change)
    arrays[name] = change(arrays[name])
    with pytest.raises(ValueError, match=message):
        native.scan_forward(*arrays.values())


def test_sizes_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one state"):
        native.scan_forward(*scan_inputs(1, 2, 3, 0))
    with pytest.raises(ValueError, match="must not be negative"):
        native.scan_forward_pointers(*[0] * 9, -1, 1, 1, 1)
    with pytest.raises(ValueError, match="at least 1"):
        native.set_threads(0)


FIRST_CALL = """
import warnings
warnings.simplefilter("always")
from ipmdae import native
with warnings.catch_warnings(record=True) as caught:
    print(native.available(), native.available(), len(caught))
"""


def test_absent_library_warns_once() -> None:
    done = run_python(FIRST_CALL, IPMDAE_NATIVE=os.path.join("no", "such", "library"))
    assert done.stdout.split() == ["False", "False", "1"], done.stderr


@pytest.mark.slow
def test_environment_chooses_the_instruction_set(instruction_set: str) -> None:
    code = "from ipmdae import native; print(native.instruction_set())"
    assert run_python(code, IPMDAE_ISA=instruction_set).stdout.strip() == instruction_set
    refused = run_python(code, IPMDAE_ISA="mmx")
    assert refused.returncode != 0
    assert "ValueError: IPMDAE_ISA=mmx" in refused.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
def test_forked_process_gets_threads_of_its_own() -> None:
    code = """
import os, warnings
import numpy as np
from ipmdae import native
warnings.simplefilter("ignore")
native.set_threads(2)
u = np.ones((4, 300, 64), np.float32)
B = np.ones((4, 300, 16), np.float32)
A = -np.ones((64, 16), np.float32)
scan = lambda: native.scan_forward(u, u, A, B, B, u[0, 0])
expected = scan()
child = os.fork()
if child == 0:
    os._exit(0 if np.array_equal(scan(), expected) else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run_python(code).returncode == 0

"""Scans for the tests of the native core: random inputs, equations in float64, tolerances."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ipmdae import native

Single = NDArray[np.float32]
Double = NDArray[np.float64]
Inputs = tuple[Single, Single, Single, Single, Single, Single]

NAMES = ("u", "delta", "A", "B", "C", "D")


def scan_inputs(batch: int, length: int, d: int, n: int) -> Inputs:
    """u, delta, A, B, C, D, the same for the same sizes."""
    random = np.random.default_rng([batch, length, d, n])

    def normal(*shape: int) -> Single:
        return random.standard_normal(shape).astype(np.float32)

    delta = np.logaddexp(0, random.normal(-2, 1, (batch, length, d))).astype(np.float32)
    A = -np.exp(random.uniform(-1, 3, (d, n))).astype(np.float32)
    u, B, C = normal(batch, length, d), normal(batch, length, n), normal(batch, length, n)
    return u, delta, A, B, C, normal(d)


def states_of(u: Double, delta: Double, A: Double, B: Double) -> Double:
    """h_0 = 0, h_1 ... h_length as (length + 1, batch, d, n), by the recurrence."""
    h = np.zeros((u.shape[1] + 1, u.shape[0], *A.shape))
    for t in range(u.shape[1]):
        decay = np.exp(-delta[:, t, :, None] * np.abs(A))
        h[t + 1] = decay * h[t] + (delta[:, t] * u[:, t])[..., None] * B[:, t, None]
    return h


def forward_oracle(u: Double, delta: Double, A: Double, B: Double, C: Double, D: Double) -> Double:
    y: Double = np.einsum("tbdn,btn->btd", states_of(u, delta, A, B)[1:], C) + D * u
    return y


def backward_oracle(
    u: Double, delta: Double, A: Double, B: Double, C: Double, D: Double, dy: Double
) -> list[Double]:
    """Gradients by u, delta, A, B, C, D of the sum of y times dy."""
    h = states_of(u, delta, A, B)
    decay = np.exp(-np.einsum("btd,dn->tbdn", delta, np.abs(A)))
    g = np.einsum("btn,btd->tbdn", C, dy)
    for t, after in list(pairwise(range(u.shape[1])))[::-1]:
        g[t] += decay[after] * g[after]
    by_input = np.einsum("tbdn,btn->btd", g, B)
    by_exponent = g * decay * h[:-1]
    return [
        delta * by_input + D * dy,
        u * by_input + np.einsum("tbdn,dn->btd", by_exponent, A),
        np.einsum("tbdn,btd->dn", by_exponent, delta),
        np.einsum("tbdn,btd->btn", g, delta * u),
        np.einsum("tbdn,btd->btn", h[1:], dy),
        np.einsum("btd,btd->d", dy, u),
    ]


def doubles(*arrays: Single) -> list[Double]:
    return [array.astype(np.float64) for array in arrays]


def magnitudes(*arrays: Single) -> list[Double]:
    """Arguments with which an oracle, each of whose terms is then positive, adds up magnitudes."""
    return [np.abs(array) for array in doubles(*arrays)]


def assert_close(result: Single, expected: Double, magnitude: Double, name: str = "") -> None:
    """Within 2e-6 of the sum of the magnitudes of the terms that a value is the sum of.

    That much single precision supports, however it adds. Of the value itself it does not hold:
    terms cancel, and a gradient by the only A is off by up to 6e-6 of it, as it is by up to that in
    NumPy's float32 with an exact exponential. Here the exponential errs by 2e-7 and is taken
    again in each of the some 20 steps that the state remembers; these errors add up like a random
    walk, to 7e-7 at most in 5,000 scans. Its error grows with the exponent, but only where what is
    left of the state is less than 1e-6 of it: hence 1e-9.
    """
    excess = np.abs(result - expected) - (2e-6 * magnitude + 1e-9)
    assert np.all(excess <= 0), f"{name} is off by {excess.max():.1e} too much"


def scan_forward_state(inputs: Inputs, h0: Single) -> tuple[Single, Single]:
    """Output y (batch, length, d) and last state (batch, d, n) of a scan from ``h0``."""
    y, last = np.empty_like(inputs[0]), np.empty_like(h0)
    sizes = (*inputs[0].shape, h0.shape[2])
    native.scan_forward_pointers(*addresses(*inputs, h0, y, last), *sizes)
    return y, last


def scan_backward(inputs: Inputs, dy: Single) -> tuple[Single, ...]:
    """Gradients by u, delta, A, B, C and D of a scan from zero, for the gradient ``dy`` by y."""
    gradients = tuple(np.empty_like(array) for array in inputs)
    sizes = (*dy.shape, inputs[2].shape[1])
    native.scan_backward_pointers(*addresses(*inputs, dy, *gradients), *sizes)
    return gradients


def scan_exp(x: Single) -> Single:
    """e^x for x <= 87 as the scan computes it."""
    library, y = native.library(), np.empty_like(x)
    assert library is not None
    library.ipmdae_exp(*addresses(x, y), x.size)
    return y


def addresses(*arrays: Single) -> list[int]:
    """Where C-contiguous float32 arrays lie."""
    assert all(array.flags.c_contiguous and array.dtype == np.float32 for array in arrays)
    return [array.ctypes.data for array in arrays]

"""Each layer of the oracle against its equation, written out or turned around."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ipmdae import native
from ipmdae.engine import numpy_layers as layers
from ipmdae.engine import numpy_mamba

Double = NDArray[np.float64]

lengths = st.integers(1, 40)
kernels = st.sampled_from([3, 5, 7])


def normal(*shape: int, seed: int = 0) -> Double:
    return np.random.default_rng(seed).standard_normal(shape)


@settings(max_examples=25, deadline=None)
@given(length=lengths, kernel=kernels)
def test_strided_convolution_is_its_sum(length: int, kernel: int) -> None:
    x, weight, bias = normal(2, length, 3), normal(4, 3, kernel), normal(4)
    y = layers.strided_convolution(x, weight, bias)
    assert y.shape == (2, (length + 1) // 2, 4)
    for t in range(y.shape[1]):
        expected = bias.copy()
        for j in range(kernel):
            if 0 <= (s := 2 * t + j - kernel // 2) < length:
                expected = expected + x[:, s] @ weight[:, :, j].T
        np.testing.assert_allclose(y[:, t], np.broadcast_to(expected, (2, 4)))


@settings(max_examples=25, deadline=None)
@given(length=lengths, kernel=kernels)
def test_transposed_convolution_is_the_adjoint(length: int, kernel: int) -> None:
    weight = normal(4, 3, kernel)
    x, y = normal(2, length, 3), normal(2, (length + 1) // 2, 4, seed=1)
    there = np.vdot(layers.strided_convolution(x, weight, np.zeros(4)), y)
    back = layers.transposed_convolution(y, weight, np.zeros(3), length)
    assert back.shape == x.shape
    np.testing.assert_allclose(there, np.vdot(x, back))


def test_transposed_convolution_adds_its_bias_everywhere() -> None:
    y = layers.transposed_convolution(np.zeros((1, 3, 2)), normal(2, 4, 3), np.arange(4.0), 6)
    np.testing.assert_array_equal(y, np.broadcast_to(np.arange(4.0), (1, 6, 4)))


def test_layer_norm_has_the_moments_it_is_given() -> None:
    y = layers.layer_norm(5 + 100 * normal(2, 7, 64), np.full(64, 3.0), np.full(64, 2.0))
    np.testing.assert_allclose(y.mean(axis=-1), 2)
    np.testing.assert_allclose(y.std(axis=-1), 3, rtol=1e-6)


def test_layer_norm_of_a_constant_is_its_bias() -> None:
    y = layers.layer_norm(np.full((1, 2, 8), 7.0), np.ones(8), np.arange(8.0))
    np.testing.assert_array_equal(y[0, 1], np.arange(8.0))


def test_average_pool_drops_a_remainder() -> None:
    x = np.arange(7.0).reshape(1, 7, 1)
    np.testing.assert_array_equal(layers.average_pool(x, 3)[0, :, 0], [1, 4])


def test_upsampling_repeats_and_then_appends_zeros() -> None:
    x = np.array([1.0, 2.0]).reshape(1, 2, 1)
    np.testing.assert_array_equal(
        layers.upsample_nearest(x, 3, 8)[0, :, 0], [1, 1, 1, 2, 2, 2, 0, 0]
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_keep_their_type_and_survive_extremes(dtype: type[np.floating[Any]]) -> None:
    x = np.array([-1e4, -1, 0, 1, 1e4], dtype)
    for activation in (layers.relu, layers.silu, layers.softplus):
        y = activation(x)
        assert y.dtype == dtype
        assert np.isfinite(y).all()
        assert y[-1] == x[-1]
        assert y[0] == 0
    np.testing.assert_allclose(layers.softplus(x[1:4]), np.log1p(np.exp(x[1:4])), rtol=1e-6)
    np.testing.assert_allclose(layers.silu(x[1:4]), x[1:4] / (1 + np.exp(-x[1:4])), rtol=1e-6)


def test_softmax_of_large_numbers() -> None:
    np.testing.assert_allclose(
        layers.softmax(np.array([[1000.0, 1000.0, -1000.0]])), [[0.5, 0.5, 0]]
    )


def test_causal_convolution_hears_the_last_samples_only() -> None:
    weight, bias = normal(3, 4), normal(3)
    impulse = np.zeros((1, 10, 3))
    impulse[:, 5] = 1
    y = numpy_mamba.causal_convolution(impulse, weight, bias) - bias
    np.testing.assert_allclose(y[0, 5:9], weight[:, ::-1].T)
    assert not y[0, :5].any()
    assert not y[0, 9:].any()


def scan_arguments(
    batch: int = 2, length: int = 9, inner: int = 5, states: int = 3
) -> tuple[Double, ...]:
    rng = np.random.default_rng(0)
    return (
        rng.standard_normal((batch, length, inner)),
        rng.uniform(0.01, 1, (batch, length, inner)),
        -rng.uniform(0.1, 4, (inner, states)),
        rng.standard_normal((batch, length, states)),
        rng.standard_normal((batch, length, states)),
        rng.standard_normal(inner),
    )


def test_the_scan_is_the_sum_that_its_recurrence_unrolls_to() -> None:
    u, delta, A, B, C, D = scan_arguments()
    expected = D * u
    for t in range(u.shape[1]):
        for s in range(t + 1):
            decay = np.exp(delta[:, s + 1 : t + 1].sum(axis=1)[..., None] * A)
            drive = (delta[:, s] * u[:, s])[..., None] * B[:, s, None]
            expected[:, t] += (decay * drive * C[:, t, None]).sum(axis=-1)
    np.testing.assert_allclose(numpy_mamba.selective_scan(u, delta, A, B, C, D), expected)


@pytest.mark.skipif(not native.available(), reason="the native library is not built")
def test_the_native_scan_agrees_with_the_loop() -> None:
    arguments = [a.astype(np.float32) for a in scan_arguments(3, 200, 64, 16)]
    fast = numpy_mamba.selective_scan(*arguments)
    exact = numpy_mamba.scan_over_time(*(a.astype(np.float64) for a in arguments))
    assert fast.dtype == np.float32
    np.testing.assert_allclose(fast, exact, atol=1e-5 * exact.std())

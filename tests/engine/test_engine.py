"""The engines: equal to the reference, at home at any length, and free of torch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from networks import TINY, random_tensors, reference_io, reference_tensors
from numpy.typing import NDArray

from ipmdae import native
from ipmdae.engine import (
    ModelFile,
    Preprocessing,
    model_names,
    model_path,
    open_engine,
    read_model,
)
from ipmdae.engine.native import NativeNetwork
from ipmdae.engine.numpy_network import NumpyNetwork, bidirectional_mamba, channel_attention, part
from ipmdae.lab.nn.reference_names import from_reference, infer_architecture


def windows(batch: int, length: int, leads: int = 1, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((batch, length, leads)).astype(np.float32)


def tiny_network(dtype: type[np.floating[Any]] = np.float64, **changes: Any) -> NumpyNetwork[Any]:
    architecture = replace(TINY, **changes)
    return NumpyNetwork(architecture, random_tensors(architecture), dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", ["a", "b", "c"])
def test_equal_to_the_reference(case: str, dtype: type[np.floating[Any]]) -> None:
    architecture = infer_architecture(reference_tensors())
    tensors = from_reference(reference_tensors(), architecture)
    expected = reference_io()[f"y_{case}"]
    y = NumpyNetwork(architecture, tensors, dtype).run(reference_io()[f"x_{case}"])
    assert y.dtype == dtype
    assert np.abs(y - expected).max() <= 1e-5 * expected.std()


def test_equal_to_the_reference_without_the_native_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "available", lambda: False)
    test_equal_to_the_reference("b", np.float32)


def test_unused_projections_have_no_effect() -> None:
    with_them = random_tensors(replace(TINY, unused_projections=True))
    without = {name: tensor for name, tensor in with_them.items() if ".fusion." not in name}
    x = windows(2, 50)
    np.testing.assert_array_equal(
        NumpyNetwork(replace(TINY, unused_projections=True), with_them, np.float64).run(x),
        NumpyNetwork(TINY, without, np.float64).run(x),
    )


@pytest.mark.parametrize("length", [*range(1, 35), 500, 512, 1000])
def test_any_length(length: int) -> None:
    y = tiny_network().run(windows(2, length))
    assert y.shape == (2, length, 1)
    assert np.isfinite(y).all()


@pytest.mark.parametrize("leads", [1, 2, 3, 12])
def test_any_number_of_leads(leads: int) -> None:
    y = tiny_network(leads=leads).run(windows(2, 31, leads))
    assert y.shape == (2, 31, leads)
    assert np.isfinite(y).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"kernel": 5},
        {"pool_cap": None},
        {"expand": 1},
        {"d_conv": 1},
        {"channels": (4,), "branches": ()},
        {"attention": "figure"},
        {"fusion": "figure"},
        {"channels": (32, 64), "branches": (1,)},
        {"branches": (0, 2)},
        {"residual": True},
    ],
    ids=str,
)
def test_any_architecture(changes: dict[str, Any]) -> None:
    y = tiny_network(**changes).run(windows(2, 29))
    assert y.shape == (2, 29, 1)
    assert y.std() > 0


def test_residual_is_the_input_less_the_decoder() -> None:
    x = windows(2, 29)
    noise = tiny_network().run(x)
    np.testing.assert_allclose(tiny_network(residual=True).run(x), x - noise, atol=1e-12)


def test_uncertainty_is_a_channel_of_its_own() -> None:
    x = windows(2, 29, 3)
    plain = tiny_network(leads=3, uncertainty=True).run(x)
    residual = tiny_network(leads=3, uncertainty=True, residual=True).run(x)
    assert plain.shape == (2, 29, 6)
    np.testing.assert_array_equal(plain[..., 3:], residual[..., 3:])
    np.testing.assert_allclose(residual[..., :3], x - plain[..., :3], atol=1e-12)


def test_a_window_does_not_depend_on_its_batch() -> None:
    network, x = tiny_network(np.float32), windows(19, 100)
    together = network.run(x)
    alone = np.concatenate([network.run(x[i : i + 1]) for i in range(len(x))])
    np.testing.assert_allclose(together, alone, atol=1e-5 * alone.std())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_nan_spoils_its_own_window_only(dtype: type[np.floating[Any]]) -> None:
    x = windows(3, 60)
    broken = x.copy()
    broken[1, 30] = np.nan
    network = tiny_network(dtype)
    y, expected = network.run(broken), network.run(x)
    np.testing.assert_array_equal(y[[0, 2]], expected[[0, 2]])
    assert np.isnan(y[1]).any()


def test_no_windows() -> None:
    assert tiny_network().run(windows(0, 10)).shape == (0, 10, 1)


@pytest.mark.parametrize("shape", [(10,), (10, 1), (1, 0, 1), (1, 10, 2)])
def test_wrong_axes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(batch, time, leads\) with 1 leads"):
        tiny_network().run(np.zeros(shape, np.float32))


def test_fusion_of_the_figure_with_identity_maps_is_that_of_the_code() -> None:
    tensors = random_tensors(replace(TINY, fusion="figure"))
    for name in tensors:
        if ".fusion." in name:
            tensors[name] = np.eye(len(tensors[name]), dtype=np.float32)
    x = windows(2, 64)
    figure = NumpyNetwork(replace(TINY, fusion="figure"), tensors, np.float64).run(x)
    code = {name: tensor for name, tensor in tensors.items() if ".fusion." not in name}
    np.testing.assert_allclose(figure, NumpyNetwork(TINY, code, np.float64).run(x))


def test_attention_of_the_figure_differs_only_where_its_relu_cuts() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 64, 5))
    weights = {f"{name}.weight": rng.standard_normal((5, 5)) for name in ("squeeze", "excite")}
    figure = replace(TINY, attention="figure")
    difference = channel_attention(x, weights, figure) - channel_attention(x, weights, TINY)
    assert np.abs(difference).max() > 0.01
    x, weights["squeeze.weight"] = np.abs(x), np.abs(weights["squeeze.weight"])
    difference = channel_attention(x, weights, figure) - channel_attention(x, weights, TINY)
    assert np.abs(difference).max() < 1e-12


def skip_weights() -> dict[str, NDArray[np.float64]]:
    tensors = part(random_tensors(TINY), "skips.1")
    return {name: tensor.astype(np.float64) for name, tensor in tensors.items()}


def test_the_two_directions_mirror_each_other() -> None:
    weights, x = skip_weights(), windows(2, 20, 3).astype(np.float64)
    mirrored = {
        name.replace("forward", "@").replace("backward", "forward").replace("@", "backward"): tensor
        for name, tensor in weights.items()
    }
    np.testing.assert_allclose(
        bidirectional_mamba(x, weights, 1),
        bidirectional_mamba(x[:, ::-1], mirrored, 1)[:, ::-1],
    )


@pytest.mark.parametrize("name", ["A_log_forward", "A_log_backward"])
def test_each_branch_has_its_own_state_matrices(name: str) -> None:
    weights, x = skip_weights(), windows(2, 20, 3).astype(np.float64)
    before = [bidirectional_mamba(x, weights, n) for n in (0, 1)]
    weights[f"{name}.1"] = weights[f"{name}.1"] + 1
    after = [bidirectional_mamba(x, weights, n) for n in (0, 1)]
    np.testing.assert_array_equal(before[0], after[0])
    assert np.abs(before[1] - after[1]).max() > 1e-6


def test_a_missing_tensor_is_named() -> None:
    tensors = random_tensors(TINY)
    del tensors["decoder.1.bias"]
    with pytest.raises(ValueError, match=r"decoder\.1\.bias .*missing"):
        NumpyNetwork(TINY, tensors, np.float32)


@pytest.fixture
def model() -> ModelFile:
    return ModelFile(
        name="tiny",
        architecture=TINY,
        preprocessing=Preprocessing(fs=250, window=64, overlap=16),
        card={},
        tensors=random_tensors(TINY),
    )


needs_native = pytest.mark.skipif(not native.available(), reason="the native library is not built")


@pytest.mark.parametrize("backend", ["auto", pytest.param("native", marks=needs_native), "numpy"])
def test_open_engine(model: ModelFile, backend: str) -> None:
    engine = open_engine(model, backend)
    assert engine.architecture == TINY
    y = engine.run(windows(2, 64))
    assert y.dtype == np.float32
    exact = NumpyNetwork(TINY, model.tensors, np.float64).run(windows(2, 64))
    np.testing.assert_allclose(y, exact, atol=1e-5 * exact.std())


@needs_native
def test_auto_takes_what_is_built(model: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(open_engine(model), NativeNetwork)
    monkeypatch.setattr(native, "available", lambda: False)
    assert isinstance(open_engine(model), NumpyNetwork)


def test_an_unknown_backend_is_refused(model: ModelFile) -> None:
    with pytest.raises(ValueError, match="auto or one of native, numpy, onnx, got 'abacus'"):
        open_engine(model, "abacus")


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ValueError, match=f"'nonesuch'.*{', '.join(model_names()) or 'none'}"):
        model_path("nonesuch")


def test_every_model_that_ships_runs() -> None:
    for name in model_names():
        model = read_model(model_path(name))
        assert model.name == name
        x = windows(1, model.preprocessing.window, model.architecture.leads)
        assert np.isfinite(open_engine(model).run(x)).all()


def test_engines_need_no_torch() -> None:
    code = (
        "import sys, ipmdae.engine, ipmdae.lab.nn.reference_names; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

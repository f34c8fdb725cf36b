"""The network as ONNX: equal to the NumPy network, in a file that describes itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import TINY, model_of, reference_io, reference_tensors

from ipmdae.architecture import Architecture
from ipmdae.engine import ModelFile, Preprocessing, open_engine
from ipmdae.engine.numpy_network import NumpyNetwork
from ipmdae.lab.nn.reference_names import from_reference, infer_architecture

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx.reference import ReferenceEvaluator  # noqa: E402

from ipmdae.engine.onnx import OnnxNetwork, difference  # noqa: E402
from ipmdae.engine.onnx_export import IR_VERSION, OPSET, to_onnx, write_onnx  # noqa: E402

PARITY = 1e-5
WIDE = replace(TINY, channels=(6, 12, 8), branches=(2, 4), pool_cap=None, leads=2)


def exact(model: ModelFile) -> NumpyNetwork[np.float64]:
    return NumpyNetwork(model.architecture, model.tensors, np.float64)


def windows(batch: int, length: int, leads: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((batch, length, leads)).astype(np.float32)


@pytest.fixture(scope="module")
def reference() -> OnnxNetwork:
    architecture = infer_architecture(reference_tensors())
    tensors = from_reference(reference_tensors(), architecture)
    return OnnxNetwork(replace(model_of(TINY), architecture=architecture, tensors=tensors))


@pytest.fixture(scope="module")
def wide() -> OnnxNetwork:
    return OnnxNetwork(model_of(WIDE))


@pytest.mark.parametrize("case", ["a", "b", "c"])
def test_equal_to_the_reference(reference: OnnxNetwork, case: str) -> None:
    expected = reference_io()[f"y_{case}"]
    y = reference.run(reference_io()[f"x_{case}"])
    assert y.dtype == np.float32
    assert np.abs(y - expected).max() <= PARITY * expected.std()


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 3])
def test_any_length(wide: OnnxNetwork, batch: int) -> None:
    oracle = exact(model_of(WIDE))
    scale = oracle.run(windows(1, 1250, 2)).std()
    for length in (*range(1, 101), 1250, 2500):
        x = windows(batch, length, 2, seed=length)
        y = wide.run(x)
        assert y.shape == x.shape
        assert np.abs(y - oracle.run(x)).max() <= PARITY * scale, length


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    stages = draw(st.integers(1, 4))
    branches = tuple(draw(st.lists(st.integers(0, 5), min_size=stages - 1, max_size=stages - 1)))
    widths = draw(st.lists(st.integers(1, 4), min_size=stages, max_size=stages))
    return Architecture(
        leads=draw(st.integers(1, 12)),
        channels=tuple(max(n, 1) * width for n, width in zip((*branches, 1), widths, strict=True)),
        branches=branches,
        kernel=draw(st.sampled_from([3, 5, 7])),
        pool_cap=draw(st.sampled_from([None, 1, 3, 4])),
        d_state=draw(st.integers(1, 5)),
        d_conv=draw(st.integers(1, 5)),
        expand=draw(st.integers(1, 3)),
        attention=draw(st.sampled_from(["code", "figure"])),
        fusion=draw(st.sampled_from(["code", "figure"])),
        unused_projections=draw(st.booleans()),
        residual=draw(st.booleans()),
        uncertainty=draw(st.booleans()),
    )


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(architectures(), st.integers(1, 100), st.integers(1, 3), st.integers(0, 1000))
def test_any_architecture(architecture: Architecture, length: int, batch: int, seed: int) -> None:
    model = model_of(architecture, seed)
    oracle = exact(model)
    scale = oracle.run(windows(1, 500, architecture.leads)).std()
    x = windows(batch, length, architecture.leads, seed)
    # A LayerNorm over few and nearly equal channels magnifies what float32 rounds.
    assert np.abs(OnnxNetwork(model).run(x) - oracle.run(x)).max() <= 5 * PARITY * scale


def test_small_step_sizes_lose_no_precision() -> None:
    model = model_of(WIDE)
    for name, tensor in model.tensors.items():
        if name.endswith("dt_proj.bias"):
            tensor[:] = np.log(np.expm1(1e-4))
        elif name.endswith("dt_proj.weight"):
            tensor *= 0.01
    x = windows(1, 2500, 2)
    expected = exact(model).run(x)
    assert np.abs(OnnxNetwork(model).run(x) - expected).max() <= PARITY * expected.std()


def test_a_window_does_not_depend_on_its_batch(wide: OnnxNetwork) -> None:
    x = windows(19, 100, 2)
    alone = np.concatenate([wide.run(x[i : i + 1]) for i in range(len(x))])
    np.testing.assert_allclose(wide.run(x), alone, atol=PARITY * alone.std())


def test_a_nan_spoils_its_own_window_only(wide: OnnxNetwork) -> None:
    x = windows(3, 60, 2)
    broken = x.copy()
    broken[1, 30, 0] = np.nan
    y = wide.run(broken)
    np.testing.assert_array_equal(y[[0, 2]], wide.run(x)[[0, 2]])
    assert np.isnan(y[1]).any()


def test_no_windows(wide: OnnxNetwork) -> None:
    assert wide.run(windows(0, 10, 2)).shape == (0, 10, 2)


@pytest.mark.parametrize("shape", [(10,), (10, 2), (1, 0, 2), (1, 10, 1)])
def test_wrong_axes_are_refused(wide: OnnxNetwork, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(batch, time, leads\) with 2 leads"):
        wide.run(np.zeros(shape, np.float32))


def test_the_engine_is_opened_by_name() -> None:
    engine = open_engine(model_of(TINY), "onnx")
    assert isinstance(engine, OnnxNetwork)
    assert engine.architecture == TINY


def test_the_file_alone_runs_and_describes_the_model(tmp_path: Path) -> None:
    model = model_of(WIDE)
    write_onnx(tmp_path / "new" / "wide.onnx", model)
    session = onnxruntime.InferenceSession(
        tmp_path / "new" / "wide.onnx", providers=["CPUExecutionProvider"]
    )
    (taken,), (given_back,) = session.get_inputs(), session.get_outputs()
    assert (taken.name, taken.shape) == ("windows", ["batch", "time", 2])
    assert (given_back.name, given_back.shape) == ("cleaned", ["batch", "time", 2])
    x = windows(3, 77, 2)
    (y,) = session.run(None, {"windows": x})
    expected = exact(model).run(x)
    assert np.abs(y - expected).max() <= PARITY * expected.std()
    told = session.get_modelmeta().custom_metadata_map
    assert (told["format"], told["name"]) == ("ipmdae-1", "random")
    assert Architecture.from_json(told["architecture"]) == WIDE
    assert Preprocessing(**json.loads(told["preprocessing"])) == model.preprocessing
    assert json.loads(told["card"]) == model.card


@pytest.mark.slow
@pytest.mark.parametrize("length", [1, 2, 3, 30])
def test_another_runtime_agrees(length: int) -> None:
    pytest.importorskip("onnx", "1.22", reason="it saw nothing from within a Scan before")
    model, x = model_of(TINY), windows(2, length)
    (y,) = ReferenceEvaluator(to_onnx(model)).run(None, {"windows": x})
    assert isinstance(y, np.ndarray)
    np.testing.assert_allclose(y, exact(model).run(x), atol=PARITY)


def test_the_weights_keep_their_names_and_the_unused_are_left_out() -> None:
    model = model_of(replace(WIDE, unused_projections=True))
    held = {t.name: onnx.numpy_helper.to_array(t) for t in to_onnx(model).graph.initializer}
    for name, tensor in model.tensors.items():
        if ".fusion." in name:
            assert name not in held
        else:
            np.testing.assert_array_equal(held[name], tensor)


def test_the_graph_scans_and_neither_loops_nor_branches() -> None:
    exported = to_onnx(model_of(WIDE))
    operators = [node.op_type for node in exported.graph.node]
    assert operators.count("Scan") == 2 * sum(WIDE.branches)
    assert not {"Loop", "If"} & set(operators)
    assert [(opset.domain, opset.version) for opset in exported.opset_import] == [("", OPSET)]
    assert exported.ir_version == IR_VERSION


def test_weights_that_do_not_fit_are_named() -> None:
    model = model_of(TINY)
    model.tensors["encoder.1.bias"][2] = np.nan
    with pytest.raises(ValueError, match=r"model random: tensor encoder\.1\.bias holds NaN"):
        to_onnx(model)


def test_an_interrupted_export_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tiny.onnx"
    path.write_text("precious")

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_onnx(path, model_of(TINY))
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_the_difference_is_in_standard_deviations_of_the_output() -> None:
    model = model_of(TINY)
    assert 0 < difference(model) <= PARITY
    for tensor in model.tensors.values():
        tensor[...] = 0
    assert difference(model) == 0


@pytest.mark.slow
def test_the_other_engines_do_not_import_it() -> None:
    code = "import sys, ipmdae.denoiser; sys.exit(any(m.startswith('onnx') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

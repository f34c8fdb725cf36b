"""The native core as WebAssembly, in Node: equal to the reference, the oracle and the package."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import TINY, random_tensors, reference_io, reference_tensors
from numpy.typing import NDArray
from safetensors.numpy import save_file

from ipmdae.architecture import Architecture
from ipmdae.engine import ModelFile, Preprocessing, find_model, read_model, write_model
from ipmdae.engine.model_file import metadata_of
from ipmdae.engine.numpy_network import NumpyNetwork
from ipmdae.lab.nn.reference_names import from_reference, infer_architecture
from ipmdae.methods.network import Network
from ipmdae.recording import Recording
from ipmdae.safeguards import safeguards
from tools.build_wasm import build_wasm

Array = NDArray[np.float32]
Tensors = dict[str, Array]
Job = dict[str, Any]
Answer = dict[str, Any]
Run = Callable[..., list[Answer]]

pytestmark = [
    pytest.mark.skipif(
        shutil.which("node") is None or importlib.util.find_spec("ziglang") is None,
        reason="needs Node and the package ziglang",
    ),
    pytest.mark.filterwarnings("ignore:lead"),  # flat or empty ones come back unchanged
    pytest.mark.timeout(900),  # the first build on a machine compiles zig's C library
]

ODD = Architecture(leads=2, channels=(12, 24, 30), branches=(1, 3), d_state=5)
VARIANTS = [
    ODD,
    TINY,
    replace(ODD, kernel=5, pool_cap=None, expand=3, d_conv=1),
    replace(ODD, d_state=35, leads=12),
    replace(ODD, attention="figure", fusion="figure"),
    replace(ODD, unused_projections=True),
    replace(ODD, residual=True),
    replace(ODD, uncertainty=True),
    replace(ODD, leads=1, residual=True, uncertainty=True),
    replace(ODD, branches=(0, 3)),
    replace(ODD, channels=(20,), branches=()),
]
SETTINGS = Preprocessing(fs=250, window=200, overlap=81)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wasm")
    build_wasm(folder)
    return folder


def output_of(command: list[str], text: str, tries: int = 3) -> str:
    """Node's threads may lock up at exit (nodejs/node#54918): a process that hangs is repeated."""
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, check=True, timeout=120
        )
    except subprocess.TimeoutExpired:
        if tries == 1:
            raise
        return output_of(command, text, tries - 1)
    return str(done.stdout)


@pytest.fixture
def run(folder: Path) -> Run:
    """Runs jobs in Node: see run_wasm.mjs."""

    def run(*jobs: Job) -> list[Answer]:
        script = Path(__file__).with_name("run_wasm.mjs")
        text = json.dumps([{**job, "model": str(job["model"])} for job in jobs])
        command = ["node", "--single-threaded", str(script), str(folder)]
        answers: list[Answer] = json.loads(output_of(command, text.replace("NaN", "null")))
        return answers

    return run


def model_file(
    path: Path,
    architecture: Architecture = TINY,
    tensors: Tensors | None = None,
    settings: Preprocessing = SETTINGS,
) -> Path:
    model = ModelFile(
        name="of the test",
        architecture=architecture,
        preprocessing=settings,
        card={},
        tensors=tensors or random_tensors(architecture),
    )
    write_model(path, model)
    return path


def noise(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def ecg(samples: int, leads: int) -> Array:
    """Something with beats, an offset and noise, in mV."""
    time = np.arange(samples)[:, None] / 250 + 0.1 * np.arange(leads)
    beats = np.exp(-(((time % 0.8) - 0.4) ** 2) / 1e-3)
    signal: Array = (beats + 0.1 * noise(samples, leads) + 0.3).astype(np.float32)
    return signal


def values(answer: Answer, key: str = "y") -> Array:
    return np.array([np.nan if y is None else y for y in answer[key]], np.float32)


def assert_near(y: Array, expected: NDArray[np.floating[Any]], tolerance: float = 1e-5) -> None:
    expected = expected.reshape(-1)
    assert y.shape == expected.shape
    np.testing.assert_array_equal(np.isnan(y), np.isnan(expected))
    assert np.nanmax(np.abs(y - expected)) <= tolerance * np.nanstd(expected)


def test_equal_to_the_reference(run: Run, tmp_path: Path) -> None:
    architecture = infer_architecture(reference_tensors())
    tensors = from_reference(reference_tensors(), architecture)
    model = model_file(tmp_path / "m.safetensors", architecture, tensors)
    inputs = [reference_io()[f"x_{case}"] for case in "abc"]
    jobs = [{"model": model, "samples": x.shape[1], "x": x.ravel().tolist()} for x in inputs]
    for case, answer in zip("abc", run(*jobs), strict=True):
        assert_near(values(answer), reference_io()[f"y_{case}"])


def test_equal_to_the_oracle(run: Run, tmp_path: Path) -> None:
    jobs: list[Job] = []
    expected = []
    for i, architecture in enumerate(VARIANTS):
        model = model_file(tmp_path / f"{i}.safetensors", architecture)
        oracle = NumpyNetwork(architecture, random_tensors(architecture), np.float64)
        for length in (2, 75):
            x = noise(4, length, architecture.leads)
            jobs.append({"model": model, "samples": length, "x": x.ravel().tolist()})
            expected.append(oracle.run(x))
    for answer, y in zip(run(*jobs), expected, strict=True):
        assert_near(values(answer), y)


def spoiled() -> dict[str, Array]:
    """Signals (time, leads) that a recording may hold."""
    gaps = ecg(2000, 1)
    gaps[:30] = gaps[300:320] = gaps[800:1500] = gaps[1990:] = np.nan
    late = ecg(1500, 1)
    late[:600] = np.nan
    flat = ecg(1400, 1)
    flat[300:700] = 0.4
    drift = ecg(6000, 1) + np.linspace(-2, 5, 6000, dtype=np.float32)[:, None]
    return {
        "long": drift,
        "one window": ecg(200, 1),
        "short": ecg(37, 1),
        "no remainder": ecg(200 + 119 * 4, 1),
        "gaps": gaps,
        "late": late,
        "flat for a while": flat,
    }


@pytest.mark.parametrize("uncertainty", [False, True])
def test_cleans_as_the_package(run: Run, tmp_path: Path, uncertainty: bool) -> None:
    architecture = replace(TINY, uncertainty=uncertainty)
    model = model_file(tmp_path / "m.safetensors", architecture)
    assert_cleans_as_the_package(run, model, spoiled().values())


def test_leads_without_a_signal_come_back_unchanged(run: Run, tmp_path: Path) -> None:
    model = model_file(tmp_path / "m.safetensors", replace(TINY, uncertainty=True))
    signals = [np.full(500, 0.7, np.float32), np.full(500, np.nan, np.float32), noise(1)]
    jobs = [{"model": model, "fs": 250, "x": x.tolist()} for x in signals]
    for x, answer in zip(signals, run(*jobs), strict=True):
        np.testing.assert_array_equal(values(answer), x)
        assert np.isnan(values(answer, "spread")).all()


def test_cleans_several_leads_as_the_package(run: Run, tmp_path: Path) -> None:
    model = model_file(tmp_path / "m.safetensors", replace(ODD, leads=3, uncertainty=True))
    x = ecg(1200, 3)
    x[:, 1] = 0.2
    x[300:420, 2] = np.nan
    assert_cleans_as_the_package(run, model, [ecg(700, 3), x])


@pytest.mark.parametrize("seconds", [0.5, 2.99, 3.1, 5.996, 9])
def test_cleans_what_is_shorter_than_a_window_as_the_package(
    run: Run, tmp_path: Path, seconds: float
) -> None:
    settings = replace(SETTINGS, window=1500, overlap=500)
    model = model_file(tmp_path / "m.safetensors", settings=settings)
    assert_cleans_as_the_package(run, model, [ecg(round(seconds * 250), 1)], 5e-5)


def test_cleans_by_the_shipped_model_as_the_package(run: Run) -> None:
    assert_cleans_as_the_package(run, find_model("ipmdae-base"), [ecg(5000, 1)])


def assert_cleans_as_the_package(
    run: Run, model: Path, signals: Iterable[Array], tolerance: float = 2e-5
) -> None:
    # The loader runs the network alone, without the guard.
    denoiser = Network(model, limits=safeguards("beats", unreadable="network"))
    signals = list(signals)
    jobs = [
        {"model": model, "fs": denoiser.model.preprocessing.fs, "x": x.ravel().tolist()}
        for x in signals
    ]
    for x, answer in zip(signals, run(*jobs), strict=True):
        cleaned = denoiser.clean(Recording.from_array(x, jobs[0]["fs"]))
        assert_near(values(answer), cleaned.recording.signal, tolerance)  # both round
        if cleaned.sd is None:
            assert answer["spread"] is None
        else:
            assert_near(values(answer, "spread"), cleaned.sd, tolerance)


def test_bad_calls_are_refused(run: Run, tmp_path: Path) -> None:
    model = model_file(tmp_path / "m.safetensors", replace(TINY, leads=2))
    other_rate, half, windows = run(
        {"model": model, "fs": 360, "x": [0.0] * 10},
        {"model": model, "fs": 250, "x": [0.0] * 11},
        {"model": model, "samples": 4, "x": [0.0] * 12},
    )
    assert other_rate["error"] == "of the test works at 250 Hz: resample the signal of 360 Hz"
    assert half["error"] == "11 values are no signal of 2 leads"
    assert windows["error"] == "12 values are no whole windows of 4 samples"


def test_broken_files_are_refused_by_name(run: Run, tmp_path: Path) -> None:
    good = read_model(model_file(tmp_path / "good.safetensors"))
    whole = (tmp_path / "good.safetensors").read_bytes()
    name = "decoder.1.bias"

    def broken(tensors: Tensors | None = None, **metadata: str) -> Path:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.safetensors"
        save_file(
            good.tensors if tensors is None else tensors, path, {**metadata_of(good), **metadata}
        )
        return path

    def cut_to(length: int) -> Path:
        path = tmp_path / f"cut_{length}.safetensors"
        path.write_bytes(whole[:length])
        return path

    others = {key: value for key, value in good.tensors.items() if key != name}
    huge = tmp_path / "huge.safetensors"
    huge.write_bytes(b"\xff" * 8 + whole[8:])
    cases = {
        broken(others): f"tensor {name} (4) is missing",
        broken({**others, name: noise(5)}): f"tensor {name} has shape (5), expected (4)",
        broken({**others, name: noise(4).astype(np.float16)}): f"tensor {name} is stored as F16",
        broken({**others, name: noise(4) * np.float32(np.nan)}): f"tensor {name} holds NaN",
        broken({**good.tensors, "extra": noise(1)}): "tensor extra has no place",
        broken(format="other"): "format is other, expected ipmdae-1",
        broken(architecture="{"): "metadata field architecture is no JSON",
        broken(architecture='{"news": 1}'): "architecture: news is unknown",
        broken(architecture='{"kernel": 0}'): "kernel must be whole",
        broken(architecture='{"branches": [1, 3, 4, 8]}'): "channels and branches do not fit",
        broken(preprocessing='{"fs": 250, "window": 10, "overlap": 10}'): "overlap is out of range",
        cut_to(5): "it ends too early",
        cut_to(500): "it ends too early",
        cut_to(len(whole) - 4): "lies outside of the file",
        huge: "it ends too early",
    }
    jobs = [{"model": path, "fs": 250, "x": [0.0]} for path in cases]
    for answer, message in zip(run(*jobs), cases.values(), strict=True):
        assert message in answer["error"]


def test_tensors_that_do_not_fit_are_refused_by_the_library_itself(
    run: Run, tmp_path: Path
) -> None:
    path = model_file(tmp_path / "good.safetensors")
    sizes = [tensor.size for tensor in random_tensors(TINY).values()]
    lies = [[*sizes[:i], size + change] for i, size in enumerate(sizes) for change in (-1, 1)]
    answers = run(*({"model": path, "lengths": lengths} for lengths in (sizes, *lies)))
    assert answers[0] == {"y": []}
    for answer in answers[1:]:
        assert answer["error"] == "these tensors or windows are none of this architecture"


@pytest.mark.parametrize("uncertainty", [False, True])
def test_where_a_network_fails_the_signal_stays(
    run: Run, tmp_path: Path, uncertainty: bool
) -> None:
    architecture = replace(TINY, uncertainty=uncertainty)
    tensors = {name: tensor * 1e30 for name, tensor in random_tensors(architecture).items()}
    path = model_file(tmp_path / "failing.safetensors", architecture, tensors)
    x = ecg(600, 1)[:, 0]
    (answer,) = run({"model": path, "fs": 250, "x": x.tolist()})
    np.testing.assert_allclose(values(answer), x, atol=1e-6)
    if uncertainty:
        assert set(answer["spread"]) == {"Infinity"}

"""Denoising by the web page's core, in Node: equal to the package.

Its network in WebAssembly is equal to the reference and to the oracle.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from excerpts import NSTDB, QTDB
from networks import TINY, random_tensors, reference_io, reference_tensors
from numpy.typing import NDArray
from safetensors.numpy import save_file

import ipmdae
from ipmdae import examples
from ipmdae.architecture import Architecture
from ipmdae.engine import ModelFile, Preprocessing, find_model, read_model, write_model
from ipmdae.engine.model_file import metadata_of
from ipmdae.engine.numpy_network import NumpyNetwork
from ipmdae.inspection.files import Inspection, Inspector
from ipmdae.inspection.verdict import verdicts
from ipmdae.lab.nn.reference_names import from_reference, infer_architecture
from ipmdae.pipeline.resample import resample
from ipmdae.quality import Reason
from ipmdae.recording import Recording
from ipmdae.result import Result
from tools.build_wasm import build_wasm

Array = NDArray[np.float32]
Signal = NDArray[np.float64]
Tensors = dict[str, Array]
Job = dict[str, Any]
Answer = dict[str, Any]
Run = Callable[..., list[Answer]]

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("node") is None
        or importlib.util.find_spec("ziglang") is None
        or not (ROOT / "web/node_modules/vite").is_dir(),
        reason="needs Node, the package ziglang, and `npm ci` in web",
    ),
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
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs jobs in Node: see run_wasm.mjs."""
    folder = tmp_path_factory.mktemp("wasm")
    build_wasm(folder)

    def run(*jobs: Job) -> list[Answer]:
        signals = [np.ravel(job.pop("signal", ())).astype(np.float64) for job in jobs]
        np.concatenate([np.zeros(0), *signals]).tofile(folder / "signals.f64")
        (folder / "jobs.json").write_text(json.dumps(jobs, default=str))
        run_node("node", "--single-threaded", str(ROOT / "tests/helpers/run_wasm.mjs"), str(folder))
        answers: list[Answer] = json.loads((folder / "answers.json").read_text())
        cleaned = np.fromfile(folder / "cleaned.f64")
        for job, answer in zip(jobs, answers, strict=True):
            if "verdicts" in answer:
                count = len(job["recording"]["leads"]) * job["samples"]
                answer["cleaned"] = cleaned[:count].reshape(-1, job["samples"]).T
                cleaned = cleaned[count:]
        return answers

    return run


def run_node(*command: str, tries: int = 3) -> None:
    """Node's threads may lock up at exit (nodejs/node#54918): a process that hangs is repeated."""
    try:
        subprocess.run(command, check=True, timeout=180)
    except subprocess.TimeoutExpired:
        if tries == 1:
            raise
        run_node(*command, tries=tries - 1)


def windows_job(model: Path, x: Array) -> Job:
    """Windows (batch, time, leads) to run through the network alone."""
    return {"model": model, "samples": x.shape[1], "values": x.size, "signal": x}


def denoising(model: Path, recording: Recording, **options: object) -> Job:
    names = zip(recording.leads, recording.units, strict=True)
    leads = [{"name": name, "unit": unit} for name, unit in names]
    known = {"name": "test", "fs": recording.fs, "leads": leads, "comments": recording.comments}
    samples, signal = recording.samples, recording.signal.T
    return {
        "model": model,
        "samples": samples,
        "signal": signal,
        "recording": known,
        "options": options,
    }


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


def assert_near(answer: Answer, expected: NDArray[np.floating[Any]]) -> None:
    expected = expected.reshape(-1)
    y = np.array(answer["y"], np.float32)
    assert y.shape == expected.shape
    assert np.abs(y - expected).max() <= 1e-5 * expected.std()


def test_the_network_is_equal_to_the_reference(run: Run, tmp_path: Path) -> None:
    architecture = infer_architecture(reference_tensors())
    tensors = from_reference(reference_tensors(), architecture)
    model = model_file(tmp_path / "m.safetensors", architecture, tensors)
    jobs = [windows_job(model, reference_io()[f"x_{case}"]) for case in "abc"]
    for case, answer in zip("abc", run(*jobs), strict=True):
        assert_near(answer, reference_io()[f"y_{case}"])


def test_the_network_is_equal_to_the_oracle(run: Run, tmp_path: Path) -> None:
    jobs: list[Job] = []
    expected = []
    for i, architecture in enumerate(VARIANTS):
        model = model_file(tmp_path / f"{i}.safetensors", architecture)
        oracle = NumpyNetwork(architecture, random_tensors(architecture), np.float64)
        for length in (2, 75):
            x = noise(4, length, architecture.leads)
            jobs.append(windows_job(model, x))
            expected.append(oracle.run(x))
    for answer, y in zip(run(*jobs), expected, strict=True):
        assert_near(answer, y)


@dataclass(frozen=True)
class Case:
    """A recording, and how it is denoised."""

    recording: Recording
    model: str = "ipmdae-base"
    mode: str = "monitoring"
    unreadable: str = "classical"
    strength: float = 1.0
    mains: int | None = None
    asked: int | str = "off"
    """Powerline interference that the web page is told to remove."""

    @property
    def options(self) -> dict[str, Any]:
        names = ("mode", "unreadable", "strength")
        return {name: getattr(self, name) for name in names} | {"mains": self.asked}

    def expected(self) -> tuple[Result[Recording], list[str]]:
        """The package's result, and its warnings."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = ipmdae.denoise(
                self.recording,
                method=self.model,
                mode=self.mode,
                unreadable=self.unreadable,
                strength=self.strength,
                mains=self.mains,
                return_details=True,
            )
        return result, sorted({str(warning.message) for warning in caught})


def excerpt(path: Path, seconds: float = 30, start: float = 0, fs: float = 0) -> Recording:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*states no gain")
        recording = ipmdae.read(path).excerpt(start, seconds)
    return at_rate(recording, fs) if fs else recording


def at_rate(recording: Recording, fs: float) -> Recording:
    signal = resample(recording.signal, recording.fs, fs)
    return Recording(signal=signal, fs=fs, leads=recording.leads)


def with_signal(recording: Recording, change: Callable[[Signal], None]) -> Recording:
    signal = recording.signal.copy()
    change(signal)
    return recording.with_signal(signal)


def gaps(x: Signal) -> None:
    x[:900, 0] = x[3000:3040] = x[5000:7000, 1] = x[-500:] = x[::777] = np.nan


def interference(x: Signal) -> None:
    t = np.arange(len(x))[:, None] / 360
    x += 0.2 * np.sin(2 * np.pi * 50.1 * t) + 0.05 * np.sin(2 * np.pi * 150.3 * t)


def wander(x: Signal) -> None:
    x += np.cumsum(np.random.default_rng(0).normal(0, 0.01, x.shape), axis=0)


def spikes(x: Signal) -> None:
    x[100::800] += 1.5
    x[101::800] += 1.5


def spikes_of_two_chambers_for_a_time(x: Signal) -> None:
    paced = x[5000:37_000]
    paced[100::800] += 2
    paced[300::800] += 0.5


def microvolts(x: Signal) -> None:
    x *= 1000


def odd_leads(recording: Recording) -> Recording:
    """Leads that are flat, for a while or always, saturated, empty, and no voltage."""
    x = recording.signal[:, 0]
    flat, empty, interrupted = np.full(len(x), 0.3), np.full(len(x), np.nan), x.copy()
    interrupted[3000:9500], stuck = 0.2, x.copy()
    stuck[7000:8200] = x.max()
    leads = [x, stuck, flat, empty, interrupted, x]
    units = ("mV",) * 5 + ("mmHg",)
    return Recording(
        signal=np.column_stack(leads), fs=recording.fs, leads=tuple("abcdef"), units=units
    )


def twelve_leads(recording: Recording) -> Recording:
    """Limb leads that obey Einthoven's and Goldberger's equations, with offsets, and others."""
    i, ii = recording.signal.T
    limbs = [i, ii, ii - i, -(i + ii) / 2, i - ii / 2, ii - i / 2]
    chest = [i, ii, (i + ii) / 2, i - 0.2 * ii, 0.3 * i, 0.7 * ii]
    signal = np.column_stack([*limbs, *chest]) + 0.1 * np.arange(12)
    names = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
    return Recording(signal=signal, fs=recording.fs, leads=names)


def moving(recording: Recording) -> Recording:
    """A recording with the noise of moving electrodes, at 250 Hz."""
    noise = excerpt(NSTDB / "em", recording.duration, fs=250).signal
    return recording.with_signal(recording.signal + noise[: recording.samples])


NOISY, CALM = examples.path("118e06_excerpt"), examples.path("118e24_excerpt")

CASES: dict[str, Callable[[], Case]] = {
    **{
        f"{fs:g} Hz": lambda fs=fs: Case(excerpt(NOISY, 21, 30, fs), unreadable="network")  # type: ignore[misc]
        for fs in (100, 125, 250, 257, 360, 500, 977, 1000, 3999.7)
    },
    **{
        f"mode {mode}": lambda mode=mode: Case(excerpt(CALM), "ipmdae-small", mode)  # type: ignore[misc]
        for mode in ipmdae.safeguards.MODES
    },
    **{
        f"unreadable {value}": lambda value=value: Case(  # type: ignore[misc]
            excerpt(NOISY, 32, 28), unreadable=value
        )
        for value in ("classical", "network", "raw", "blank")
    },
    "strength": lambda: Case(
        excerpt(NOISY), "ipmdae-nano", unreadable="raw", strength=0.7, mains=60, asked=60
    ),
    "gaps": lambda: Case(with_signal(excerpt(CALM), gaps), mains=60, asked=60),
    "odd leads": lambda: Case(odd_leads(excerpt(CALM)), mains=50, asked=50),
    "twelve leads": lambda: Case(
        twelve_leads(excerpt(CALM, 20, fs=500)), mode="beats", mains=50, asked=50
    ),
    "paced": lambda: Case(with_signal(excerpt(CALM, fs=1000), spikes)),
    "paced for a time": lambda: Case(
        with_signal(excerpt(CALM, 50, fs=1000), spikes_of_two_chambers_for_a_time), "ipmdae-nano"
    ),
    "interference": lambda: Case(with_signal(excerpt(CALM), interference), mode="gentle"),
    "interference found": lambda: Case(
        with_signal(excerpt(CALM), interference), mains=50, asked="auto"
    ),
    "no interference found": lambda: Case(excerpt(CALM, fs=100), asked="auto"),
    "wander": lambda: Case(with_signal(excerpt(CALM), wander), mode="diagnostic"),
    "motion": lambda: Case(moving(excerpt(QTDB / "sel100")), mode="beats"),
    "long": lambda: Case(excerpt(NSTDB / "ma", 122), "ipmdae-nano"),
    "microvolts": lambda: Case(with_signal(excerpt(CALM, 8), microvolts), "ipmdae-nano"),
    **{
        f"{n} samples": lambda n=n: Case(excerpt(CALM, n / 360), "ipmdae-nano")  # type: ignore[misc]
        for n in (1, 2, 37, 900, 1081, 7201)
    },
}


@pytest.fixture(scope="module")
def answers(run: Run) -> dict[str, tuple[Case, Answer]]:
    cases = {name: make() for name, make in CASES.items()}
    jobs = [denoising(find_model(c.model), c.recording, **c.options) for c in cases.values()]
    return dict(zip(cases, zip(cases.values(), run(*jobs), strict=True), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_denoises_as_the_package(name: str, answers: dict[str, tuple[Case, Answer]]) -> None:
    case, answer = answers[name]
    result, warned = case.expected()
    assert_alike(answer, result)
    found = inspection(result)
    unchanged = (c for c in result.recording.comments if c.startswith("Unchanged, "))
    reasons = (comment.removeprefix("Unchanged, ").split(": ", 1) for comment in unchanged)
    why = {lead: reason for reason, lead in reasons}
    for verdict, expected in zip(answer["verdicts"], verdicts(found, why), strict=True):
        for key in ("lead", "why", "grade", "reasons"):
            assert verdict[key] == getattr(expected, key), key
        for key in ("good", "limited", "unusable", "removed"):
            value = np.nan if verdict[key] is None else verdict[key]
            assert value == pytest.approx(getattr(expected, key), rel=1e-3, nan_ok=True), key
    stated = (text.replace("ipmdae denoise --", "") for text in found.warnings(hum=not case.mains))
    assert sorted(answer["warnings"]) == sorted([*stated, *warned])


def inspection(result: Result[Recording]) -> Inspection:
    inspector = Inspector(result.noisy.header)
    inspector.add(result.noisy.signal, result.recording.signal, result.sd, result.trust)
    return inspector.result()


def assert_alike(answer: Answer, result: Result[Recording]) -> None:
    """Equal comments, grades and reasons; samples within 0.1 % of a lead's standard deviation."""
    noisy, expected, cleaned = result.noisy, result.recording.signal, answer["cleaned"]
    assert tuple(answer["comments"]) == result.recording.comments
    np.testing.assert_array_equal(np.isnan(cleaned), np.isnan(expected))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # leads without a sample
        error, sd = np.nanmax(np.abs(cleaned - expected), axis=0), np.nanstd(noisy.signal, axis=0)
    assert not (error > 1e-3 * sd).any(), error / sd
    quality = result.quality
    voltages = [i for i, unit in enumerate(noisy.units) if unit == "mV"]
    for column, lead in enumerate(voltages):
        assert answer["grades"][lead] == quality.grade[:, column].tolist()
        assert answer["reasons"][lead] == [Reason(r).words for r in quality.reason[:, column]]
    for lead in set(range(len(noisy.leads))) - set(voltages):
        assert answer["grades"][lead] == [255] * len(quality.reason)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("uncertainty", [False, True])
def test_other_networks_denoise_as_in_the_package(
    run: Run, tmp_path: Path, uncertainty: bool
) -> None:
    recording = with_signal(excerpt(QTDB / "sel100", 9), lambda x: x[300:420, 1].fill(np.nan))
    three = replace(ODD, leads=3, uncertainty=uncertainty)
    tiny = replace(TINY, uncertainty=uncertainty)
    failing = {name: tensor * 1e30 for name, tensor in random_tensors(tiny).items()}
    cases = [
        (tiny, None, recording),
        (three, None, recording.with_leads([0, 1, 0])),
        (tiny, failing, recording),
    ]
    files = [
        model_file(tmp_path / f"{i}.safetensors", architecture, tensors)
        for i, (architecture, tensors, _) in enumerate(cases)
    ]
    jobs = [denoising(file, x) for file, (_, _, x) in zip(files, cases, strict=True)]
    answers = run(*jobs)
    for answer, file, (_, _, x) in zip(answers, files, cases, strict=True):
        assert_alike(answer, ipmdae.denoise(x, method=file, return_details=True))
    failed = ["finite" in " ".join(answer["warnings"]) for answer in answers]
    assert failed == [False, False, True]


def test_bad_calls_are_refused_in_the_words_of_the_package(run: Run, tmp_path: Path) -> None:
    three = model_file(tmp_path / "m.safetensors", replace(TINY, leads=3))
    model, x = find_model("ipmdae-nano"), excerpt(CALM, 2)
    calls: list[tuple[Path, Recording, dict[str, Any]]] = [
        (model, replace(x, fs=59.9), {}),
        (model, replace(x, fs=5000), {}),
        (model, x, {"strength": 1.5}),
        (model, x, {"mode": "harsh"}),
        (model, x, {"unreadable": "none"}),
        (model, x, {"mains": 55}),
        (model, replace(x, fs=100), {"mains": 50}),
        (three, x, {}),
    ]
    answers = run(*(denoising(file, x, **options) for file, x, options in calls))
    for answer, (file, x, options) in zip(answers, calls, strict=True):
        with pytest.raises(ValueError, match=f"^{re.escape(answer['error'])}$"):
            ipmdae.denoise(x, method=file, **options)
    (windows,) = run(windows_job(three, noise(1, 4, 2)))
    assert windows["error"] == "8 values are no whole windows of 4 samples"


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
    jobs = [windows_job(path, noise(1, 2, 1)) for path in cases]
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

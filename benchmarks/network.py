"""Whole networks, window by window and in batches, in everything that can run them."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING

from benchmarks.instruction_sets import available, using
from benchmarks.part import Goal, Results, Settings
from benchmarks.process import isolated
from benchmarks.tables import number, plural, skipped, timings
from benchmarks.timing import interleaved, summary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ipmdae.architecture import Architecture
    from ipmdae.engine import ModelFile

    Array = NDArray[np.float32]

NAME = "network"
TITLE = "Whole networks"

REFERENCE = "Ultralight_IPM_DAE"
"""The paper's network: two leads, windows of 5 s at 250 Hz."""

_ROUNDS = 7
_TOLERANCE = 1e-4  # of the standard deviation of the output


def reference_model() -> ModelFile:
    """The paper's network with random weights, which cost the same as others."""
    from ipmdae.architecture import Architecture
    from ipmdae.engine import ModelFile, Preprocessing

    return ModelFile(
        name=REFERENCE,
        architecture=Architecture(),
        preprocessing=Preprocessing(fs=250.0, window=1250, overlap=0),
        card={},
        tensors=_random_tensors(Architecture()),
    )


def _random_tensors(architecture: Architecture) -> dict[str, Array]:
    """Weights of a scale that keeps a signal alive through the network."""
    import numpy as np

    from ipmdae.engine.shapes import expected_shapes

    generator = np.random.default_rng(0)
    tensors = {}
    for name, shape in expected_shapes(architecture).items():
        tensor = generator.standard_normal(shape, np.float32) / max(prod(shape[1:]), 1) ** 0.5
        if ".A_log_" in name:
            tensor = np.log(np.arange(1, shape[1] + 1)) + 0.1 * tensor
        tensors[name] = tensor.astype(np.float32)
    return tensors


def models() -> list[ModelFile]:
    """The paper's network, then those that ship."""
    from ipmdae.engine import model_names, model_path, read_model

    return [reference_model(), *(read_model(model_path(name)) for name in model_names())]


def measure(settings: Settings) -> Results:
    large = 8 if settings.quick else 64
    cases: list[Results] = []
    reasons: dict[str, str] = {}
    for batch, threads in ((1, 1), (large, settings.threads)):
        # ONNX Runtime and NumPy take their number of threads when they are loaded.
        found, missing = isolated(_cases, settings, batch, threads, threads=threads)
        cases += found
        reasons |= missing
    return {"cases": cases, "skipped": reasons}


def _cases(settings: Settings, batch: int, threads: int) -> tuple[list[Results], dict[str, str]]:
    import torch

    from ipmdae import native
    from ipmdae.engine.complexity import multiply_accumulates, parameters

    torch.set_num_threads(threads)
    if native.available():
        native.set_threads(threads)
    cases: list[Results] = []
    reasons: dict[str, str] = {}
    for model in models():
        windows = _windows(model, batch)
        # Compiling takes a minute: once for the paper's network is enough.
        compiled = model.name == REFERENCE and not settings.quick
        candidates, missing = _candidates(model, compiled)
        reasons |= missing
        _check(candidates, windows)
        calls = {name: _bound(run, windows) for name, run in candidates.items()}
        with torch.inference_mode():
            samples = interleaved(calls, settings.rounds(_ROUNDS))
        samples_per_window = model.preprocessing.window
        cases.append(
            {
                "network": model.name,
                "parameters": parameters(model.architecture),
                "macs": sum(multiply_accumulates(model.architecture, samples_per_window).values()),
                "window": list(windows.shape[1:]),
                "seconds": samples_per_window / model.preprocessing.fs,
                "batch": batch,
                "threads": threads,
                "samples": samples,
            }
        )
    return cases, reasons


def _windows(model: ModelFile, batch: int) -> Array:
    import numpy as np

    shape = batch, model.preprocessing.window, model.architecture.leads
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def _candidates(
    model: ModelFile, compiled: bool
) -> tuple[dict[str, Callable[[Array], Array]], dict[str, str]]:
    """Runtimes of the network, this package's first, and why others cannot run it."""
    import torch

    from ipmdae.engine import open_engine
    from ipmdae.lab.nn.checkpoints import from_model_file

    found: dict[str, Callable[[Array], Array]] = {}
    for name in available():
        found[f"native, {name}"] = using(name, open_engine)(model, "native").run
    found["numpy"] = open_engine(model, "numpy").run
    network = from_model_file(model)
    found["torch eager, our scan"] = _in_torch(network)
    if compiled:
        found["torch.compile, our scan"] = _in_torch(torch.compile(network, dynamic=False))
    try:
        found["ONNX Runtime"] = open_engine(model, "onnx").run
    except ModuleNotFoundError as error:
        return found, {"ONNX Runtime": str(error)}
    return found, {}


def _in_torch(network: Callable[..., object]) -> Callable[[Array], Array]:
    import torch

    def run(windows: Array) -> Array:
        with torch.inference_mode():
            y = network(torch.from_numpy(windows))
        assert isinstance(y, torch.Tensor)
        result: Array = y.numpy()
        return result

    return run


def _check(candidates: dict[str, Callable[[Array], Array]], windows: Array) -> None:
    """Raise unless all compute the same, as far as float32 goes."""
    exact = candidates["numpy"](windows)
    for name, run in candidates.items():
        difference = float(abs(run(windows) - exact).max() / exact.std())
        if not difference <= _TOLERANCE:
            raise ArithmeticError(f"{name} is off by {difference:.1e} standard deviations")


def _bound(run: Callable[[Array], Array], windows: Array) -> Callable[[], object]:
    return lambda: run(windows)


def section(results: Results) -> str:
    text = [
        "Random weights for the paper's network, the shipped ones for the others; white noise in. "
        "All results were compared before. Times are of one window.\n"
    ]
    for case in results["cases"]:
        time, leads = case["window"]
        text.append(
            f"{case['network']}, {case['parameters']:,} weights, {number(case['macs'] / 1e6)} "
            f"million multiply-accumulates for {time} samples of {plural(leads, 'lead')} "
            f"({case['seconds']:g} s), batch {case['batch']}, "
            f"{plural(case['threads'], 'thread')}:\n"
        )
        base = next(iter(case["samples"]))
        text.append(timings(case["samples"], base, per=case["batch"]))
    return "\n".join([*text, skipped(results["skipped"])])


def goals(results: Results) -> list[Goal]:
    for case in results["cases"]:
        ours = next(iter(case["samples"]))
        if case["network"] == REFERENCE and case["batch"] == 1 and ours.startswith("native"):
            value = summary(case["samples"][ours]).median * 1e3
            figure = "reference network, one window of 5 s, one thread (ms)"
            return [Goal(figure=figure, bound=3.0, value=value)]
    return []

"""Throughput of the network's convolutions and projections relative to the peak of one core."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.network import REFERENCE, reference_model
from benchmarks.part import Goal, Results, Settings, UnavailableError
from benchmarks.process import isolated
from benchmarks.tables import number, table
from benchmarks.timing import interleaved, ratio, summary

if TYPE_CHECKING:
    from benchmarks.products import Plan
    from ipmdae.engine import ModelFile

NAME = "roofline"
TITLE = "Against the limits of one core"

_ROUNDS = 15
_STEPS = 1_000_000  # of a dozen vectors: some hundred ms
_TRIAD = 1 << 24  # floats, 64 MiB: beyond any cache
_MATRIX = 1024


def measure(settings: Settings) -> Results:
    return isolated(_measure, settings, threads=1)


def _measure(settings: Settings) -> Results:
    import numpy as np

    from benchmarks.core import Core, Products, aligned
    from benchmarks.products import Plan
    from ipmdae import native
    from ipmdae.engine import open_engine

    if not native.available():
        raise UnavailableError("the native library is not built")
    core, model = Core(native.instruction_set()), reference_model()
    plan = Plan(model.architecture, model.preprocessing.window, core.width, core.chunk)
    products, engine = Products(core, plan), open_engine(model, "native")
    shape = 1, model.preprocessing.window, model.architecture.leads
    window = np.random.default_rng(0).standard_normal(shape, np.float32)
    left = np.random.default_rng(1).standard_normal((_MATRIX, _MATRIX), np.float32)
    steps, floats = (_STEPS // 100, _TRIAD // 100) if settings.quick else (_STEPS, _TRIAD)
    layers: list[list[float]] = []
    samples = interleaved(
        {
            "multiply-add": partial(core.multiply_add, steps),
            "triad": partial(core.triad, *(aligned(floats) for _ in range(3))),
            "sgemm": partial(np.matmul, left, left, out=np.empty_like(left)),
            "products": lambda: layers.append(products.run().tolist()),
            "network": partial(engine.run, window),
        },
        settings.rounds(_ROUNDS),
    )
    return {
        "instruction set": native.instruction_set(),
        "samples": samples,
        "operations": {"multiply-add": core.flops * steps, "sgemm": 2 * _MATRIX**3},
        "bytes": 3 * 4 * floats,
        "layers": _by_layer(plan, np.median(layers, axis=0).tolist()),
        "network": _cost(model),
    }


def _by_layer(plan: Plan, seconds: list[float]) -> list[Results]:
    """Seconds, and multiply-accumulates that the network needs, for each kind of layer."""
    rows: dict[int, int] = defaultdict(int)
    for index, count, *_ in plan.calls:
        rows[index] += count
    found: dict[str, Results] = {}
    for index, product in enumerate(plan.products):
        layer = found.setdefault(product.layer, {"layer": product.layer, "macs": 0, "seconds": 0.0})
        layer["macs"] += product.macs * rows[index]
        layer["seconds"] += seconds[index]
    return list(found.values())


def _cost(model: ModelFile) -> Results:
    """Least work of a window: multiply-accumulates, and bytes of weights, input and output."""
    from ipmdae.engine.complexity import multiply_accumulates

    window, leads = model.preprocessing.window, model.architecture.leads
    weights = sum(tensor.size for tensor in model.tensors.values())
    return {
        "macs": multiply_accumulates(model.architecture, window),
        "bytes": 4 * (weights + 2 * window * leads),
    }


def _peak(results: Results) -> float:
    """Operations a second of one core, in registers."""
    operations: float = results["operations"]["multiply-add"]
    return operations / summary(results["samples"]["multiply-add"]).median


def _share(results: Results) -> float:
    """Share of the peak that the products reach: the median over rounds."""
    macs: int = sum(layer["macs"] for layer in results["layers"])
    operations: float = results["operations"]["multiply-add"]
    return 2 * macs / operations / ratio(results["samples"], "products", "multiply-add")


def section(results: Results) -> str:
    samples, peak = results["samples"], _peak(results)
    sgemm = results["operations"]["sgemm"] / summary(samples["sgemm"]).median
    bandwidth = results["bytes"] / summary(samples["triad"]).median
    cost, seconds = results["network"], summary(samples["network"]).median
    macs, part = sum(cost["macs"].values()), ratio(samples, "products", "network")
    lines = [
        f"- {number(peak / 1e9)} GFLOP/s: multiply-adds of vectors in registers "
        f"({results['instruction set']})",
        f"- {number(sgemm / 1e9)} GFLOP/s: NumPy's product of matrices of {_MATRIX} by {_MATRIX}",
        f"- {number(bandwidth / 1e9)} GB/s: a = b + 3 c over arrays beyond the caches",
    ]
    kinds = ", ".join(f"{name} {number(count / 1e6)}" for name, count in cost["macs"].items())
    return "\n".join(
        [
            "One core reaches\n",
            "\n".join(lines) + "\n",
            f"A window of the reference network takes {number(macs / 1e6)} million "
            f"multiply-accumulates ({kinds}) and reads and writes at least "
            f"{number(cost['bytes'] / 1e6)} MB, {number(2 * macs / cost['bytes'])} operations a "
            f"byte: at the rates above {number(2e3 * macs / peak)} ms and "
            f"{number(1e3 * cost['bytes'] / bandwidth)} ms. Arithmetic bounds it, not memory. "
            f"Measured: {number(seconds * 1e3)} ms.\n",
            "Convolutions and projections are products with matrices. For this table they ran by "
            "themselves, by the same code, compiled alike, in the order of the network and on "
            "arrays laid out as there, with a clock around each; scan, norms, activations and "
            f"pooling were left out. They take {part:.0%} of the time that the whole network takes "
            "beside them in turn. Counted are the multiply-accumulates that the network needs, not "
            "those with padding:\n",
            _table(results, peak),
            "The exponentials, divisions and reductions of the scan, the activations and norms are "
            "not counted as operations here: they are the rest of the time.\n",
        ]
    )


def _table(results: Results, peak: float) -> str:
    layers = list(results["layers"])
    layers.append(
        {
            "layer": "all",
            "macs": sum(layer["macs"] for layer in layers),
            "seconds": sum(layer["seconds"] for layer in layers),
        }
    )
    rows = [
        [
            layer["layer"],
            number(layer["macs"] / 1e6),
            number(layer["seconds"] * 1e3),
            number(2 * layer["macs"] / layer["seconds"] / 1e9),
            f"{2 * layer['macs'] / layer['seconds'] / peak:.0%}",
        ]
        for layer in layers
    ]
    return table(["", "multiply-accumulates (10^6)", "ms", "GFLOP/s", "of the peak"], rows)


def goals(results: Results) -> list[Goal]:
    figure = f"convolutions and projections of {REFERENCE}, of the peak of a core (%)"
    return [Goal(figure=figure, bound=60.0, value=100 * _share(results), at_most=False)]

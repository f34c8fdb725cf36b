"""A day of two leads, from file to file, against other packages; and the network alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from benchmarks.network import REFERENCE, reference_model
from benchmarks.part import Goal, Results, Settings
from benchmarks.process import run_in_turn
from benchmarks.tables import megabytes, number, plural, table, timings
from benchmarks.timing import Samples, interleaved, ratio, summary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ipmdae.methods.network import Network
    from ipmdae.recording import Recording

NAME = "recording"
TITLE = "A recording of 24 hours, two leads at 250 Hz"

OURS, NEUROKIT, BUTTERWORTH = "ipmdae denoise", "NeuroKit2 ecg_clean", "zero-phase Butterworth"

_ROUNDS = 2  # of minutes each
_DAY, _HOUR = 86_400, 3_600
_BATCH = 64


def clean(record: Path, out: Path) -> list[str]:
    """The words of our command, after that of the interpreter."""
    return ["-m", "ipmdae", "denoise", str(record), "-o", str(out), "--overwrite"]


def measure(settings: Settings) -> Results:
    day = 60 if settings.quick else _DAY
    rounds = settings.rounds(_ROUNDS)
    compared = compare(day, settings, rounds)
    return compared | {"reference": _network(day, settings.threads, rounds)}


def compare(seconds: int, settings: Settings, rounds: int) -> Results:
    """Clean a recording of so many seconds by each package, and by our steps."""
    from benchmarks import holter

    with TemporaryDirectory() as name:
        folder = Path(name)
        record = holter.write(folder, seconds)
        other = ["-m", "benchmarks.filter_record"]
        commands = {
            OURS: clean(record, folder / "ours"),
            NEUROKIT: [*other, "neurokit", str(record), str(folder / "neurokit")],
            BUTTERWORTH: [*other, "butterworth", str(record), str(folder / "butterworth")],
        }
        used = run_in_turn(commands, rounds, settings.threads)
        part = 20 if settings.quick else _HOUR
        stages = _stages(holter.write(folder, part), folder / "stages", rounds)
    return {
        "seconds": seconds,
        "threads": settings.threads,
        "used": used,
        "stages": {"seconds": part, "samples": stages},
    }


def _stages(record: Path, out: Path, rounds: int) -> Samples:
    """Seconds of each step of cleaning ``record``, taken by itself.

    The rest is what :meth:`ipmdae.methods.network.Network.clean` takes more than its network and
    the guard.
    """
    import numpy as np

    from ipmdae import formats
    from ipmdae.engine import open_engine
    from ipmdae.methods.network import Network
    from ipmdae.pipeline.guard import guard

    denoiser, recording = Network(), formats.read(record)
    model = denoiser.model
    settings, leads = model.preprocessing, recording.signal.shape[1]
    behind_the_first = round(recording.duration * settings.fs) - settings.window
    count = -(-behind_the_first // (settings.window - settings.overlap)) + 1
    shape = _BATCH, settings.window, model.architecture.leads
    windows = np.random.default_rng(0).standard_normal(shape, np.float32)
    run, count = open_engine(model).run, count * leads // model.architecture.leads
    guarded = _inputs_of_the_guard(denoiser, recording)
    steps: dict[str, Callable[[], object]] = {
        "read": lambda: formats.read(record),
        "network": lambda: _repeated(run, windows, count),
        "guard": lambda: [guard(*inputs) for inputs in guarded],
        "resample, cut, scale, blend": lambda: denoiser.clean(recording),
        "write": lambda: formats.write(recording, out),
    }
    samples = interleaved(steps, rounds)
    whole = samples["resample, cut, scale, blend"]
    parts = zip(whole, samples["network"], samples["guard"], strict=True)
    rest = [one - network - guarded for one, network, guarded in parts]
    return samples | {"resample, cut, scale, blend": rest}


def _inputs_of_the_guard(denoiser: Network, recording: Recording) -> list[tuple[Any, ...]]:
    """The arguments of each call of the guard while a recording is cleaned."""
    from ipmdae.pipeline.guard import guard

    calls: list[tuple[Any, ...]] = []

    def keeping(*arguments: Any) -> Any:
        calls.append(arguments)
        return guard(*arguments)

    with patch("ipmdae.pipeline.network.guard", keeping):
        denoiser.clean(recording)
    return calls


def _repeated(
    run: Callable[[NDArray[np.float32]], object], batch: NDArray[np.float32], count: int
) -> None:
    """Run ``count`` windows, the same batch over and over."""
    for done in range(0, count, len(batch)):
        run(batch[: count - done])


def _network(seconds: int, threads: int, rounds: int) -> Results:
    """Seconds of the paper's network alone for all windows, which hold both leads."""
    import numpy as np

    from ipmdae import native
    from ipmdae.engine import open_engine

    if native.available():
        native.set_threads(threads)
    model = reference_model()
    engine, window = open_engine(model), model.preprocessing.window
    shape = _BATCH, window, model.architecture.leads
    batch = np.random.default_rng(0).standard_normal(shape, np.float32)
    count = round(seconds * model.preprocessing.fs) // window
    engine.run(batch)
    samples = []
    for _ in range(rounds):
        started = time.perf_counter()
        _repeated(engine.run, batch, count)
        samples.append(time.perf_counter() - started)
    return {"windows": count, "samples": samples}


def section(results: Results) -> str:
    alone = results["reference"]
    network = summary(alone["samples"])
    return (
        f"{comparison(results)}\n{REFERENCE} alone, {alone['windows']:,} windows of 5 s without "
        f"overlap, both leads in each: {number(network.median)} s (least "
        f"{number(network.least)} s, spread {network.spread:.0%}).\n"
    )


def comparison(results: Results) -> str:
    """Tables of what :func:`compare` measured."""
    used, hours = results["used"], results["seconds"] / _HOUR
    walls = {name: samples["seconds"] for name, samples in used.items()}
    rows = []
    for name, samples in used.items():
        seconds = summary(samples["seconds"])
        rows.append(
            [
                name,
                number(seconds.median),
                number(seconds.least),
                f"{seconds.spread:.0%}",
                "" if name == OURS else f"{number(ratio(walls, name, OURS))}x",
                number(summary(samples["processor"]).median),
                f"{number(results['seconds'] / seconds.median)}x",
                megabytes(max(samples["peak"])),
            ]
        )
    header = ["", "median (s)", "least", "spread", "to ours", "processor (s)"]
    header += ["times real time", "peak memory"]
    stages = results["stages"]
    scale = results["seconds"] / stages["seconds"]
    scaled = {
        name: [value * scale for value in samples] for name, samples in stages["samples"].items()
    }
    return "\n".join(
        [
            f"{number(hours)} hours in a WFDB record, made of the shipped example with gains and "
            "noise that change each minute. From file to file, each in a new process, "
            f"{plural(results['threads'], 'thread')}, "
            f"{plural(len(walls[OURS]), 'round')}; the other two read and write by wfdb.\n",
            table(header, rows),
            f"Steps of ours, each by itself on {number(stages['seconds'] / _HOUR)} h held in "
            "memory, and scaled to the whole; resampling, windows and their blending are what "
            "cleaning takes more than the network and the guard do for as many windows:\n",
            timings(scaled, "network", unit="s"),
        ]
    )


def goals(results: Results) -> list[Goal]:
    alone, threads = results["reference"], plural(results["threads"], "thread")
    figure = f"reference network alone, {alone['windows']:,} windows, {threads} (s)"
    return [Goal(figure=figure, bound=25.0, value=summary(alone["samples"]).median)]

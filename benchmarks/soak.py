"""A live signal of a week, as fast as it goes: memory stays flat, and every sample comes out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks.part import Goal, Results, Settings, UnavailableError
from benchmarks.tables import megabytes, number, table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAME = "soak"
TITLE = "A live signal that does not end"

_EXAMPLE = "118e06_excerpt"
_NOISE = 0.01  # mV
_GAP = 5.0  # s without one of the leads in each hour
_HOUR, _WEEK, _QUICK = 3_600, 604_800, 60
_LOOKS = 10  # at the memory, evenly spread


def measure(settings: Settings) -> Results:
    import numpy as np

    from ipmdae import examples, formats, native
    from ipmdae.stream import Streamer

    if native.available():
        native.set_threads(settings.threads)
    seconds = _WEEK if settings.long else _HOUR
    if settings.quick:
        seconds = _QUICK
    recording = formats.read(examples.path(_EXAMPLE))
    streamer = Streamer(recording.fs, recording.leads)
    count = {"in": 0, "out": 0, "missing in": 0, "missing out": 0, "infinite": 0}
    peaks: list[int] = []
    started = time.perf_counter()

    def note(kind: str, samples: NDArray[np.float64]) -> None:
        count[kind] += len(samples)
        count[f"missing {kind}"] += int(np.isnan(samples).sum())
        count["infinite"] += int(np.isinf(samples).sum())

    for second, chunk in enumerate(_chunks(recording.signal, recording.fs, seconds)):
        note("in", chunk)
        note("out", streamer.feed(chunk))
        if second >= len(peaks) * seconds / _LOOKS:
            peaks.append(_peak())
    note("out", streamer.flush())
    return {
        "seconds": seconds,
        "fs": recording.fs,
        "latency": streamer.latency,
        "took": time.perf_counter() - started,
        "peaks": [*peaks, _peak()],
        "samples": count,
    }


def _chunks(signal: NDArray[np.float64], fs: float, seconds: int) -> Iterator[NDArray[np.float64]]:
    """Seconds of signal (time, leads), each with its own gains and noise."""
    import numpy as np

    generator, length = np.random.default_rng(0), round(fs)
    minute = len(signal) // length
    for second in range(seconds):
        part = signal[second % minute * length :][:length]
        gains = generator.uniform(0.9, 1.1, part.shape[1])
        chunk = part * gains + _NOISE * generator.standard_normal(part.shape)
        if second % _HOUR < _GAP:
            chunk[:, second // _HOUR % chunk.shape[1]] = np.nan
        yield chunk


def _peak() -> int:
    """The largest resident memory of this process so far, in bytes."""
    try:
        import resource
        import sys
    except ModuleNotFoundError as error:
        raise UnavailableError("peak memory is measured on POSIX systems only") from error
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def section(results: Results) -> str:
    peaks, samples, seconds = results["peaks"], results["samples"], results["seconds"]
    places = {"after a tenth": peaks[1], "after a half": peaks[len(peaks) // 2], "end": peaks[-1]}
    rows = [[name, megabytes(peak)] for name, peak in places.items()]
    return (
        f"A `Streamer` of {results['latency']:.2f} s latency is fed two leads at "
        f"{results['fs']:g} Hz, a second at once, {number(seconds / _HOUR)} h of signal in "
        f"{number(results['took'])} s ({number(seconds / results['took'])} times real time); one "
        f"lead is missing for {_GAP:g} s in each hour. {samples['in']:,} samples of both leads "
        f"went in and {samples['out']:,} came out; missing were {samples['missing in']:,} and "
        f"{samples['missing out']:,} values, infinite {samples['infinite']:,}. The largest "
        "resident memory of the process so far:\n\n" + table(["", "peak memory"], rows)
    )


def goals(results: Results) -> list[Goal]:
    peaks, samples = results["peaks"], results["samples"]
    lost = abs(samples["in"] - samples["out"]) + samples["infinite"]
    lost += abs(samples["missing in"] - samples["missing out"])
    return [
        Goal(
            figure="peak memory of a live signal at the end, times that after a tenth",
            bound=1.05,
            value=peaks[-1] / peaks[1],
        ),
        Goal(figure="samples of a live signal lost, or without a value", bound=0.5, value=lost),
    ]

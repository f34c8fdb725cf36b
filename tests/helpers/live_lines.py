"""The command ``ipmdae stream`` with a tiny model, and what it should print."""

from __future__ import annotations

import io

import command_line
import numpy as np
from numpy.typing import NDArray
from typer.testing import Result

from ipmdae.stream import Streamer

MODEL = "tiny.safetensors"


def run(text: str, *arguments: object) -> Result:
    return command_line.run("stream", "--method", MODEL, *arguments, stdin=text)


def values(text: str, skip: int = 0) -> NDArray[np.float64]:
    """(time, leads) of printed lines."""
    return np.genfromtxt(io.StringIO(text), delimiter=",", skip_header=skip, ndmin=2)


def expected(signal: NDArray[np.float64], chunk: int = 3600) -> NDArray[np.float64]:
    """The signal by :class:`ipmdae.Streamer`, fed in chunks."""
    streamer = Streamer(360, 2, method=MODEL, max_latency=2.0)
    chunks = (signal[first : first + chunk] for first in range(0, len(signal), chunk))
    return np.concatenate([*map(streamer.feed, chunks), streamer.flush()])

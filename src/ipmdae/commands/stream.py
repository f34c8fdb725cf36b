"""The command ``ipmdae stream``: samples in, cleaned samples out, while they come."""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ipmdae.commands.interruption import CTRL_C
from ipmdae.console import complain, err, warnings_in_one_line
from ipmdae.termination import Terminated, exit_code

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ipmdae.commands.live import Live
    from ipmdae.stream import Event, Streamer

MEANING = {
    "gap": "no samples",
    "lost": "no samples for so long that it counts as lost",
    "back": "has samples again",
}


def stream(
    fs: Annotated[
        float | None, typer.Option(help="Sampling rate in Hz; a Lab Streaming Layer source has it.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Name of a model (see: ipmdae models), or a model file.")
    ] = None,
    max_latency: Annotated[
        float | None, typer.Option(min=0, help="Longest delay in s that is allowed.")
    ] = None,
    strength: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the noise found that is removed.")
    ] = 1.0,
    lsl: Annotated[
        str | None, typer.Option(help="Name of a Lab Streaming Layer source to read instead.")
    ] = None,
) -> None:
    """Clean a live signal: a sample of each lead on each line, from stdin to stdout, in mV.

    Values are separated by commas, semicolons, tabs or spaces; an empty one, or nan, is missing. A
    first line of names is kept, and tells units, as in II (uV); a first column named time is passed
    through. The delay is told on stderr at the start, and at the end how fast one core was.
    """
    from ipmdae.commands.live import open_lines, open_lsl

    with (
        warnings_in_one_line(),
        open_lsl(lsl) if lsl else open_lines(sys.stdin.buffer, fs) as live,
    ):
        from ipmdae.denoiser import DEFAULT_MODEL
        from ipmdae.stream import Streamer

        streamer = Streamer(
            live.fs,
            live.leads,
            model=model or DEFAULT_MODEL,
            max_latency=max_latency,
            strength=strength,
            on_event=tell,
        )
        err.print(
            f"{len(live.leads)} leads at {live.fs:g} Hz; what comes out is {streamer.latency:.3g} "
            "s late"
        )
        run(streamer, live)


def tell(event: Event) -> None:
    """Say on stderr what happens to a lead."""
    meaning = MEANING.get(event.kind, f"{event.kind} from here on ({event.reason})")
    complain("warning", f"{event.time:.1f} s: lead {event.lead}: {meaning}")


def run(streamer: Streamer, live: Live) -> None:
    """Clean what comes until it ends, or until Ctrl-C, and print how fast it was.

    Raises:
        typer.Exit: with 143 after SIGTERM, when what had come is cleaned.
        ValueError: what came cannot be read, likewise.
    """
    times: deque[str] = deque()
    samples, busy = 0, -time.process_time()
    broken: Exception | None = None
    if live.header:
        put_line(live.header)
    try:
        with CTRL_C.handled():
            for passed, values in live.chunks:
                times.extend(passed)
                samples += len(values)
                put(streamer.feed(values) / live.scale, times)
    except KeyboardInterrupt as interrupted:  # how most live signals end; nothing is lost
        complain("interrupted", "what had come is cleaned")
        if isinstance(interrupted, Terminated):
            broken = typer.Exit(exit_code(interrupted))
    except ValueError as error:
        broken = error
    put(streamer.flush() / live.scale, times)
    busy += time.process_time()
    if samples:
        err.print(
            f"{samples / live.fs:.1f} s cleaned, real-time factor on one core "
            f"{busy * live.fs / samples:.2g}"
        )
    if broken:
        raise broken


def put(cleaned: NDArray[np.floating[Any]], times: deque[str]) -> None:
    """Print samples (time, leads), a line each, after their times if they have any."""
    for row in cleaned:
        values = ("" if value != value else f"{value:.6g}" for value in row)
        put_line((times.popleft(), *values) if times else values)
    sys.stdout.flush()


def put_line(values: Any) -> None:
    """Print values with commas between them."""
    sys.stdout.write(",".join(values) + "\n")

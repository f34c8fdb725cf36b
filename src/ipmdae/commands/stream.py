"""The command ``ipmdae stream``: a live signal, denoised sample by sample."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from math import isnan, log10
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ipmdae.commands.interruption import CTRL_C
from ipmdae.commands.options import (
    ConsistentLeads,
    Mains,
    MaxAttenuation,
    MethodName,
    Mode,
    Strength,
    Unreadable,
    method_settings,
)
from ipmdae.console import complain, err, strict, warnings_at_once
from ipmdae.termination import Terminated, exit_code
from ipmdae.text import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ipmdae.commands.live import Live
    from ipmdae.stream import Event, Streamer

    Sink = Callable[[NDArray[np.floating[Any]], deque[list[str]]], None]

LATENCIES = (2.0, 3.0, 4.0, 6.0)
"""Longest default delays in s, tried in turn: resampling low rates takes more than 2 s."""

FINEST = 1e-6
"""Resolution of printed values in mV, whatever their offset: finer than any converter's."""

MEANING = {
    "gap": "no samples",
    "lost": "no samples for so long that it counts as lost",
    "back": "has samples again",
}
"""Events of the input signal; all others are grades of the output signal."""


def stream(
    fs: Annotated[
        float | None, typer.Option(help="Sampling rate in Hz; a Lab Streaming Layer source has it.")
    ] = None,
    method: MethodName = None,
    mains: Mains = None,
    mode: Mode = None,
    strength: Strength = 1.0,
    unreadable: Unreadable = None,
    max_attenuation_db: MaxAttenuation = None,
    consistent_leads: ConsistentLeads = True,
    unit: Annotated[
        str | None,
        typer.Option(help="Unit of the leads: uV, mV, V, nV, or the size of a step as 0.298uV."),
    ] = None,
    max_latency: Annotated[
        float | None,
        typer.Option(min=0, help="Longest allowed delay in s; by default 2 s where possible."),
    ] = None,
    lsl: Annotated[
        str | None, typer.Option(help="Name of a Lab Streaming Layer source to read instead.")
    ] = None,
    to_lsl: Annotated[
        str | None,
        typer.Option(help="Name of a Lab Streaming Layer outlet to create, instead of stdout."),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print events on stderr as JSON lines: start, gaps, changes of quality, end.",
        ),
    ] = False,
) -> None:
    """Denoise a live signal: one line per sample, one column per lead, stdin to stdout.

    Values are separated by commas, semicolons, tabs or spaces; an empty one, or nan, is missing. A
    first line of names is kept and may give units, as in II (uV), in which values come out, too.
    Other columns, such as times and counters, are copied. By the first 2 s columns and units are
    judged as those of a file are. An invalid line counts as a missing sample. stderr shows the
    delay, changes of quality, and at the end the number of invalid lines and the speed on one core.
    """
    from ipmdae.commands.live import open_lines
    from ipmdae.commands.lsl import open_lsl, open_outlet

    if lsl and (fs or unit):
        raise ValueError("a Lab Streaming Layer source states rate and units: without --fs, --unit")
    for name, needed in (("stdin", not lsl), ("stdout", not to_lsl), ("stderr", True)):
        if needed and getattr(sys, name) is None:
            raise ValueError(f"{name} is closed: a live signal needs it")
    reporter = Reporter(as_json)
    seconds = LATENCIES[0] if max_latency is None else min(max_latency, LATENCIES[0])
    with (
        CTRL_C.handled(),
        warnings_at_once(reporter.warning),
        open_lsl(lsl) if lsl else open_lines(sys.stdin.buffer, fs, unit, seconds) as live,
    ):
        settings = method_settings(method, mains, mode, unreadable) | {
            "strength": strength,
            "max_attenuation_db": max_attenuation_db,
            "consistent_leads": consistent_leads,
        }
        streamer = open_streamer(live, reporter, max_latency, settings)
        reporter.start(streamer, live)
        outlet = (
            open_outlet(to_lsl, live.leads, live.fs, streamer.latency)
            if to_lsl
            else nullcontext(None)
        )
        with outlet as push:
            run(streamer, live, to_outlet(push, live) if push else to_stdout(live), reporter)


def open_streamer(
    live: Live, reporter: Reporter, max_latency: float | None, settings: Mapping[str, Any]
) -> Streamer:
    """Create the streamer with the requested latency, or with a default that the rate permits.

    Raises:
        ValueError: the latency is too short, or the sampling rate is not that of an ECG.
    """
    from ipmdae.pipeline.window import LatencyError
    from ipmdae.stream import Streamer

    tried = LATENCIES if max_latency is None else (max_latency,)
    for latency in tried:
        try:
            return Streamer(
                live.fs,
                live.leads,
                **settings,
                max_latency=latency,
                on_event=reporter.event,
            )
        except LatencyError:
            if latency == tried[-1]:
                raise
    raise AssertionError("unreachable")


class Reporter:
    """Reports events on stderr: sentences, or JSON lines for scripts."""

    def __init__(self, as_json: bool) -> None:
        from ipmdae.quality import Grade

        self._as_json = as_json
        self._leads: tuple[str, ...] = ()
        self._grades: dict[str, tuple[float, str]] = {}
        self._seconds = dict.fromkeys((grade.words for grade in Grade), 0.0)

    def start(self, streamer: Streamer, live: Live) -> None:
        """Report the start of the signal."""
        self._leads = live.leads
        if self._as_json:
            self._line(event="start", fs=live.fs, leads=list(live.leads), latency=streamer.latency)
        else:
            err.print(
                f"{counted(len(live.leads), 'lead')} at {live.fs:g} Hz; the output is "
                f"{streamer.latency:.3g} s late"
            )

    def warning(self, message: str) -> None:
        """Report a warning."""
        if self._as_json:
            self._line(event="warning", message=message)
        else:
            complain("warning", message)

    def event(self, event: Event) -> None:
        """Report an event of a lead, or a change of its grade."""
        is_grade = event.kind not in MEANING
        if is_grade:
            self._count(event.lead, event.time)
            self._grades[event.lead] = event.time, event.kind
        if self._as_json:
            grade = {"grade": event.kind, "reason": event.reason} if is_grade else {}
            what = "grade" if is_grade else event.kind
            self._line(event=what, time=event.time, lead=event.lead, **grade)
        else:
            reason = f" ({event.reason})" if event.kind not in ("good", *MEANING) else ""
            meaning = MEANING.get(event.kind, f"{event.kind} from here on{reason}")
            complain("warning", f"{event.time:.1f} s: lead {event.lead}: {meaning}")

    def _count(self, lead: str, now: float) -> None:
        """Add the seconds that a lead has had its grade until ``now``."""
        since, grade = self._grades.get(lead, (0.0, "good"))
        self._seconds[grade] += max(now - since, 0)

    def end(self, live: Live, samples: int, busy: float) -> None:
        """Report the end of the signal."""
        seconds = samples / live.fs
        factor = busy / seconds if seconds else float("nan")
        for lead in self._leads:
            self._count(lead, seconds)
        total = sum(self._seconds.values()) if seconds >= 1 else 0.0
        shares = {grade: each / total for grade, each in self._seconds.items()} if total else {}
        if self._as_json:
            self._line(
                event="end",
                seconds=seconds,
                bad_lines=live.bad.count,
                first_bad_line=live.bad.first or None,
                real_time_factor=factor,
                shares=shares,
            )
            return
        if live.bad.count:
            complain(
                "warning",
                f"{counted(live.bad.count, 'bad line')}, taken as missing; the first: "
                f"{live.bad.first}",
            )
        if samples:
            grades = ", ".join(f"{share:.0%} {grade}" for grade, share in shares.items() if share)
            err.print(
                f"{seconds:.1f} s cleaned ({grades or 'too short for grades'}), real-time factor "
                f"on one core {factor:.2g}"
            )

    def _line(self, **fields: Any) -> None:
        sys.stderr.write(json.dumps(strict(fields)) + "\n")
        sys.stderr.flush()


def run(streamer: Streamer, live: Live, sink: Sink, reporter: Reporter) -> None:
    """Denoise the live signal until it ends, or until Ctrl-C.

    Raises:
        typer.Exit: with 143 after SIGTERM, when the received samples are denoised.
        ValueError: no input could be read.
    """
    rows: deque[list[str]] = deque()
    samples, busy = 0, -time.process_time()
    broken: Exception | None = None
    try:
        for cells, values in live.chunks:
            rows.extend(cells)
            samples += len(values)
            sink(streamer.feed(values) / live.scale, rows)
    except KeyboardInterrupt as interrupted:  # the usual end of a live signal; nothing is lost
        complain("interrupted", "the received samples are denoised")
        if isinstance(interrupted, Terminated):
            broken = typer.Exit(exit_code(interrupted))
    except ValueError as error:
        broken = error
    sink(streamer.flush() / live.scale, rows)
    reporter.end(live, samples, busy + time.process_time())
    if not broken and live.bad.count and not live.bad.good:
        broken = ValueError(f"no line of the input is a sample; {live.bad.first}")
    if broken:
        raise broken


def to_outlet(push: Callable[[NDArray[np.float64]], None], live: Live) -> Sink:
    """Create a function that sends samples in mV to an outlet."""

    def sink(cleaned: NDArray[np.floating[Any]], rows: deque[list[str]]) -> None:
        rows.clear()
        push(cleaned * live.scale)

    return sink


def to_stdout(live: Live) -> Sink:
    """Print the headings; create a function that prints samples, one line each, to the nanovolt.

    They stand in the columns in which they came; the others are copied.
    """
    decimals = [max(round(log10(scale / FINEST)), 0) for scale in live.scale]
    if live.header:
        put_line(live.header)

    def sink(cleaned: NDArray[np.floating[Any]], rows: deque[list[str]]) -> None:
        for values in cleaned:
            cells = rows.popleft() if rows else [""] * len(values)
            for place, value, count in zip(live.places, values, decimals, strict=True):
                cells[place] = "" if isnan(value) else f"{value:.{count}f}"
            put_line(cells)
        sys.stdout.flush()

    return sink


def put_line(cells: Iterable[str]) -> None:
    """Print comma-separated cells."""
    sys.stdout.write((",".join(cells) or "nan") + "\n")  # a blank line would be no sample

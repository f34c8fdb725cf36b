"""Sources and sinks of live signals of the Lab Streaming Layer (LSL)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.commands.interruption import CTRL_C
from ipmdae.commands.live import Chunk, Live
from ipmdae.formats.names import symbol
from ipmdae.recording import millivolts
from ipmdae.text import unique

_ANSWER = 5.0  # s to wait for a source to answer
_GAP = 0.5  # s between time stamps that count as missing samples: clocks jitter


@contextmanager
def open_lsl(name: str) -> Iterator[Live]:
    """A source of the Lab Streaming Layer, by name; voltages are converted to mV.

    Raises:
        ModuleNotFoundError: pylsl is not installed.
        ConnectionError: no source of that name answers.
        ValueError: the source has no regular rate, or no numbers.
    """
    pylsl = _pylsl()
    found = pylsl.resolve_byprop("name", name, timeout=_ANSWER)
    if not found:
        raise ConnectionError(f"no Lab Streaming Layer source named {name!r} answers")
    inlet = pylsl.StreamInlet(found[0], recover=False)
    try:
        info = inlet.info()
        fs = info.nominal_srate()
        if fs <= 0 or info.channel_format() == pylsl.cf_string:
            raise ValueError(f"the source {name!r} has no regular rate, or no numbers")
        leads, scale = _channels(info)
        yield Live(
            fs=fs,
            leads=leads,
            header=tuple(f"{lead} (mV)" for lead in leads),
            places=tuple(range(len(leads))),
            scale=np.ones(len(leads)),
            chunks=_pulled(inlet, fs, scale, _lost_error(pylsl)),
        )
    finally:
        inlet.close_stream()


def _channels(info: Any) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Names of a source's channels, and millivolts per unit of each."""
    names, scale = [], np.ones(info.channel_count())
    channel = info.desc().child("channels").child("channel")
    for i in range(info.channel_count()):
        names.append(channel.child_value("label") or f"lead {i + 1}")
        unit = channel.child_value("unit")
        known = millivolts(symbol(unit))
        if known is None:
            warnings.warn(
                f"channel {names[-1]} has the unit {unit!r}; assumed to be mV", stacklevel=2
            )
        scale[i] = known or 1.0
        channel = channel.next_sibling()
    return tuple(unique(names)), scale


def _pulled(
    inlet: Any, fs: float, scale: NDArray[np.float64], lost: type[Exception]
) -> Iterator[Chunk]:
    """Samples from a source until it ends; samples that it left out are missing (NaN)."""
    last = np.inf
    while True:
        try:
            with CTRL_C.welcome():
                samples, stamps = inlet.pull_chunk(timeout=0.2)
        except lost:
            return
        if not stamps:
            continue
        values = np.asarray(samples, np.float64) * scale
        gaps = np.diff(stamps, prepend=last) - 1 / fs
        places = np.flatnonzero(gaps > _GAP)
        for gap, part in zip([0.0, *gaps[places]], np.split(values, places), strict=True):
            if gap:
                warnings.warn(f"{gap:.1f} s are missing; they stay missing", stacklevel=2)
                yield [], np.full((round(gap * fs), len(scale)), np.nan)
            if len(part):
                yield [], part
        last = stamps[-1]


@contextmanager
def open_outlet(
    name: str, leads: tuple[str, ...], fs: float, latency: float
) -> Iterator[Callable[[NDArray[np.float64]], None]]:
    """An outlet of the Lab Streaming Layer: a function that takes samples (time, leads) in mV.

    Samples carry the time at which they were recorded: ``latency`` s ago.

    Raises:
        ModuleNotFoundError: pylsl is not installed.
    """
    pylsl = _pylsl()
    info = pylsl.StreamInfo(name, "ECG", len(leads), fs, pylsl.cf_float32, f"ipmdae-{name}")
    channels = info.desc().append_child("channels")
    for lead in leads:
        channel = channels.append_child("channel")
        channel.append_child_value("label", lead)
        channel.append_child_value("unit", "millivolts")
        channel.append_child_value("type", "ECG")
    outlet = pylsl.StreamOutlet(info)

    def push(samples: NDArray[np.float64]) -> None:
        if len(samples):
            values = np.ascontiguousarray(samples, np.float32)
            outlet.push_chunk(values, pylsl.local_clock() - latency)

    yield push


def _lost_error(pylsl: Any) -> type[Exception]:
    """Exception of a lost source, which pylsl versions keep in different places."""
    home = pylsl if hasattr(pylsl, "LostError") else import_module("pylsl.util")
    error: type[Exception] = home.LostError
    return error


def _pylsl() -> Any:
    """The package pylsl.

    Raises:
        ModuleNotFoundError: it is not installed.
        RuntimeError: its library does not load.
    """
    try:
        import pylsl  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the Lab Streaming Layer needs the package pylsl: pip install "
            "'ultralight-ipm-dae[live]'"
        ) from error
    return pylsl

"""A recording in memory through a method that takes a signal in pieces."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ipmdae.pipeline.blocks import Block
from ipmdae.pipeline.guarantees import check_strength, report
from ipmdae.pipeline.survey import Leads, Survey
from ipmdae.recording import Header, Recording
from ipmdae.result import Result

_VALUES_AT_ONCE = 1 << 19
"""Samples of all leads together that are in work at once, so that long recordings fit memory."""


class BlockCleaning(Protocol):
    """A signal on its way."""

    def run(self, blocks: Iterable[NDArray[np.float64]]) -> Iterator[Block]:
        """Clean a whole signal, given in blocks (time, leads)."""
        ...


@runtime_checkable
class BlockMethod(Protocol):
    """A method that cleans a signal that comes in pieces, in constant memory."""

    @property
    def name(self) -> str:
        """Name of the method."""
        ...

    @property
    def tells_spread(self) -> bool:
        """True if it states the standard deviation of its error."""
        ...

    def survey(self, header: Header) -> Survey:
        """Survey of a signal, block by block, before it is denoised."""
        ...

    def begin(self, fs: float, leads: Leads, *, strength: float = 1.0) -> BlockCleaning:
        """Begin a signal; see :meth:`ipmdae.methods.network.Network.begin`."""
        ...


def clean(method: BlockMethod, recording: Recording, strength: float) -> Result[Recording]:
    """Clean a recording.

    Raises:
        ValueError: the strength is out of range, or the method does not take the recording.
    """
    check_strength(strength)
    header = recording.header
    survey = method.survey(header)
    parts = [recording.signal[part] for part in blocks(*recording.signal.shape)]
    for part in parts:
        survey.add(part)
    leads = survey.leads()
    signal = np.empty_like(recording.signal)
    sd = np.full(signal.shape, np.nan, np.float32) if method.tells_spread else None
    trust = np.zeros(signal.shape, np.uint8) if method.tells_spread else None
    done = 0
    for block in method.begin(header.fs, leads, strength=strength).run(parts):
        new = slice(done, done + len(block.cleaned))
        signal[new] = block.cleaned
        if sd is not None and block.spread is not None:
            sd[new] = block.spread
        if trust is not None and block.trust is not None:
            trust[new] = block.trust
        done = new.stop
    comments = report(header, leads.why, method.name, strength)
    after = dataclasses.replace(recording, signal=signal, comments=comments)
    return Result(noisy=recording, recording=after, sd=sd, trust=trust)


def blocks(samples: int, leads: int) -> Iterator[slice]:
    """Parts of a recording that are in work at once."""
    length = max(_VALUES_AT_ONCE // leads, 1)
    return (slice(i, min(i + length, samples)) for i in range(0, samples, length))

"""Recordings, in memory or in a file, through a method that takes a signal in blocks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.blocks import SignalReader, WholeReader
from ipmdae.pipeline.blocks import Block
from ipmdae.pipeline.guarantees import UNWANTED, check_strength, report
from ipmdae.pipeline.survey import Leads, Survey
from ipmdae.recording import NO_UNIT, Header, Recording
from ipmdae.result import Result

_VALUES_AT_ONCE = 1 << 18
"""Samples of all leads together that are in work at once, so that long recordings fit memory."""


class BlockCleaning(Protocol):
    """A signal on its way."""

    def run(self, blocks: Iterable[NDArray[np.float64]]) -> Generator[Block, None, None]:
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
    def states_sd(self) -> bool:
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
    why, cleaned = begin(method, WholeReader(recording), strength)
    signal = np.empty_like(recording.signal)
    sd = np.full(signal.shape, np.nan, np.float32) if method.states_sd else None
    trust: NDArray[np.uint8] | None = None
    done = 0
    for block in cleaned:
        new = slice(done, done + len(block.cleaned))
        signal[new] = block.cleaned
        if sd is not None and block.sd is not None:
            sd[new] = block.sd
        if block.trust is not None:
            trust = np.zeros(signal.shape, np.uint8) if trust is None else trust
            trust[new] = block.trust
        done = new.stop
    comments = report(recording.header, why, method.name, strength)
    after = dataclasses.replace(recording, signal=signal, comments=comments)
    return Result(noisy=recording, recording=after, sd=sd, trust=trust)


def begin(
    method: BlockMethod,
    reader: SignalReader,
    strength: float,
    *,
    unwanted: Collection[int] = (),
    surveyed: Callable[[float], None] = lambda share: None,
) -> tuple[Sequence[str], Generator[Block, None, None]]:
    """Survey a recording, and begin to clean it.

    Args:
        method: cleans it.
        reader: the recording, which is read once more for its blocks.
        strength: share of the noise found that is removed.
        unwanted: indices of leads that are not to be cleaned.
        surveyed: is called with the share of the recording that is surveyed, 0 to 1.

    Returns:
        For each lead the reason why it is not cleaned, empty if it is; and the blocks.

    Raises:
        ValueError: the method does not take the recording.
    """
    header = reader.info
    # The limb leads that are to be cleaned are made consistent without the others.
    units = (NO_UNIT if i in unwanted else unit for i, unit in enumerate(header.units))
    survey = method.survey(dataclasses.replace(header, units=tuple(units)))
    for part in blocks(header.samples, len(header.leads)):
        survey.add(reader.read(part.start, part.stop))
        surveyed(part.stop / header.samples)
    leads = survey.leads()
    why = [UNWANTED if i in unwanted else reason for i, reason in enumerate(leads.why)]
    leads = dataclasses.replace(leads, why=why)
    signal = (
        reader.read(part.start, part.stop) for part in blocks(header.samples, len(header.leads))
    )
    return why, method.begin(header.fs, leads, strength=strength).run(signal)


def blocks(samples: int, leads: int) -> Iterator[slice]:
    """Parts of a recording that are in work at once."""
    length = max(_VALUES_AT_ONCE // leads, 1)
    return (slice(i, min(i + length, samples)) for i in range(0, samples, length))

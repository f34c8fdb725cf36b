"""Clean a file into another one, in memory that does not grow with its length."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

from ipmdae import formats
from ipmdae.arrays import choose
from ipmdae.denoiser import Denoiser, MethodLike
from ipmdae.files import no_more_readable_than
from ipmdae.formats import SignalReader
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.methods import DEFAULT_MODEL, Method
from ipmdae.methods.by_blocks import BlockMethod, begin, blocks
from ipmdae.pipeline.blocks import Block
from ipmdae.pipeline.guarantees import UNWANTED, check_rate, idle, report
from ipmdae.recording import Header, Recording
from ipmdae.result import Result, among

_SURVEY_SHARE = 0.1
"""Share of the work that the first pass over a file is."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Summary:
    """Record of the denoising of a file.

    Attributes:
        source, target: the files.
        method: the method's name.
        header: of the noisy recording.
        cleaned: names of the leads that were cleaned.
        unchanged: why each of the others was not.
    """

    source: Path
    target: Path
    method: str
    header: Header
    cleaned: tuple[str, ...]
    unchanged: dict[str, str]

    def __repr__(self) -> str:
        return f"<Summary: {self.target.name} by {self.method}: {self.header.description}>"

    @property
    def duration(self) -> float:
        """Length of the recording in seconds."""
        return self.header.duration

    @property
    def fs(self) -> float:
        """Sampling rate of the recording in Hz."""
        return self.header.fs


def denoise_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    method: MethodLike = DEFAULT_MODEL,
    *,
    mains: float | None = None,
    mode: str | None = None,
    strength: float = 1.0,
    unreadable: str | None = None,
    max_attenuation_db: float | None = None,
    consistent_leads: bool = True,
    backend: str = "auto",
    max_latency: float | None = None,
    leads: Sequence[str] | None = None,
    progress: Callable[[float], None] | None = None,
    watch: Callable[[int, Block], None] | None = None,
    fs: float | None = None,
    options: ReadOptions = DEFAULTS,
    reader: SignalReader | None = None,
) -> Summary:
    """Clean a file: everything but the signal of the leads is carried along.

    The source is read twice at most. A network works block by block: the first pass measures the
    offset of each lead and finds the leads to denoise. A classical method, and a format that cannot
    be read or written in blocks, need the whole recording in memory.

    The result can be read by no one who cannot read the source. ``method`` to ``max_latency`` are
    those of :class:`ipmdae.Denoiser`.

    Args:
        source: the file to read.
        target: the file to write; its suffix selects the format. An old one is replaced at the end.
        leads: names of those to clean, by default all; the others come out untouched.
        progress: is called with the share that is done, 0 to 1.
        watch: is called with the first sample and the content of each block that is written.
        fs: sampling rate in Hz of the source; short for ``options=ReadOptions(fs=fs)``.
        options: rate, unit, columns of a source that does not say them, or says them wrongly.
        reader: the source, where it is open already; it stays open, ``fs`` and ``options`` are not
            used.

    Raises:
        FileNotFoundError: there is no source, or a file that belongs to it is missing.
        FormatError: the source is broken, or the target's format cannot hold the recording.
        ValueError: there is no such method, setting or lead, the rate makes no sense for an ECG, or
            the network needs another number of leads.
        OSError: the target cannot be written.

    Examples:
        >>> import ipmdae
        >>> from ipmdae import examples
        >>> ipmdae.denoise_file(examples.path("118e06_excerpt"), "cleaned.edf", "iir", mains=60)
        <Summary: cleaned.edf by iir after removal of 60 Hz interference: MLII, V1; 60 s at 360 Hz>
    """
    denoiser = Denoiser(
        method,
        mains=mains,
        mode=mode,
        strength=strength,
        unreadable=unreadable,
        max_attenuation_db=max_attenuation_db,
        consistent_leads=consistent_leads,
        backend=backend,
        max_latency=max_latency,
    )
    source, target = Path(source), Path(target)
    tell = progress or (lambda _: None)
    with (
        nullcontext(reader) if reader else formats.open_reader(source, fs=fs, options=options)
    ) as recording:
        header = recording.info
        check_rate(header.fs)
        why, cleaned = _begin(denoiser, recording, _unwanted(source, header, leads), tell)
        comments = report(header, why, denoiser.name, denoiser.strength)
        after = dataclasses.replace(header, comments=comments)
        with (
            closing(cleaned),
            no_more_readable_than(formats.files_of(source)),
            formats.open_writer(after, target) as writer,
        ):
            done = 0
            for part in cleaned:
                writer.write(part.cleaned)
                if watch:
                    watch(done, part)
                done += len(part.cleaned)
                tell(_SURVEY_SHARE + (1 - _SURVEY_SHARE) * done / header.samples)
    by_lead = dict(zip(header.leads, why, strict=True))
    return Summary(
        source=source,
        target=target,
        method=denoiser.name,
        header=header,
        cleaned=tuple(lead for lead, reason in by_lead.items() if not reason),
        unchanged={lead: reason for lead, reason in by_lead.items() if reason},
    )


def _unwanted(source: Path, header: Header, leads: Sequence[str] | None) -> set[int]:
    """Numbers of the leads that the user leaves out; a name that is not there is an error."""
    try:
        return set(range(len(header.leads))) - set(choose(header.leads, leads))
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None


def _begin(
    denoiser: Denoiser, reader: SignalReader, unwanted: set[int], tell: Callable[[float], None]
) -> tuple[Sequence[str], Generator[Block, None, None]]:
    """For each lead why it is not cleaned, and the cleaned blocks; ``tell`` gets the share done."""
    method, strength = denoiser.method, denoiser.strength
    if not isinstance(method, BlockMethod):
        return _whole(method, reader, strength, unwanted)

    def surveyed(share: float) -> None:
        tell(_SURVEY_SHARE * share)

    return begin(method, reader, strength, unwanted=unwanted, surveyed=surveyed)


def _whole(
    method: Method, reader: SignalReader, strength: float, unwanted: set[int]
) -> tuple[list[str], Generator[Block, None, None]]:
    """As :func:`ipmdae.methods.by_blocks.begin`, for a method that cleans whole recordings."""
    noisy = Recording.from_header(reader.info, reader.read(0, reader.info.samples))
    why = [UNWANTED if i in unwanted else idle(noisy, i) for i in range(len(noisy.leads))]

    def cleaned() -> Generator[Block, None, None]:
        active = [i for i, reason in enumerate(why) if not reason]
        result: Result[Recording] = Result(noisy=noisy, recording=noisy)
        if active:
            result = among(method.clean(noisy.with_leads(active), strength=strength), noisy, active)
        for part in blocks(*noisy.signal.shape):
            yield Block(
                noisy.signal[part],
                result.recording.signal[part],
                None if result.sd is None else result.sd[part],
                None if result.trust is None else result.trust[part],
            )

    return why, cleaned()

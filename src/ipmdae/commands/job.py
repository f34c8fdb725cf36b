"""One recording to clean: what is to be done, how, and what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ipmdae import classical, formats
from ipmdae.cleaning import denoise_file
from ipmdae.commands.peaks import write_peaks
from ipmdae.console import describe, warnings_into
from ipmdae.denoiser import Denoiser
from ipmdae.engine import find_model, read_model
from ipmdae.formats import SignalReader
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.inspection.files import Inspection, Inspector
from ipmdae.inspection.verdict import Verdict, disagreements, unmeasured, verdicts
from ipmdae.methods import Method
from ipmdae.recording import Header
from ipmdae.safeguards import DEFAULT_MODE, strength_of


@dataclass(frozen=True, kw_only=True)
class Job:
    """A recording to clean.

    Attributes:
        source: what to read.
        target: what to write.
        page: the report to write, if one is wanted.
        figure: the picture to draw, if one is wanted.
        peaks: the file of R peaks to write, if one is wanted.
        weight: how much work it is, in any unit.
    """

    source: Path
    target: Path
    page: Path | None = None
    figure: Path | None = None
    peaks: Path | None = None
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How recordings are cleaned; see :func:`ipmdae.cleaning.denoise_file`.

    Attributes:
        method: its name, or the path of a model file.
        mains: mains frequency in Hz whose hum is removed first.
        leads: those to clean; all by default.
        strength: share of the noise found that is removed.
        mode, unreadable, max_attenuation_db, consistent_leads: see :func:`ipmdae.denoise`.
        reading: what is stated about the files.
        resume: leave out what is done already.
        heart_rates: whether to measure the heart rate before and after.
    """

    method: str
    mains: float | None = None
    leads: tuple[str, ...] | None = None
    strength: float = 1.0
    mode: str | None = None
    unreadable: str | None = None
    max_attenuation_db: float | None = None
    consistent_leads: bool = True
    reading: ReadOptions = DEFAULTS
    resume: bool = False
    heart_rates: bool = False

    def open(self) -> Denoiser:
        """The method, ready to clean."""
        return Denoiser(
            self.method,
            mains=self.mains,
            mode=self.mode,
            strength=self.strength,
            unreadable=self.unreadable,
            max_attenuation_db=self.max_attenuation_db,
            consistent_leads=self.consistent_leads,
        )

    def card(self) -> Mapping[str, Any] | None:
        """The card of the model, if the method is one."""
        if self.method in classical.names():
            return None
        return read_model(find_model(self.method)).card

    def words(self) -> dict[str, str]:
        """The settings as a report tells them."""
        return {
            "mode": self.mode or DEFAULT_MODE,
            "strength": f"{strength_of(self.strength, self.max_attenuation_db):.3g}",
            "mains": f"{self.mains:g} Hz" if self.mains else "not removed apart",
            "leads": ", ".join(self.leads) if self.leads else "all",
        }


@dataclass(kw_only=True)
class Outcome:
    """What became of a recording; times in s.

    Attributes:
        job: what was to be done.
        duration: of the recording.
        fs: its sampling rate in Hz.
        leads: all of its leads.
        cleaned: those that were cleaned.
        unchanged: why not, by the names of the others.
        method: name of what cleaned it.
        verdicts: on each lead.
        peaks: lead in which R peaks were found, and how many; ``None`` where none were asked for.
        seconds: how long cleaning took.
        skipped: whether it had been done already.
        warnings: what a user should know.
        error: why it failed; empty if it did not.
    """

    job: Job
    duration: float = 0.0
    fs: float = 0.0
    leads: tuple[str, ...] = ()
    cleaned: tuple[str, ...] = ()
    unchanged: dict[str, str] = field(default_factory=dict)
    method: str = ""
    verdicts: list[Verdict] = field(default_factory=list)
    peaks: tuple[str, int] | None = None
    seconds: float = 0.0
    skipped: bool = False
    warnings: list[str] = field(default_factory=list)
    error: str = ""


def clean(
    job: Job, settings: Settings, method: Method, progress: Callable[[float], None]
) -> Outcome:
    """Clean one recording; what goes wrong is told by the outcome and ends nothing else.

    Args:
        job: which.
        settings: how.
        method: that of ``settings``, open.
        progress: is told the share that is done, 0 to 1.
    """
    outcome = Outcome(job=job)
    try:
        with warnings_into(outcome.warnings):
            done = result_of(job, settings.reading) if settings.resume else None
            if done is None:
                _clean_anew(outcome, settings, method, progress)
            else:
                outcome.skipped = True
                _describe(outcome, done)
    except Exception as error:  # whatever is wrong with one file, the others are cleaned
        outcome.error = describe(error)
    return outcome


def _describe(outcome: Outcome, header: Header) -> None:
    outcome.duration, outcome.fs, outcome.leads = header.duration, header.fs, header.leads


def _clean_anew(
    outcome: Outcome, settings: Settings, method: Method, progress: Callable[[float], None]
) -> None:
    """Clean a recording, and write what else is wanted of it while its source is open."""
    job = outcome.job
    started = time.perf_counter()
    with formats.open_reader(job.source, options=settings.reading) as reader:
        _describe(outcome, reader.info)
        inspector = _inspector(reader.info, settings)
        summary = denoise_file(
            job.source,
            job.target,
            method,
            leads=settings.leads,
            progress=progress,
            watch=lambda _, block: (
                inspector.add(block.noisy, block.cleaned, block.spread, block.trust)
                if inspector
                else None
            ),
            reader=reader,
        )
        outcome.seconds = time.perf_counter() - started
        outcome.method = summary.method
        outcome.cleaned, outcome.unchanged = summary.cleaned, summary.unchanged
        found = inspector.result() if inspector else None
        header = summary.header
        if found is None:
            outcome.verdicts = unmeasured(header.leads, header.units, summary.unchanged)
            outcome.warnings.append(f"{job.source}: no lead is a voltage: nothing was cleaned")
        else:
            outcome.verdicts = verdicts(found, summary.unchanged)
            outcome.warnings += found.warnings(hum=settings.mains is None)
            outcome.warnings += disagreements(outcome.verdicts)
            if job.peaks:
                outcome.peaks = write_peaks(job.peaks, job.target, outcome.verdicts)
            if job.page or job.figure:
                _draw(outcome, found, settings, reader)


def _inspector(header: Header, settings: Settings) -> Inspector | None:
    """What measures the recording; nothing where no lead is a voltage."""
    if "mV" not in header.units:
        return None
    return Inspector(header, heart_rates=settings.heart_rates)


def _draw(outcome: Outcome, found: Inspection, settings: Settings, source: SignalReader) -> None:
    """Write the report and the picture, of both recordings where they are open."""
    job = outcome.job
    from ipmdae.report import ReportInput, write_figure, write_page  # slow to import

    with formats.open_reader(job.target) as cleaned:
        subject = ReportInput(
            name=job.source.name,
            source=str(job.source),
            target=str(job.target),
            method=outcome.method,
            card=settings.card(),
            settings=settings.words(),
            found=found,
            verdicts=outcome.verdicts,
            warnings=outcome.warnings,
            noisy=source,
            cleaned=cleaned,
        )
        if job.page:
            write_page(job.page, subject)
        if job.figure:
            write_figure(job.figure, subject)


def _header(file: Path, options: ReadOptions = DEFAULTS) -> Header:
    with formats.open_reader(file, options=options) as reader:
        return reader.info


def result_of(job: Job, options: ReadOptions = DEFAULTS) -> Header | None:
    """The header of a result that is there, no older than its source, and whole; else ``None``.

    Results take their name when they are complete. By which settings one was made is not known.
    """
    mine, others = newest(job.target), newest(job.source)
    if mine is None or (others is not None and mine < others):
        return None
    if any(other is not None and not other.exists() for other in (job.page, job.peaks)):
        return None
    try:
        target, source = _header(job.target), _header(job.source, options)
    except (OSError, ValueError):
        return None
    lengths = abs(target.duration - source.duration) <= 1 / source.fs
    return target if lengths and len(target.leads) == len(source.leads) else None


def files_of(recording: Path) -> list[Path]:
    """The files that a recording is, or would be, written to."""
    if recording.suffix in ("", ".hea", ".dat"):
        stem = recording.with_suffix("")
        return [stem.with_name(f"{stem.name}{suffix}") for suffix in (".hea", ".dat")]
    return [recording]


def newest(recording: Path) -> float | None:
    """When the last of its files was changed; ``None`` if one is missing."""
    try:
        return max(file.stat().st_mtime for file in files_of(recording))
    except (FileNotFoundError, NotADirectoryError):  # the latter within an archive
        return None

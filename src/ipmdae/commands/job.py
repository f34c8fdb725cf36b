"""Denoising of one recording by the command line: job, settings, outcome."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from ipmdae import formats, stores
from ipmdae.cleaning import denoise_file
from ipmdae.commands.peaks import peaks_of, write_peaks
from ipmdae.console import describe, warnings_into
from ipmdae.denoiser import Denoiser
from ipmdae.engine import find_model, read_model
from ipmdae.files import no_more_readable_than
from ipmdae.formats import SignalReader, wfdb_annotations
from ipmdae.formats.blocks import Spool
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.inspection.files import Inspection, Inspector
from ipmdae.inspection.verdict import (
    Verdict,
    cleaned_before,
    disagreements,
    unmeasured,
    verdicts,
)
from ipmdae.methods import Method, Network, classical
from ipmdae.pipeline.blocks import Block
from ipmdae.recording import Header
from ipmdae.safeguards import DEFAULT_MODE, safeguards, strength_of


@dataclass(frozen=True, kw_only=True)
class Job:
    """A recording to denoise.

    Attributes:
        source: path to read.
        name: name of the source in messages, such as its URL.
        target: path to write.
        page: report to write, if requested.
        figure: picture to draw, if requested.
        peaks: file of R peaks to write, if requested.
        weight: estimated work, in any unit.
    """

    source: Path
    name: str
    target: Path
    page: Path | None = None
    figure: Path | None = None
    peaks: Path | None = None
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of :func:`ipmdae.cleaning.denoise_file`.

    Attributes:
        method: name of a method, or path of a model file.
        mains: mains frequency in Hz, if powerline interference is removed first.
        leads: leads to denoise; all by default.
        strength: share of the estimated noise to remove.
        mode, unreadable, max_attenuation_db, consistent_leads: see :func:`ipmdae.denoise`.
        reading: statements about the files.
        resume: skip existing results.
        heart_rates: True to measure the heart rate before and after.
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
        """Settings in words, for the report."""
        limits = safeguards(
            self.mode or DEFAULT_MODE,
            unreadable=self.unreadable,
            consistent_leads=self.consistent_leads,
        )
        of_networks = {
            "mode": self.mode or DEFAULT_MODE,
            "unreadable segments": limits.unreadable,
            "limb leads": "consistent" if limits.consistent_leads else "independent",
        }
        return ({} if self.method in classical.names() else of_networks) | {
            "strength": f"{strength_of(self.strength, self.max_attenuation_db):.3g}",
            "mains": f"{self.mains:g} Hz" if self.mains else "not removed separately",
            "leads": ", ".join(self.leads) if self.leads else "all",
        }


@dataclass(kw_only=True)
class Outcome:
    """Outcome of a job; times in s.

    Attributes:
        job: the job.
        duration: duration of the recording.
        fs: sampling rate in Hz.
        leads: all leads.
        cleaned: denoised leads.
        unchanged: reasons by name of the other leads.
        method: name of the method.
        uncertain: True if it is a network that predicts no uncertainty.
        verdicts: verdict on each lead.
        peaks: lead in which R peaks were found, and their number; ``None`` if not requested.
        seconds: processing time.
        skipped: True if the result existed.
        warnings: messages for the user.
        error: reason of a failure; empty otherwise.
    """

    job: Job
    duration: float = 0.0
    fs: float = 0.0
    leads: tuple[str, ...] = ()
    cleaned: tuple[str, ...] = ()
    unchanged: dict[str, str] = field(default_factory=dict)
    method: str = ""
    uncertain: bool = False
    verdicts: list[Verdict] = field(default_factory=list)
    peaks: tuple[str, int] | None = None
    seconds: float = 0.0
    skipped: bool = False
    warnings: list[str] = field(default_factory=list)
    error: str = ""


def clean(
    job: Job, settings: Settings, method: Method, progress: Callable[[float], None]
) -> Outcome:
    """Denoise one recording; an error is stored in the outcome.

    Args:
        job: the recording.
        settings: the settings.
        method: the method of ``settings``, open.
        progress: called with the finished share, 0 to 1.
    """
    outcome = Outcome(job=job)
    try:
        with warnings_into(outcome.warnings):
            outcome.skipped = settings.resume and _is_done(outcome, settings.reading)
            if not outcome.skipped:
                _clean_anew(outcome, settings, method, progress)
    except Exception as error:  # an error in one file must not stop the others
        outcome.error = describe(error)
    local = str(job.source)
    outcome.error = outcome.error.replace(local, job.name)
    outcome.warnings = [warning.replace(local, job.name) for warning in outcome.warnings]
    return outcome


def _describe(outcome: Outcome, header: Header) -> None:
    outcome.duration, outcome.fs, outcome.leads = header.duration, header.fs, header.leads


def _clean_anew(
    outcome: Outcome, settings: Settings, method: Method, progress: Callable[[float], None]
) -> None:
    """Denoise a recording, and write report, picture and R peaks."""
    job = outcome.job
    started = time.perf_counter()
    with ExitStack() as stack:
        stack.enter_context(no_more_readable_than(formats.files_of(job.source)))
        reader = stack.enter_context(formats.open_reader(job.source, options=settings.reading))
        _describe(outcome, reader.info)
        inspector = _inspector(reader.info, settings)
        noisy = _spool(job, reader.info)
        if noisy:
            stack.enter_context(noisy)

        def watch(_: int, block: Block) -> None:
            if inspector:
                inspector.add(block.noisy, block.cleaned, block.sd, block.trust)
            if noisy:
                noisy.write(block.noisy)

        beside = _annotations_beside(job)
        summary = denoise_file(
            job.source,
            job.target,
            method,
            leads=settings.leads,
            progress=progress,
            watch=watch,
            reader=reader,
        )
        outcome.seconds = time.perf_counter() - started
        outcome.method = summary.method
        network = method.method if isinstance(method, Denoiser) else method
        outcome.uncertain = isinstance(network, Network) and not network.states_sd
        outcome.cleaned, outcome.unchanged = summary.cleaned, summary.unchanged
        found = inspector.result() if inspector else None
        header = summary.header
        stale = [file for file, had in beside.items() if file.stat().st_ino == had]
        outcome.warnings += [
            f"{file}: of the recording that was replaced; remove it" for file in stale
        ]
        if found is None:
            outcome.verdicts = unmeasured(header.leads, header.units, summary.unchanged)
            outcome.warnings.append(
                f"{job.source}: no lead is a voltage: nothing was cleaned; --unit states the unit "
                "of ECG leads"
            )
        else:
            outcome.verdicts = verdicts(found, summary.unchanged)
            outcome.warnings += found.warnings(hum=settings.mains is None)
            outcome.warnings += disagreements(outcome.verdicts)
            outcome.warnings += cleaned_before(reader.info.comments)
            if job.peaks:
                outcome.peaks = write_peaks(job.peaks, job.target, outcome.verdicts)
            if noisy:
                _draw(outcome, found, settings, noisy)


def _annotations_beside(job: Job) -> dict[Path, int]:
    """Inodes of annotation files beside an earlier result, but for that of requested R peaks."""
    if stores.in_store(job.target):
        return {}
    headers = (file for file in formats.files_of(job.target) if file.suffix == ".hea")
    found = {peaks_of(job.target), *chain(*map(wfdb_annotations.files, headers))} - {job.peaks}
    return {file: file.stat().st_ino for file in sorted(found) if file.is_file()}


def _spool(job: Job, header: Header) -> Spool | None:
    """Keeps the samples as recorded for report and picture, so that they are not read again."""
    drawn = job.page or job.figure
    if not drawn:
        return None
    return Spool(header, Path(gettempdir()) if stores.in_store(drawn) else drawn.parent)


def _inspector(header: Header, settings: Settings) -> Inspector | None:
    """Create the inspector of a recording; None if no lead is a voltage."""
    if "mV" not in header.units:
        return None
    return Inspector(header, heart_rates=settings.heart_rates)


def _draw(outcome: Outcome, found: Inspection, settings: Settings, noisy: SignalReader) -> None:
    """Write the report and the picture from the noisy and the denoised recording."""
    job = outcome.job
    from ipmdae.report import ReportInput, write_figure, write_page  # slow to import

    with formats.open_reader(job.target) as cleaned:
        subject = ReportInput(
            name=job.source.name,
            source=job.name,
            target=stores.name_of(job.target),
            method=outcome.method,
            card=settings.card(),
            settings=settings.words(),
            found=found,
            verdicts=outcome.verdicts,
            warnings=outcome.warnings,
            noisy=noisy,
            cleaned=cleaned,
        )
        if job.page:
            write_page(job.page, subject)
        if job.figure:
            write_figure(job.figure, subject)


def _header(file: Path, options: ReadOptions = DEFAULTS) -> Header:
    with formats.open_reader(file, options=options) as reader:
        return reader.info


def _is_done(outcome: Outcome, options: ReadOptions) -> bool:
    """True if a complete result no older than its source exists; the outcome then describes it.

    Results get their name when they are complete. The settings of a result are not known. Neither a
    result in a store, which is whole, nor a source there is fetched to be compared.
    """
    job = outcome.job
    mine, others = newest(job.target), newest(job.source)
    if mine is None or (others is not None and mine < others):
        return False
    beside = (job.page, job.figure, job.peaks)
    if any(file is not None and not stores.exists(file) for file in beside):
        return False
    if stores.in_store(job.target):
        return True
    try:
        target = _header(job.target)
        source = target if stores.in_store(job.source) else _header(job.source, options)
    except (OSError, ValueError):
        return False
    _describe(outcome, target)
    lengths = abs(target.duration - source.duration) <= 1 / source.fs
    return lengths and len(target.leads) == len(source.leads)


def newest(recording: Path) -> float | None:
    """Latest modification time of its files; ``None`` if it is not there."""
    try:
        first, *others = formats.files_of(recording)
        there = [first, *(file for file in others if stores.exists(file))]
        return max(
            stores.modified(file) if stores.in_store(file) else file.stat().st_mtime
            for file in there
        )
    except (FileNotFoundError, NotADirectoryError):  # the latter within an archive
        return None

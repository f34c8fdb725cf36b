"""The page about one recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ipmdae import __version__, formats
from ipmdae.files import replacing
from ipmdae.formats import SignalReader
from ipmdae.inspection.files import Inspection, inspect
from ipmdae.inspection.spectrum import BANDS
from ipmdae.pipeline.guard import DOUBT
from ipmdae.quality import Quality, Reason
from ipmdae.report import drawings, markup
from ipmdae.report.subject import Subject

_MOST_STRETCHES = 200


def write_page(path: Path, subject: Subject) -> Inspection:
    """Write the page about a recording, which is read in pieces: memory does not grow with it.

    Returns:
        What was seen.

    Raises:
        ValueError: no lead is a voltage, or the two files hold no twins.
        OSError: a file cannot be read, or the page not written.
    """
    with (
        formats.open_reader(subject.source, options=subject.reading) as noisy,
        formats.open_reader(subject.target) as cleaned,
    ):
        found = inspect(noisy, cleaned, spread=subject.spread)
        text = _page(subject, found, noisy, cleaned)
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")
    return found


def _page(subject: Subject, found: Inspection, noisy: SignalReader, cleaned: SignalReader) -> str:
    warnings = found.warnings()
    return markup.page(
        f"Cleaned recording: {subject.source.name}",
        _overview(subject, found),
        markup.section("Warnings", markup.bullets(warnings) or markup.paragraph("None.")),
        markup.section(
            "Before and after",
            markup.paragraph(
                "On ECG paper, 25 mm/s and 10 mm/mV when printed at full size (A4 landscape)."
            ),
            *drawings.strips(subject, found, noisy, cleaned),
            drawings.whole(found),
        ),
        _removed(found),
        _readable(found),
        drawings.heart_rates(found, noisy, cleaned),
        _how(subject),
    )


def _overview(subject: Subject, found: Inspection) -> str:
    header = found.header
    unchanged = [f"{lead}: {why}" for lead, why in subject.unchanged.items()]
    return markup.definitions(
        {
            "recorded": str(subject.source),
            "cleaned": str(subject.target),
            "length": f"{header.duration:.1f} s at {header.fs:g} Hz",
            "start": str(header.start or "not known"),
            "leads cleaned": ", ".join(subject.cleaned) or "none",
            "leads unchanged": "; ".join(unchanged) or "none",
            "readable": f"{found.quality.readable.mean():.1%} of all seconds and leads",
        }
    )


def _removed(found: Inspection) -> str:
    """What was taken out: RMS by lead and band, and spectra."""
    removed = found.spectra["removed"]
    rows = [["in all", *(f"{rms:.4f}" for rms in found.removed_in_all)]]
    for name, low, high in BANDS:
        rows.append([name, *(f"{rms:.4f}" for rms in removed.rms(low, high))])
    return markup.section(
        "What was removed",
        markup.table("RMS in mV by lead and band", ["band", *found.leads], rows),
        drawings.spectra(found),
    )


def _readable(found: Inspection) -> str:
    """What cannot be read, and how sure the rest is."""
    quality = found.quality
    rows = []
    for i, lead in enumerate(quality.leads):
        counts = np.bincount(quality.reason[:, i], minlength=len(Reason))
        known = quality.spread[~np.isnan(quality.spread[:, i]), i]
        error = f"{np.median(known):.3f}" if len(known) else "not known"
        rows.append([lead, *map(str, counts), error])
    head = ["lead", *(f"{reason.words} (s)" for reason in Reason), "median error (mV)"]
    return markup.section(
        "What may be trusted",
        markup.paragraph(
            "Each second of each lead is readable, or not for one reason. The error is the "
            "network's own estimate, one standard deviation; a second is uncertain where it "
            f"exceeds {DOUBT:.0%} of the lead's amplitude."
        ),
        markup.table("Seconds by lead", head, rows),
        _stretches(quality),
    )


def _stretches(quality: Quality) -> str:
    found = quality.stretches()
    if not found:
        return markup.paragraph("Nothing is unreadable.")
    rows = [
        [one.lead, f"{one.start}", f"{one.stop - one.start}", one.reason.words]
        for one in found[:_MOST_STRETCHES]
    ]
    left_out = len(found) - len(rows)
    return markup.table(
        "Unreadable stretches", ["lead", "from (s)", "length (s)", "reason"], rows
    ) + (markup.paragraph(f"And {left_out} more.") if left_out else "")


def _how(subject: Subject) -> str:
    """Settings, and the card of the model."""
    settings = subject.settings | {"method": subject.method.name, "ipmdae": __version__}
    card = (
        markup.definitions(subject.card)
        if subject.card is not None
        else markup.paragraph("A classical method, which was not trained.")
    )
    return markup.section("Settings", markup.definitions(settings)) + markup.section(
        f"Model card: {subject.method.name}", card
    )

"""The page about one recording, and the picture of its beginning."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ipmdae import __version__, figures
from ipmdae.inspection.verdict import GRADES, REMOVED_BANDS, Verdict, percent
from ipmdae.report import drawings, templates
from ipmdae.report.segments import segments
from ipmdae.report.subject import ReportInput
from ipmdae.text import counted, enumerated, visible

_MOST_UNUSABLE = 200
_MOST_LEADS = 40


def write_page(path: Path, subject: ReportInput) -> None:
    """Write the page about a recording; memory does not grow with its length.

    Raises:
        OSError: a file cannot be read, or the page not written.
    """
    found = subject.found
    header = found.header
    unusable = found.quality.unusable_segments()
    verdicts, more = _shown(subject.verdicts)
    parts = segments(subject)
    templates.write(
        path,
        "page.html",
        title=f"Cleaned recording: {subject.name}",
        verdict=overall(subject.verdicts),
        facts=f"{header.duration:.1f} s at {header.fs:g} Hz, "
        f"{'recorded ' + str(header.start) if header.start else 'date not known'}; "
        f"from {visible(subject.source)} to {visible(subject.target)}, by {subject.method}.",
        verdicts=verdicts,
        more=more,
        bands=[name for name, _, _ in REMOVED_BANDS],
        warnings=list(dict.fromkeys(subject.warnings)),
        shown=drawings.about_shown(subject),
        strips=drawings.strips(subject),
        overview=drawings.overview(subject) if header.duration > 2 * drawings.STRIP else None,
        segments=parts,
        segment_lead=parts[0].lead if parts else "",
        unusable=[
            [one.lead, f"{one.start}", f"{one.stop - one.start}", one.reason.words]
            for one in unusable[:_MOST_UNUSABLE]
        ],
        total=len(unusable),
        rates=drawings.heart_rates(subject),
        spectra=drawings.spectra(subject),
        settings={**subject.settings, "method": subject.method, "ipmdae": __version__},
        method=subject.method,
        card=subject.card,
    )


def write_figure(path: Path, subject: ReportInput) -> None:
    """Draw the first 10 s of a recording before and after.

    Raises:
        OSError: a file cannot be read, or the picture not written.
    """
    figures.save(drawings.strip(subject, 0.0, drawings.shown(subject)), path)


def overall(verdicts: Sequence[Verdict]) -> str:
    """The verdict on a recording in a sentence or two."""
    cleaned = [verdict for verdict in verdicts if not verdict.why]
    said = f"{len(cleaned)} of {counted(len(verdicts), 'lead')} cleaned. "
    if not cleaned:
        return said.strip()
    shares = [sum(verdict[grade] for verdict in cleaned) / len(cleaned) for grade in GRADES]
    parts = [f"{percent(s)} {grade}" for s, grade in zip(shares, GRADES, strict=True)]
    poor = [visible(verdict.lead) for verdict in cleaned if verdict.grade == GRADES[2]]
    said += f"Of all seconds of these, {', '.join(parts[:-1])} and {parts[-1]}."
    return said + (f" Do not rely on {enumerated(poor)}." if poor else "")


def _shown(verdicts: Sequence[Verdict]) -> tuple[list[Verdict], str]:
    """The verdicts that get a row, of very many leads the poorest, and a sentence on the others."""
    if len(verdicts) <= _MOST_LEADS:
        return list(verdicts), ""
    order = sorted(verdicts, key=lambda v: v.good if v.judged else 2.0)
    shown = [verdict for verdict in verdicts if verdict in order[:_MOST_LEADS]]
    return shown, f"and {counted(len(verdicts) - len(shown), 'lead')} that are better"

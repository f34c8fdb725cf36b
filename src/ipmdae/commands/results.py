"""Results of ``ipmdae denoise``: printed as text, as JSON lines, and as a table."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipmdae import stores
from ipmdae.console import complain, out, strict
from ipmdae.files import replacing
from ipmdae.inspection.verdict import REMOVED_BANDS, Verdict
from ipmdae.text import counted, visible

if TYPE_CHECKING:
    from ipmdae.commands.job import Outcome
    from ipmdae.report import Entry

_MOST_LINES = 16
"""Largest number of leads that are listed; beyond it, good leads are only counted."""

_FORMULA = re.compile(r"[=+@]|-(?![\w .]+$)")
"""Start of a text that a spreadsheet would evaluate as a formula."""


def rows_of(outcome: Outcome) -> list[dict[str, Any]]:
    """Summary rows of a recording, one per lead; times in s, voltages in mV rms.

    A recording that failed, or was skipped, has one row without a lead.
    """
    state = "failed" if outcome.error else "done already" if outcome.skipped else ""
    common = {
        "file": outcome.job.name,
        "output": None if outcome.error else stores.name_of(outcome.job.target),
    }
    rest = {
        "duration_s": outcome.duration or None,
        "fs_hz": outcome.fs or None,
        "method": outcome.method or None,
        "seconds": outcome.seconds or None,
        "report": stores.name_of(outcome.job.page)
        if outcome.job.page and not outcome.error
        else None,
        "warnings": outcome.warnings,
        "error": outcome.error or None,
    }
    if state or not outcome.verdicts:
        return [common | {"lead": None, "result": state or "cleaned"} | _blank() | rest]
    return [common | _row(verdict) | rest for verdict in outcome.verdicts]


def _row(verdict: Verdict) -> dict[str, Any]:
    return {
        "lead": verdict.lead,
        "result": "unchanged" if verdict.why else "cleaned",
        "why": verdict.why or None,
        "grade": verdict.grade or None,
        "good": verdict.good,
        "limited": verdict.limited,
        "unusable": verdict.unusable,
        "reasons": dict(verdict.reasons),
        "heart_rate_before": verdict.rate_before,
        "heart_rate_after": verdict.rate_after,
        "removed_mv": verdict.removed,
        **{_column(name): verdict.bands.get(name) for name, _, _ in REMOVED_BANDS},
        "error_mv": verdict.error,
    }


def _blank() -> dict[str, Any]:
    names = [name for name in _row(Verdict(lead="")) if name not in ("lead", "result")]
    return dict.fromkeys(names)


def _column(band: str) -> str:
    """Column name of a removed band: ``"removed_below_0.7_hz_mv"``."""
    return f"removed_{band.lower().replace(' ', '_')}_mv"


def print_lines(outcome: Outcome) -> None:
    """Print the rows of a recording as JSON lines."""
    for row in rows_of(outcome):
        sys.stdout.write(json.dumps(strict(row)) + "\n")
    sys.stdout.flush()


def write_summary(path: Path, outcomes: Sequence[Outcome], resume: bool) -> None:
    """Write the rows of all recordings as CSV, or as JSON lines, by suffix.

    Args:
        path: file to write.
        outcomes: outcome of each recording.
        resume: keep the rows of ``path`` for recordings that were not processed again.

    Raises:
        OSError: the file cannot be written.
    """
    before = _before(path) if resume else {}
    rows: list[dict[str, Any]] = []
    for outcome in outcomes:
        kept = before.pop(outcome.job.name, None)
        rows += kept if kept and outcome.skipped else rows_of(outcome)
    rows += [row for kept in before.values() for row in kept]
    with replacing(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        if _is_json(path):
            file.writelines(json.dumps(strict(row)) + "\n" for row in rows)
            return
        table = csv.DictWriter(file, _headings())
        table.writeheader()
        table.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def _before(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Rows of an existing summary, by file; empty if the file has another format."""
    found: dict[str, list[dict[str, Any]]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = (
                [json.loads(line) for line in file] if _is_json(path) else [*csv.DictReader(file)]
            )
        for row in rows:
            if set(row) == set(_headings()):
                found.setdefault(row["file"].removeprefix("'"), []).append(row)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
    return found


def _headings() -> list[str]:
    """Column names of the table."""
    head, tail = ["file", "output"], ["duration_s", "fs_hz", "method", "seconds", "report"]
    return [*head, *_row(Verdict(lead="")), *tail, "warnings", "error"]


def _is_json(path: Path) -> bool:
    return path.suffix.lower() in (".jsonl", ".ndjson", ".json")


def _cell(value: Any) -> str:
    """Format a value as one line of text; empty if unknown."""
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, float):
        return "" if isnan(value) else f"{value:.6g}"
    if isinstance(value, dict):
        value = "; ".join(f"{reason} {seconds} s" for reason, seconds in value.items())
    if isinstance(value, list):
        value = "; ".join(value)
    text = visible(str(value))
    return f"'{text}" if _FORMULA.match(text) else text


def print_outcome(outcome: Outcome) -> None:
    """Print the outcome of a recording: one line, its warnings, and the verdict on each lead."""
    job = outcome.job
    for warning in outcome.warnings:
        complain("warning", warning)
    if outcome.skipped:
        out.print(f"{visible(stores.name_of(job.target))}: already done", markup=False)
    elif not outcome.error:
        factor = outcome.seconds / outcome.duration
        out.print(
            f"{visible(job.name)}: {outcome.duration:.1f} s at {outcome.fs:g} Hz, "
            f"{len(outcome.cleaned)} of {counted(len(outcome.leads), 'lead')} cleaned by "
            f"{visible(outcome.method)} in {outcome.seconds:.2f} s, real-time factor {factor:.2g}; "
            f"written to {visible(stores.name_of(job.target))}",
            markup=False,
        )
        if outcome.uncertain:
            out.print("  no uncertainty is predicted: no second is graded unusable for its error")
        for line in lead_lines(outcome.verdicts):
            out.print(f"  {line}", markup=False)
        if outcome.peaks and job.peaks:
            from ipmdae.inspection.heart_rate import DETECTOR

            lead, count = outcome.peaks
            out.print(
                f"  {counted(count, 'R peak')} of lead {visible(lead)}, found by {DETECTOR}, "
                f"written to {visible(stores.name_of(job.peaks))}",
                markup=False,
            )


def lead_lines(verdicts: Sequence[Verdict]) -> list[str]:
    """Verdicts as lines of text; of many leads the good ones are counted only."""
    shown = list(verdicts)
    many = len(shown) > _MOST_LINES
    fine = [v for v in shown if many and not v.why and v.grade == "good"]
    width = max((len(visible(v.lead)) for v in shown if v not in fine), default=0)
    lines = [f"{visible(v.lead):{width}}  {v.sentence()}" for v in shown if v not in fine]
    if fine:
        lines.append(f"{counted(len(fine), 'lead')} cleaned and good")
    return lines


def print_totals(outcomes: Sequence[Outcome], unknown: int, quiet: bool) -> None:
    """Print the numbers of denoised, kept and failed recordings, and the errors last.

    Args:
        outcomes: outcome of each recording.
        unknown: number of files of unknown format.
        quiet: True to print the errors alone.
    """
    failed = [outcome for outcome in outcomes if outcome.error]
    skipped = sum(outcome.skipped for outcome in outcomes)
    if not quiet and (len(outcomes) > 1 or unknown):
        counts = {
            "cleaned": len(outcomes) - len(failed) - skipped,
            "done already": skipped,
            "failed": len(failed),
            f"{'file' if unknown == 1 else 'files'} of unknown format": unknown,
        }
        out.print(", ".join(f"{count} {what}" for what, count in counts.items() if count))
    for outcome in failed:
        name = outcome.job.name
        complain("error", outcome.error if name in outcome.error else f"{name}: {outcome.error}")


def entry(outcome: Outcome) -> Entry:
    """Row of a recording on the index page of the reports."""
    from ipmdae.report import Entry

    page = outcome.job.page
    return Entry(
        name=outcome.job.name,
        page=page if page and stores.exists(page) else None,
        duration=outcome.duration,
        error=outcome.error,
        skipped=outcome.skipped,
        verdicts=outcome.verdicts,
        warnings=outcome.warnings,
    )

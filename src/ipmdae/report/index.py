"""The page that leads to those of several recordings, what needs a look first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from ipmdae.inspection.verdict import Verdict
from ipmdae.report import templates
from ipmdae.text import counted

_RATE = 5.0  # beats/min by which the heart rate may change unremarked


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A recording on the index.

    Attributes:
        name: name of the recording.
        page: its own page; ``None`` if it has none.
        duration: its length in s.
        error: reason of a failure; empty otherwise.
        skipped: whether it had been done already.
        verdicts: on its leads.
        warnings: messages for the user.
    """

    name: str
    page: Path | None
    duration: float = 0.0
    error: str = ""
    skipped: bool = False
    verdicts: Sequence[Verdict] = field(default_factory=list)
    warnings: Sequence[str] = field(default_factory=list)

    @property
    def result(self) -> str:
        """Outcome in a word or two."""
        return "failed" if self.error else "done already" if self.skipped else "cleaned"

    @property
    def worst(self) -> Verdict | None:
        """The verdict on the lead that can be trusted least, of those that were cleaned."""
        cleaned = [v for v in self.verdicts if v.judged and not v.why]
        return min(cleaned, key=lambda v: (v.readable, v.good), default=None)

    @property
    def remarks(self) -> list[str]:
        """Findings to look at."""
        moved = [v.lead for v in self.verdicts if abs(v.rate_after - v.rate_before) > _RATE]
        left = [f"{v.lead} left ({v.why})" for v in self.verdicts if v.why]
        return [
            *([self.error] if self.error else []),
            *([f"heart rate changed in {', '.join(moved)}"] if moved else []),
            *([self.worst.main_reasons] if self.worst and self.worst.reasons else []),
            *left,
            *self.warnings,
        ]

    @property
    def urgency(self) -> tuple[bool, float, int]:
        """Urgency of a look; higher is more urgent."""
        worst = self.worst
        if worst is None:
            return bool(self.error), 0.0, len(self.remarks)
        moved = abs(worst.rate_after - worst.rate_before) > _RATE
        return bool(self.error), 1 - worst.good + worst.unusable + moved, len(self.remarks)


def write_index(path: Path, entries: Sequence[Entry]) -> None:
    """Write a page with a row for each recording, those that need a look first.

    Raises:
        OSError: it cannot be written.
    """
    ordered = sorted(entries, key=lambda entry: entry.urgency, reverse=True)
    failed = sum(bool(entry.error) for entry in entries)
    poor = sum(entry.worst is not None and entry.worst.grade != "good" for entry in entries)
    templates.write(
        path,
        "index.html",
        title="Cleaned recordings",
        verdict=f"{counted(len(entries), 'recording')}: {failed} failed, {poor} with a lead that "
        "is not good.",
        entries=[(entry, _link(path, entry)) for entry in ordered],
    )


def _link(index: Path, entry: Entry) -> str:
    if entry.page is None:
        return ""
    return quote(Path(os.path.relpath(entry.page, index.parent)).as_posix())

"""Input of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ipmdae.formats import SignalReader
from ipmdae.inspection.files import Inspection
from ipmdae.inspection.verdict import Verdict


@dataclass(frozen=True, kw_only=True, eq=False)
class ReportInput:
    """A recording that was cleaned, and what was measured meanwhile.

    Attributes:
        name: of the recording.
        source: path of the recording.
        target: path of the cleaned one.
        method: name of what cleaned it.
        card: of its model; ``None`` for a classical method.
        settings: settings of denoising, as texts by name.
        found: measures of both.
        verdicts: on each lead of the recording.
        warnings: messages for the user.
        noisy, cleaned: both recordings, open; only what is drawn is read of them.
    """

    name: str
    source: str
    target: str
    method: str
    card: Mapping[str, Any] | None
    settings: Mapping[str, str]
    found: Inspection
    verdicts: Sequence[Verdict]
    noisy: SignalReader
    cleaned: SignalReader
    warnings: Sequence[str] = field(default_factory=list)

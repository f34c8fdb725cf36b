"""Goals of protocol hearts: rhythms and waves are preserved, or the segment is rejected."""

from __future__ import annotations

from pathlib import Path

from ipmdae.engine import model_names
from ipmdae.lab.evaluation.goals.goal import goal_table
from ipmdae.lab.evaluation.goals.stored import find
from ipmdae.lab.evaluation.hearts.goals import judged
from ipmdae.lab.evaluation.hearts.method import RAW
from ipmdae.lab.evaluation.hearts.report import FOLDER, REFERENCE

_TEXT = """\
## Rhythms and waves

Components of other rhythms in real leads, real arrhythmia, ST, R peaks, limb leads, test signals,
pauses and labelled motion ([hearts.md](hearts.md)). *Rejected* means graded unusable by the model.
"""


def sections(results: Path) -> list[str]:
    """Goals and measured values of all shipped models, as Markdown."""
    raw, reference = (find(results, FOLDER, method) for method in (RAW, REFERENCE))
    page = [_TEXT]
    for name in model_names():
        goals = judged(find(results, FOLDER, name), raw, reference)
        page += [f"### `{name}`\n", goal_table(goals)]
    return page

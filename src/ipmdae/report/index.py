"""The page that leads to those of several recordings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from ipmdae.files import replacing
from ipmdae.report import markup


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A recording on the index.

    Attributes:
        name: what to call it.
        page: its own page; ``None`` if it has none.
        duration: its length in s.
        result: what became of it, in a word or a sentence.
        warnings: how many there were.
    """

    name: str
    page: Path | None
    duration: float
    result: str
    warnings: int


def write_index(path: Path, entries: Sequence[Entry]) -> None:
    """Write a page with a row for each recording.

    Raises:
        OSError: it cannot be written.
    """
    rows = "\n".join(
        f'<tr><th scope="row">{_name(path, entry)}</th><td>{entry.duration:.1f}</td>'
        f"<td>{entry.warnings}</td><td class=text>{escape(entry.result)}</td></tr>"
        for entry in entries
    )
    head = ("recording", "length (s)", "warnings", "result")
    titles = "".join(f'<th scope="col">{title}</th>' for title in head)
    table = (
        "<table>\n<caption>Each name leads to the page of its recording</caption>\n"
        f"<thead><tr>{titles}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"
    )
    with replacing(path) as aside:
        aside.write_text(markup.page("Cleaned recordings", table), encoding="utf-8")


def _name(index: Path, entry: Entry) -> str:
    if entry.page is None:
        return escape(entry.name)
    relative = Path(os.path.relpath(entry.page, index.parent)).as_posix()
    return markup.link(quote(relative), entry.name)

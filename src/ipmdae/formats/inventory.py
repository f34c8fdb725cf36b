"""What can be read and written, here and with which extra: for users, and for the README."""

from __future__ import annotations

from dataclasses import dataclass

from ipmdae.formats import FORMATS, BlockReadable, BlockWritable, Writable
from ipmdae.formats.optional import EXTRAS, command, is_installed

IN_PARTS, WHOLE = "in parts", "whole"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One format.

    Attributes:
        name: what it is called.
        suffixes: ends of names, the most usual first.
        reads, writes: ``"in parts"`` (any length), ``"whole"`` (in memory), or empty.
        library: what it needs beside the base installation; empty if nothing.
    """

    name: str
    suffixes: tuple[str, ...]
    reads: str
    writes: str
    library: str

    @property
    def here(self) -> bool:
        """Whether this installation has what it needs."""
        return not self.library or is_installed(self.library)

    @property
    def extra(self) -> str:
        """The extra that brings its library; empty if it needs none."""
        return EXTRAS[self.library] if self.library else ""

    @property
    def command(self) -> str:
        """The command that installs what it needs; empty if it needs nothing."""
        return command(self.library) if self.library else ""


def entries() -> list[Entry]:
    """All formats, those of the base installation first."""
    found = [
        Entry(
            name=format.NAME,
            suffixes=format.SUFFIXES,
            reads=IN_PARTS if isinstance(format, BlockReadable) else WHOLE,
            writes=(IN_PARTS if isinstance(format, BlockWritable) else WHOLE)
            if isinstance(format, Writable)
            else "",
            library=getattr(format, "LIBRARY", ""),
        )
        for format in FORMATS
    ]
    extras = ["", *dict.fromkeys(sorted(EXTRAS.values()))]
    return sorted(found, key=lambda entry: (extras.index(entry.extra), not entry.writes))


def markdown() -> str:
    """A table of all formats by extra, for the README."""
    rows = ["| extra | reads and writes | reads |", "| --- | --- | --- |"]
    known = entries()
    for extra in dict.fromkeys(entry.extra for entry in known):
        cells = [
            ", ".join(_cell(e) for e in known if e.extra == extra and bool(e.writes) is writes)
            for writes in (True, False)
        ]
        rows.append(f"| {f'`{extra}`' if extra else 'none'} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _cell(entry: Entry) -> str:
    ends = " ".join(f"`{suffix}`" if suffix else "no suffix" for suffix in entry.suffixes)
    return f"{entry.name} ({ends})"

"""Formats that can be read and written, and the extra that each needs."""

from __future__ import annotations

from dataclasses import dataclass

from ipmdae.formats import FORMATS, BlockReadable, BlockWritable, Writable
from ipmdae.formats.optional import EXTRAS, command, is_installed

IN_PARTS, WHOLE = "in parts", "whole"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file format.

    Attributes:
        name: name of the format.
        suffixes: file suffixes, the most usual first.
        reads, writes: ``"in parts"`` (any length), ``"whole"`` (in memory), or empty.
        library: required package that is not in the base installation; empty if none.
    """

    name: str
    suffixes: tuple[str, ...]
    reads: str
    writes: str
    library: str

    @property
    def here(self) -> bool:
        """True where this installation has the library."""
        return not self.library or is_installed(self.library)

    @property
    def extra(self) -> str:
        """Extra that installs the library; empty if none is needed."""
        return EXTRAS[self.library] if self.library else ""

    @property
    def command(self) -> str:
        """Command that installs the library; empty if none is needed."""
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
    """Markdown table of all formats by extra, for docs/howto/formats.md."""
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

"""Text from files: one line without control characters, unique names."""

from __future__ import annotations

from collections.abc import Sequence

_JOINERS = "\u200c\u200d"
"""Zero-width characters that some languages need."""

_MOST = 12
"""Names written out in a list of many."""


def one_line(text: str) -> str:
    r"""Convert ``text`` to one stripped line; other white space becomes spaces.

    Control characters, direction marks and lone surrogates, which could control a terminal or forge
    lines of a file, are escaped as in Python (``\x1b``).
    """
    line = " ".join(part.strip() for part in text.splitlines())
    return visible("".join(" " if c.isspace() else c for c in line).strip())


def visible(text: str, kept: str = "") -> str:
    """Escape the characters of ``text`` that cannot be printed, except those of ``kept``."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in _JOINERS or c in kept else _escaped(c) for c in text
    )


def counted(count: int, noun: str) -> str:
    """Format a count: ``"1 lead"``, ``"2 leads"``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def enumerated(names: Sequence[str]) -> str:
    """Join names with commas; of many, the first ones and the number of the others."""
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def unique(names: Sequence[str]) -> list[str]:
    """Make names of leads unique: empty ones get a number, repeated ones a suffix."""
    result: list[str] = []
    taken: set[str] = set()
    last: dict[str, int] = {}
    for i, name in enumerate(names):
        base = own = name or f"lead {i + 1}"
        while own in taken:
            last[base] = last.get(base, 1) + 1
            own = f"{base} {last[base]}"
        taken.add(own)
        result.append(own)
    return result


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")

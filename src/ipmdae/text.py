"""Text for people: on one line, with nothing in it that a terminal or a browser would obey."""

from __future__ import annotations


def visible(text: str) -> str:
    """Text of a file, its control and format characters shown as escapes: ``"a\\\\x1b[2J"``."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii")
        for each in text
    )


def counted(count: int, noun: str) -> str:
    """A number of things: ``"1 lead"``, ``"2 leads"``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"

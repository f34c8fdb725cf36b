"""Words in the headings and heads of tables in many languages; the web page has the same ones."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

WORDS: dict[str, Any] = json.loads(
    resources.files(__package__).joinpath("words.json").read_text("utf-8")
)
"""By meaning: words with blanks between, tables, or regular expressions that ignore case."""


def words(meaning: str) -> set[str]:
    """The words of a meaning."""
    return set(WORDS[meaning].split())

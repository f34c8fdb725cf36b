"""Check of the wording of docs, docstrings, comments and messages: ``python -m tools.wording``.

Prints each use of a banned word with the term to use instead, and exits with 1 if there is any.
"""

from __future__ import annotations

import argparse
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = (
    *("*.md", "*.py", "docs/**/*.md", "src/**/*.py", "src/**/*.md", "tools/**/*.py"),
    *("benchmarks/**/*.py", "native/**/*.md", "native/**/*.[ch]pp", "native/**/*.h"),
    *("src/**/*.[ch]", "tools/**/*.[ch]", "src/**/*.md.j2"),
)

BANNED = {
    r'^\s*"""(What|How|Where|Whether|Which|Who|Why)\b': "a noun phrase or an imperative",
    r"\b(?:is|are|was|be|not) told\b": "given, stated, reported",
    r"\btells?\b(?! apart)": "states, shows, reports",
    r"\bhears?\b(?!t)": "responds to, contains",
    r"\b(?:that|which|it|one) is none\b": "is not a …, is invalid",
    r"\blies around\b": "offset, median",
    r"\bby heart\b": "memorises, overfits",
    r"\btwins?\b": "counterpart, clean record",
    r"\bpassengers?\b": "auxiliary channels",
    r"\b(?:a )?rooms?\b": "module, space",
    r"\bbetween those recorded\b": "random lead projection",
    r"\bclean by\b": "denoise with",
    r"\btaken? for\b|\btakes for\b": "treated as, assumed to be",
    r"\bis believed\b": "is used",
    r"\bput to (?:a|the) tests?\b": "tested",
    r"\bstretch(?:es)?\b": "segment",
    r"\bno voltage\b": "not a voltage",
    r"\bhalf-written\b": "partly written",
    r"(?<=\S )(?<![Bb]aseline )wander\b": "baseline wander",
    r"\bhum\b": "powerline interference",
    r"\bmend(?:s|ed)?\b": "fix, correct",
    r"\bcomes? to (?:an|no|its) end\b": "converges",
    r"\bP[123]\b": "the protocol's name",
}
"""Patterns that docs and comments must not contain, with the terms to use instead."""

_PATTERNS = {re.compile(pattern): instead for pattern, instead in BANNED.items()}
_CODE = re.compile(
    r"```.*?```|``[^`]*``|`[^`\n]+`|:\w+:`[^`]+`|https?://\S+|\{\{.*?\}\}|\{%.*?%\}", re.DOTALL
)
_ARGUMENT = re.compile(r"^ +[\w, ]+: ")  # names of arguments in a docstring
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


def prose(path: Path, text: str) -> Iterator[tuple[int, str]]:
    """Lines of prose with their numbers: all of Markdown, else comments and strings of words."""
    if path.suffix in (".md", ".j2"):
        parts = [(1, text)]
    elif path.suffix == ".py":
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        parts = [
            (token.start[0], token.string)
            for token in tokens
            if tokenize.tok_name[token.type] in ("COMMENT", "STRING", "FSTRING_MIDDLE")
            and len(token.string.split()) > 2
        ]
    else:
        parts = [(text.count("\n", 0, c.start()) + 1, c[0]) for c in _COMMENT.finditer(text)]
    for first, part in parts:
        plain = _CODE.sub(lambda code: "\n" * code[0].count("\n") or "``", part)
        lines = plain.split("\n")
        yield from enumerate((_ARGUMENT.sub("", line) for line in lines), first)


def check(path: Path) -> Iterator[str]:
    """Find the banned words of a file; yields a message for each."""
    for number, line in prose(path, path.read_text(encoding="utf-8")):
        for pattern, instead in _PATTERNS.items():
            for found in pattern.finditer(line):
                yield f"{path}:{number}: {found[0].strip()!r}: say {instead}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.wording", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="by default all of the project")
    chosen = parser.parse_args(arguments).files
    files = chosen or [path for pattern in FILES for path in sorted(ROOT.glob(pattern))]
    findings = [finding for path in files for finding in check(path)]
    print("\n".join(findings) or f"{len(files)} files, no banned word")
    raise SystemExit(1 if findings else 0)


if __name__ == "__main__":
    main()

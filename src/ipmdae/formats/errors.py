"""The error of all readers and writers."""

from __future__ import annotations

import os


class FormatError(ValueError):
    """A file that cannot be read or written as a recording: which one, and why."""

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        super().__init__(f"{os.fspath(path)}: {reason}")


def reason(error: BaseException) -> str:
    """What a library says went wrong, on one line of moderate length."""
    return " ".join(str(error).split())[:200] or type(error).__name__

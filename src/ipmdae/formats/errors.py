"""The error of all readers and writers, and the wrapper that turns every other one into it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_LONGEST = 400
"""Characters of a reason; some libraries quote the file."""


class FormatError(ValueError):
    """A file that cannot be read or written as a recording: which one, and why.

    The message is one line. Control characters, which may come from the file, are escaped.

    Attributes:
        path: the file.
        reason: why, without the name of the file.
    """

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        self.path = os.fspath(path)
        self.reason = reason
        super().__init__(f"{_printable(self.path)}: {_printable(' '.join(reason.split()))}")

    def __reduce__(self) -> tuple[type[FormatError], tuple[str, str]]:
        return type(self), (self.path, self.reason)


def reason(error: BaseException) -> str:
    """The message of a library's error, on one line of moderate length."""
    return " ".join(str(error).split())[:200] or type(error).__name__


@contextmanager
def format_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn any error of a reader within the block into a :class:`FormatError` of ``path``.

    Passed on as they are: errors of the operating system that name a file (it is missing, may not
    be read), a missing library, and warnings that the user has made errors.

    Raises:
        FormatError: for all others, :class:`MemoryError` and :class:`RecursionError` included.
    """
    try:
        yield
    except (FormatError, FileNotFoundError, PermissionError, ModuleNotFoundError, Warning):
        raise
    except MemoryError as error:
        raise FormatError(path, "does not fit into memory") from error
    except RecursionError as error:
        raise FormatError(path, "is nested too deeply") from error
    except OSError as error:
        if error.filename is not None:
            raise
        raise FormatError(path, f"cannot be read ({reason(error)})") from error
    except Exception as error:
        said = str(error).strip() and f": {reason(error)}"
        raise FormatError(path, f"is broken ({type(error).__name__}{said})") from error


def _printable(text: str) -> str:
    """Text of moderate length, in which what a terminal would not print is escaped."""
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode("ascii")
        for c in text
    )

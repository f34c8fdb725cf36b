"""Console of the commands: results on stdout, everything else on stderr, one line each."""

from __future__ import annotations

import json
import math
import os
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from ipmdae.text import one_line, visible

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

_DEBUG = "IPMDAE_DEBUG"
"""Environment variable that makes processes print tracebacks."""

_EXPECTED = (OSError, ValueError, RuntimeError, ModuleNotFoundError, MemoryError)
"""Errors that a user can fix; their messages say how."""


class _Console(Console):
    """Console that prints control characters in text visibly instead of sending them."""

    def print(self, *objects: Any, **options: Any) -> None:
        texts = (visible(one, "\n\t") if isinstance(one, str) else one for one in objects)
        super().print(*texts, **options)


out = _Console(highlight=False, soft_wrap=True, emoji=False)
err = _Console(highlight=False, soft_wrap=True, emoji=False, stderr=True)


def complain(kind: str, message: str) -> None:
    """Print ``message`` as one line on stderr."""
    err.print(f"ipmdae: {kind}: {one_line(message)}", markup=False)


def plain(text: str) -> str:
    """Text for a table or a status: one line, without markup."""
    return escape(one_line(text))


def describe(error: BaseException) -> str:
    """Describe an error in one line; print its traceback to stderr first in debug mode."""
    if os.environ.get(_DEBUG):
        err.print("".join(traceback.format_exception(error)).rstrip(), markup=False)
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    if isinstance(error, MemoryError):
        return f"not enough memory: {error}" if str(error) else "not enough memory"
    if isinstance(error, _EXPECTED):
        return str(error) or type(error).__name__
    return (
        f"unexpected {type(error).__name__}: {error}; this is a fault of ipmdae, please report "
        "what it prints with --debug"
    )


@contextmanager
def debugging(wanted: bool) -> Iterator[None]:
    """Make :func:`describe` print tracebacks, in this process and its children."""
    before = os.environ.get(_DEBUG)
    if wanted:
        os.environ[_DEBUG] = "1"
    try:
        yield
    finally:
        if wanted and before is None:
            del os.environ[_DEBUG]


@contextmanager
def warnings_at_once(show: Callable[[str], None] | None = None) -> Iterator[None]:
    """Show the warnings of the block as they are raised, by default on stderr, like errors."""
    shown = show or partial(complain, "warning")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = lambda message, *_, **__: shown(str(message))
        yield


@contextmanager
def warnings_in_one_line() -> Iterator[None]:
    """Print the warnings of the block to stderr when it ends, formatted like errors."""
    collected: list[str] = []
    try:
        with warnings_into(collected):
            yield
    finally:
        for message in collected:
            complain("warning", message)


@contextmanager
def warnings_into(collected: list[str]) -> Iterator[None]:
    """Append the warnings of the block to ``collected`` when it ends."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("default", UserWarning)
        try:
            yield
        finally:
            collected += [str(warning.message) for warning in caught]


def progress_bars(*columns: ProgressColumn) -> Progress:
    """Progress bars on stderr with ``columns`` between bar and time left; silent off a terminal."""
    from rich import progress

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        *columns,
        progress.TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    )


def print_json(value: Any) -> None:
    """Print ``value`` as JSON on stdout; NaN and infinities become ``null``."""
    text = json.dumps(strict(value), indent=2, ensure_ascii=False)
    if visible(text, "\n") != text:
        text = json.dumps(strict(value), indent=2)
    out.print(text, markup=False)


def strict(value: Any) -> Any:
    """Replace NaN and infinities, which JSON lacks, by ``None``."""
    if isinstance(value, dict):
        return {key: strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

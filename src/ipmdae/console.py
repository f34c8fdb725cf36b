"""What the commands print on: results on stdout, everything else on stderr, a line each."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ipmdae.text import visible

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

out = Console(highlight=False, soft_wrap=True)
err = Console(highlight=False, soft_wrap=True, stderr=True)


def complain(kind: str, message: str) -> None:
    """Print ``message`` as one line on stderr."""
    err.print(f"ipmdae: {kind}: {visible(' '.join(message.split()))}", markup=False)


@contextmanager
def warnings_in_one_line() -> Iterator[None]:
    """Print the warnings of the block on stderr, when it ends, as errors are printed."""
    told: list[str] = []
    try:
        with warnings_into(told):
            yield
    finally:
        for message in told:
            complain("warning", message)


@contextmanager
def warnings_into(told: list[str]) -> Iterator[None]:
    """Append the warnings of the block to ``told``, when it ends."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("default", UserWarning)
        try:
            yield
        finally:
            told += [str(warning.message) for warning in caught]


def progress_bars(*columns: ProgressColumn) -> Progress:
    """Bars on stderr with ``columns`` between bar and time left; none where no one looks."""
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
    out.print(json.dumps(strict(value), indent=2), markup=False)


def strict(value: Any) -> Any:
    """A value with ``None`` for numbers that JSON does not have: NaN and infinities."""
    if isinstance(value, dict):
        return {key: strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

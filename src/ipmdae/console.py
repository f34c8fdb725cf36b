"""What the commands print on: results on stdout, everything else on stderr, a line each."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

out = Console(highlight=False, soft_wrap=True)
err = Console(highlight=False, soft_wrap=True, stderr=True)


def complain(kind: str, message: str) -> None:
    """Print ``message`` as one line on stderr."""
    err.print(f"ipmdae: {kind}: {' '.join(message.split())}", markup=False)


@contextmanager
def warnings_in_one_line() -> Iterator[None]:
    """Print the warnings of the block on stderr, when it ends, as errors are printed."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("default", UserWarning)
        try:
            yield
        finally:
            for warning in caught:
                complain("warning", str(warning.message))

"""Libraries that only some formats need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs(library: str, what: str) -> Iterator[None]:
    """Around the import of a library: where it is missing, say how to get it.

    Raises:
        ModuleNotFoundError: it is missing; the message names the extra.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'{what} need {library}: pip install "ultralight-ipm-dae[formats]"'
        ) from error

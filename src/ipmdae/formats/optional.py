"""Libraries that only some formats need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec


@contextmanager
def needs(library: str, what: str) -> Iterator[None]:
    """Around the import of a library: where it is missing, say how to get it.

    Raises:
        ModuleNotFoundError: it is missing; the message names the extra.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise _missing(library, what) from error


def require(library: str, what: str) -> None:
    """Check that a library is installed, without importing it.

    Raises:
        ModuleNotFoundError: it is missing; the message names the extra.
    """
    if find_spec(library) is None:
        raise _missing(library, what)


def _missing(library: str, what: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(f'{what} need {library}: pip install "ultralight-ipm-dae[formats]"')

"""Libraries that only some formats need, and the extras that bring them."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from contextlib import contextmanager

PACKAGE = "ultralight-ipm-dae"

EXTRAS = {
    "bioread": "acqknowledge",
    "ecgdatakit": "formats",
    "fsspec": "remote",
    "h5py": "formats",
    "pyarrow": "formats",
    "pydicom": "formats",
    "pyxdf": "xdf",
    "scipy": "formats",
}
"""The extra of this package that brings a library."""


def is_installed(library: str) -> bool:
    """True if a library is there, without importing it."""
    return importlib.util.find_spec(library) is not None


def command(library: str) -> str:
    """The command that installs a library with what belongs to it."""
    return f'pip install "{PACKAGE}[{EXTRAS[library]}]"'


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
    if not is_installed(library):
        raise _missing(library, what)


def _missing(library: str, what: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(f"{what} need {library}: {command(library)}")


@contextmanager
def quiet(logger: str) -> Iterator[None]:
    """Let a library's logger, of that name, print nothing within the block."""
    log = logging.getLogger(logger)
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(level)

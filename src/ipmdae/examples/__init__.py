"""Real recordings that ship with the package, to try it on; see README.md beside this file."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent


def names() -> tuple[str, ...]:
    """The examples, in alphabetical order."""
    return tuple(sorted(header.stem for header in _FOLDER.glob("*.hea")))


def path(name: str) -> Path:
    """Path of the example ``name``: a WFDB record, given by its path without a suffix.

    Raises:
        KeyError: there is no such example; the message lists those that exist.
    """
    if name not in names():
        raise KeyError(f"no example is called {name!r}; there are {', '.join(names())}")
    return _FOLDER / name

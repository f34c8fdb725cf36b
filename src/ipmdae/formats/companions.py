"""Files that belong to another file, found by a name that this other file may have chosen."""

from __future__ import annotations

import os
from pathlib import Path

from ipmdae.formats.errors import FormatError
from ipmdae.text import visible

_LONGEST_NAME = 255
"""Bytes that a name may have on the usual file systems."""


def check_name(path: Path, name: str) -> None:
    """Refuse a name that is too long for a file.

    Args:
        path: the file that names the other.
        name: of the other, perhaps with folders.

    Raises:
        FormatError: it is too long.
    """
    length = len(os.fsencode(name))
    if length > _LONGEST_NAME:
        raise FormatError(path, f"names a file with a name of {length} bytes ({name!r:.100})")


def companion(path: Path, name: str) -> Path:
    """The file ``name`` in the folder of ``path``.

    Args:
        path: the file that names the other.
        name: a plain name, in any case.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: the name, or what it links to, leads out of the folder, or it is too long.
    """
    check_name(path, name)
    if not name or name in (".", "..") or any(sign in name for sign in ("/", "\\", "\0")):
        raise FormatError(path, f"names a file outside its folder ({name!r:.100})")
    found = path.with_name(name)
    if not found.is_file():
        same = (p for p in path.parent.iterdir() if p.name.lower() == name.lower())
        found = next(same, found)
    shown = visible(found.name)
    if not found.is_file():
        raise FileNotFoundError(f"{path}: {shown}, which belongs to it, is not in its folder")
    if found.resolve().parent != path.resolve().parent:
        raise FormatError(path, f"{shown}, which belongs to it, links out of its folder")
    return found

"""Lists of SHA-256 digests as ``sha256sum`` writes them and PhysioNet publishes them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath


def parse(text: str) -> dict[str, str]:
    """Read a list as ``sha256sum`` writes it: file name -> digest, lower-case hexadecimal.

    Raises:
        ValueError: a line is not a valid entry, or a name leads out of the database's folder.
    """
    checksums = {}
    for line in text.splitlines():
        entry = re.fullmatch(r"([0-9a-fA-F]{64}) [ *]?(\S.*)", line)
        if entry is None:
            raise ValueError(f"not a checksum and a file name: {line[:80]!r}")
        sha256, name = entry.groups()
        if not _stays_inside(name):
            raise ValueError(f"the file name {name!r} leads out of the folder")
        checksums[name] = sha256.lower()
    if not checksums:
        raise ValueError("it is empty")
    return checksums


def is_whole(path: Path, sha256: str) -> bool:
    """True if a file is there with the published content."""
    return path.is_file() and digest(path) == sha256


def digest(path: Path) -> str:
    """SHA-256 of a file, lower-case hexadecimal."""
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            sha.update(piece)
    return sha.hexdigest()


def _stays_inside(name: str) -> bool:
    """True if a published name is a plain relative path on every operating system."""
    path = PurePosixPath(name)
    relative = bool(path.parts) and not path.is_absolute() and ".." not in path.parts
    return relative and name.isprintable() and not set(name) & set('\\:*?"<>|')

"""Check of a source distribution: it holds the files of the repository, and nothing else."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Collection
from pathlib import Path, PurePosixPath

BUILT = PurePosixPath("src/ipmdae/_web")
"""The built web page: the only files that are made, so that no installation needs Node."""


class SdistError(ValueError):
    """A source distribution lacks files, or has others."""


def check_sdist(path: Path, tracked: Collection[str]) -> int:
    """Compare the files of a source distribution with those of the repository.

    Args:
        path: of the source distribution.
        tracked: the repository's files, see :func:`tracked_files`.

    Returns:
        The number of files.

    Raises:
        SdistError: a file is missing (but those of ``release``), surplus, or not a plain file.
    """
    root = path.name.removesuffix(".tar.gz")
    with tarfile.open(path) as archive:
        odd = [member.name for member in archive if not member.isfile()]
        names = [PurePosixPath(name) for name in archive.getnames()]
    found = {str(name.relative_to(root)) for name in names if name.is_relative_to(root)}
    if odd or len(found) != len(names):
        raise SdistError(f"{path}: not a plain file, twice, or outside of {root}: {odd or names}")
    expected = {name for name in tracked if not name.startswith("release/")} | {"PKG-INFO"}
    if missing := sorted(expected - found):
        raise SdistError(f"{path} lacks {', '.join(missing)}")
    made = {name for name in found if PurePosixPath(name).is_relative_to(BUILT)}
    if surplus := sorted(found - expected - made):
        raise SdistError(f"{path} holds what is not in the repository: {', '.join(surplus)}")
    return len(found)


def tracked_files(root: Path, *options: str) -> set[str]:
    """Files of a checkout, as ``git ls-files`` lists them.

    Raises:
        OSError: git is missing.
        subprocess.CalledProcessError: the folder is not a checkout.
    """
    command = ["git", "-C", str(root), "ls-files", "-z", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split("\0")) - {""}

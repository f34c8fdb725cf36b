"""Files of the shipped models, and the commit of the checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

WEIGHTS = Path("src", "ipmdae", "weights")

UNKNOWN = "unknown"


def commit_now() -> str:
    """The commit that is checked out, marked ``-dirty`` where files differ from it."""
    return _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def commit_of(path: Path) -> str:
    """The commit that brought a file as it was last committed."""
    return _git("-C", str(path.parent), "log", "-1", "--format=%H", "--", path.name)


def _git(*words: str) -> str:
    """Output of git; :data:`UNKNOWN` outside of a checkout, or without git."""
    try:
        done = subprocess.run(
            ["git", *words], capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN
    return done.stdout.strip() or UNKNOWN

"""Fresh environments of every Python on this machine, to try packages in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

VERSIONS = ("3.10", "3.11", "3.12", "3.13")
"""Versions of Python that the package is tried with."""

_FOLDERS = ("HOME", "SYSTEMROOT", "TMPDIR")


def pythons() -> dict[str, Path]:
    """Interpreters of :data:`VERSIONS`, by version, on PATH or in pyenv's folder."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = {}
    for version in VERSIONS:
        named = shutil.which(f"python{version}")
        pyenv = root.glob(f"versions/{version}.*/bin/python{version}")
        for candidate in (*([Path(named)] if named else []), *sorted(pyenv)):
            if _version(candidate) == version:
                found[version] = candidate
                break
    return found


def _version(python: Path) -> str | None:
    """Major and minor version of an interpreter; ``None`` where it does not run."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        return run([str(python), "-c", code])
    except (OSError, RuntimeError):
        return None


def fresh(python: Path, folder: Path, *requirements: str, **environment: str) -> Path:
    """Make an environment, install requirements into it, and return the folder of its programs.

    Args:
        python: interpreter.
        folder: of the new environment.
        requirements: for pip.
        environment: variables of the installation; by default no PATH, so that no compiler is
            found.

    Raises:
        RuntimeError: the installation failed; the message holds what it said.
    """
    run([str(python), "-m", "venv", str(folder)])
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    run(
        [str(programs / "python"), "-m", "pip", "install", "-q", *requirements], None, **environment
    )
    return programs


def run(command: list[str], cwd: Path | None = None, **environment: str) -> str:
    """Run a program with the given variables and the user's folders, and return its output.

    Raises:
        RuntimeError: it failed; the message holds what it said.
    """
    folders = {name: os.environ[name] for name in _FOLDERS if name in os.environ}
    done = subprocess.run(
        command, env=folders | environment, cwd=cwd, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()

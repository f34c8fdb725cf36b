"""Names of temporary files, which identify their process, and removal of those of dead processes.

A temporary file is named ``.tmp-<machine>-<process>-<token><suffix>``. A killed process
leaves it behind; the next process that writes to the folder removes it, but never a file of a
running process or of another machine.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

_NAME = re.compile(r"\.tmp-([0-9a-f]{8})-(\d{1,10})-")


def marker() -> str:
    """Start of a temporary name: it identifies this process, with a random token."""
    return f".tmp-{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"


@contextmanager
def folder_in(parent: Path) -> Iterator[Path]:
    """Yield an empty folder that only its owner can enter; it is removed after the block.

    Its name is known before it exists: unlike with ``tempfile.TemporaryDirectory``, an interruption
    right after its creation leaves nothing behind.
    """
    path = parent / marker()
    try:
        path.mkdir(mode=0o700)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def is_stale(name: str) -> bool:
    """True for a temporary name of this machine whose process is gone."""
    found = _NAME.match(name)
    return found is not None and found[1] == _machine() and not _is_alive(int(found[2]))


@cache
def sweep(folder: Path) -> None:
    """Remove temporary files of dead processes of this machine in a folder; once per folder."""
    remove_stale(folder)


def remove_stale(folder: Path) -> None:
    """Remove temporary files of dead processes of this machine in a folder."""
    for path in list(_stale_in(folder)):
        with suppress(OSError):  # of another user, or removed by another process just now
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _stale_in(folder: Path) -> Iterator[Path]:
    """Temporary files of dead processes of this machine in a folder, if it can be listed."""
    with suppress(OSError):
        for path in folder.iterdir():
            if is_stale(path.name):
                yield path


@cache
def _machine() -> str:
    """Eight digits that identify this machine and, in a container, its process namespace."""
    try:
        processes = os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux
        processes = ""
    return hashlib.sha256(f"{platform.node()} {processes}".encode()).hexdigest()[:8]


def _is_alive(process: int) -> bool:
    """True if a process of that number exists, or if that cannot be known."""
    if sys.platform == "win32":
        import ctypes

        kernel, limited_information, no_such_process = ctypes.windll.kernel32, 0x1000, 87
        handle = kernel.OpenProcess(limited_information, False, process)
        if not handle:
            return bool(kernel.GetLastError() != no_such_process)
        kernel.CloseHandle(handle)
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's, or an impossible number
        return True
    return True

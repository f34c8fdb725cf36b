"""Names of files being written, which tell whose they are, so that those of dead processes can go.

A temporary file is called ``<head>.tmp-<machine>-<process>-<token><suffix>``. A process that is
killed leaves it behind; the next one that writes to the folder removes it, and never one of a
process that is alive or of another machine.
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
from contextlib import suppress
from functools import cache
from pathlib import Path

_NAME = re.compile(r"\.tmp-([0-9a-f]{8})-(\d{1,10})-")


def marker() -> str:
    """The part of a temporary's name that tells this process, with a token of its own."""
    return f".tmp-{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"


def is_stale(name: str) -> bool:
    """Whether a name is that of a temporary of this machine whose process is gone."""
    found = _NAME.search(name)
    return found is not None and found[1] == _machine() and not _is_alive(int(found[2]))


def without_marker(name: str) -> str:
    """The head of a temporary's name."""
    return _NAME.split(name, maxsplit=1)[0]


@cache
def sweep(folder: Path) -> None:
    """Remove what dead processes of this machine were writing in a folder; once for each folder."""
    for path in list(_stale_in(folder)):
        with suppress(OSError):  # of another user, or removed by another process just now
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _stale_in(folder: Path) -> Iterator[Path]:
    """Temporaries of writers; what may go on, such as a download, has a head to its name."""
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name.startswith(".tmp-") and is_stale(path.name):
                yield path


@cache
def _machine() -> str:
    """Eight digits for this machine and, in a container, its own numbering of processes."""
    try:
        processes = os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux
        processes = ""
    return hashlib.sha256(f"{platform.node()} {processes}".encode()).hexdigest()[:8]


def _is_alive(process: int) -> bool:
    """Whether a process of that number is there; where that cannot be known, it is."""
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
    except (OSError, OverflowError):  # of another user, or a number that no process has
        return True
    return True

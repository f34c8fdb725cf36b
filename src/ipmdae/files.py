"""Atomic writing of files: an interruption leaves the old file or the new one, never part of one.

A file is written to a temporary file in its target folder (a rename across file systems is a
copy), and renamed when it is complete. A killed process leaves the temporary file behind; the next
process that writes to the folder removes it (:mod:`ipmdae.temporaries`).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path

from ipmdae import stores, temporaries

Check = Callable[[Path], None]
"""Check of a written file, or folder of files, before it is renamed."""

_check: ContextVar[Check | None] = ContextVar("_check", default=None)
_denied: ContextVar[int] = ContextVar("_denied", default=0)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path that replaces ``path`` when the block succeeds.

    The yielded path does not exist yet, has the suffix of ``path`` (writers choose a format by it)
    and is in the same folder, which is created if missing, or in a private folder there if others
    may not read the result. When the block raises, KeyboardInterrupt included, the temporary file
    is removed and ``path`` is unchanged. Of a link the target is replaced. Permissions of a
    replaced file are kept, see also :func:`no_more_readable_than`. A file of a store (``s3://…``)
    is written to a temporary folder and uploaded.

    Raises:
        OSError: the folder cannot be created, ``path`` is not a regular file, or it cannot be
            replaced.
        FileNotFoundError: the block wrote nothing to the yielded path.
    """
    if stores.in_store(path):
        with stores.staged(path) as staged:
            yield staged
            _approve(staged)
        return
    target = _target(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporaries.sweep(target.parent.absolute())
    with ExitStack() as stack:
        folder = target.parent
        if _permissions(target) is not None or _denied.get():
            folder = stack.enter_context(temporaries.folder_in(folder))
        aside = folder / f"{temporaries.marker()}{target.suffix}"
        try:
            yield aside
            _approve(aside)
            _settle(aside, target)
            os.replace(aside, target)
        except OSError as error:
            if error.errno and error.filename in (None, str(aside)):
                error.filename, error.filename2 = str(path), None
            raise
        finally:
            aside.unlink(missing_ok=True)


@contextmanager
def replacing_together(folder: str | os.PathLike[str], last: str = "") -> Iterator[Path]:
    """Yield an empty folder; the files written into it move to ``folder`` when the block succeeds.

    For files that belong together, such as a WFDB header and its signals: their names stay, since
    one file contains the name of another. Either all of them are moved or, if anything raises,
    none, and replaced files are restored. Links and permissions are treated as by
    :func:`replacing`.

    Args:
        folder: target folder, created if missing.
        last: suffix of the file by which readers find the others (``".hea"``). It is moved last, so
            that even a killed process leaves no new header without its signals.

    Raises:
        OSError: the folder cannot be created, or a file cannot be renamed.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    temporaries.sweep(folder.absolute())
    with temporaries.folder_in(folder) as aside:
        new, old = aside / "new", aside / "old"
        new.mkdir()
        old.mkdir()
        yield new
        _approve(new)
        names = sorted(os.listdir(new), key=lambda name: bool(last) and name.endswith(last))
        targets = {name: _target(folder / name) for name in names}
        for name, target in targets.items():
            _settle(new / name, target)
        _exchange(targets, new, old)


@contextmanager
def checked(check: Check) -> Iterator[None]:
    """Within the block, rename only files that pass ``check``."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


@contextmanager
def no_more_readable_than(sources: Iterable[Path]) -> Iterator[None]:
    """Within the block, restrict the permissions of written files to those of the sources.

    A file in an archive has the permissions of the archive.
    """
    files = (path if path.is_file() else path.parent for path in sources)
    modes = [file.stat().st_mode for file in files if file.is_file()]
    denied = 0
    for mode in modes:
        denied |= 0o066 & ~mode
    token = _denied.set(denied)
    try:
        yield
    finally:
        _denied.reset(token)


def _target(path: str | os.PathLike[str]) -> Path:
    """Resolve the file to replace: links are followed, devices and pipes refused."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file() and not target.is_dir():
        raise FileExistsError(f"{path} is not a regular file: choose another name")
    return target


def _permissions(path: Path) -> int | None:
    """Permissions of a file; ``None`` if it does not exist."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None


def _approve(aside: Path) -> None:
    check = _check.get()
    if check is not None:
        check(aside)


def _settle(aside: Path, target: Path) -> None:
    """Set the final permissions of a written file."""
    own = stat.S_IMODE(aside.stat().st_mode)
    there = _permissions(target) if target.is_file() else None
    mode = (own if there is None else there) & ~_denied.get()
    if mode != own:
        aside.chmod(mode)


def _exchange(targets: Mapping[str, Path], new: Path, old: Path) -> None:
    """Move files from ``new`` to their places, and replaced files to ``old``; all or none."""
    try:
        for name in reversed(list(targets)):
            if targets[name].exists():
                os.replace(targets[name], old / name)
        for name, target in targets.items():
            os.replace(new / name, target)
    except BaseException:
        for name, target in targets.items():
            if (old / name).exists():
                os.replace(old / name, target)
            elif not (new / name).exists():
                target.unlink(missing_ok=True)
        raise

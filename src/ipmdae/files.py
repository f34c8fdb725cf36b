"""Writing files so that an interruption leaves the old file or the new one, never a half of one.

What is being written lies aside, in the folder where it will end up (a rename across file systems
is a copy), and is renamed once it is complete. A process that is killed leaves it there; the next
one that writes to the folder removes it (:mod:`ipmdae.temporaries`).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from tempfile import TemporaryDirectory

from ipmdae import temporaries

Check = Callable[[Path], None]
"""Looks at what was written, a file or a folder of files, before it takes its place."""

_check: ContextVar[Check | None] = ContextVar("_check", default=None)
_denied: ContextVar[int] = ContextVar("_denied", default=0)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a path to write to, which takes the place of ``path`` when the block succeeds.

    The yielded path does not exist yet, has the suffix of ``path`` (writers choose a format by
    it) and lies in the same folder, which is made where it is missing, or in a private folder there
    where others may not read the result. When the block raises, KeyboardInterrupt included, it is
    removed and ``path`` stays as it was. A link stays: what it leads to is replaced. Permissions of
    a file that is replaced stay, see also :func:`no_more_readable_than`.

    Raises:
        OSError: the folder cannot be made, ``path`` is no regular file, or it cannot be replaced.
        FileNotFoundError: the block wrote nothing to the yielded path.
    """
    target = _target(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporaries.sweep(target.parent.absolute())
    with ExitStack() as stack:
        folder = target.parent
        if _permissions(target) is not None or _denied.get():
            private = TemporaryDirectory(prefix=temporaries.marker(), dir=folder)
            folder = Path(stack.enter_context(private))
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

    For files that make sense only together, such as a WFDB header and its signals: the names stay
    as they are, since one file holds the name of another. Either all of them arrive or, when
    anything raises on the way, none, and the files that they would have replaced are back. Links
    and permissions are treated as by :func:`replacing`.

    Args:
        folder: where the files belong, made where it is missing.
        last: suffix of the file by which readers find the others (``".hea"``). It arrives after
            them, so that even a killed process leaves no new header without its signals.

    Raises:
        OSError: the folder cannot be made, or a file cannot be renamed.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    temporaries.sweep(folder.absolute())
    with TemporaryDirectory(prefix=temporaries.marker(), dir=folder) as aside:
        new, old = Path(aside, "new"), Path(aside, "old")
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
    """Within the block, nothing that is written takes its place unless ``check`` accepts it."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


@contextmanager
def no_more_readable_than(sources: Iterable[Path]) -> Iterator[None]:
    """Within the block, files that are written give no one a right that a source does not give."""
    modes = [path.stat().st_mode for path in sources if path.is_file()]
    denied = 0
    for mode in modes:
        denied |= 0o066 & ~mode
    token = _denied.set(denied)
    try:
        yield
    finally:
        _denied.reset(token)


def _target(path: str | os.PathLike[str]) -> Path:
    """The file that is replaced: links are followed, devices and pipes refused."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file() and not target.is_dir():
        raise FileExistsError(f"{path} is no regular file: choose another name")
    return target


def _permissions(path: Path) -> int | None:
    """The permissions of a file; ``None`` if it is not there."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None


def _approve(aside: Path) -> None:
    check = _check.get()
    if check is not None:
        check(aside)


def _settle(aside: Path, target: Path) -> None:
    """Give what was written the permissions that it has in its place."""
    own = stat.S_IMODE(aside.stat().st_mode)
    there = _permissions(target) if target.is_file() else None
    mode = (own if there is None else there) & ~_denied.get()
    if mode != own:
        aside.chmod(mode)


def _exchange(targets: Mapping[str, Path], new: Path, old: Path) -> None:
    """Move files from ``new`` to their places, and what they replace to ``old``; all or none."""
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

"""Writing files so that an interruption leaves the old file or the new one, never a half of one.

What is being written lies aside, in the folder where it will end up (a rename across file systems
is a copy), and is renamed once it is complete. A process that is killed leaves it there; the next
one that writes to the folder removes it (:mod:`ipmdae.temporaries`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ipmdae import temporaries


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a path to write to, which takes the place of ``path`` when the block succeeds.

    The yielded path does not exist yet, has the suffix of ``path`` (writers choose a format by
    it) and lies in the same folder, which is made where it is missing. When the block raises,
    KeyboardInterrupt included, it is removed and ``path`` stays as it was.

    Raises:
        OSError: the folder cannot be made, or the file cannot be renamed.
        FileNotFoundError: the block wrote nothing to the yielded path.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporaries.sweep(path.parent.absolute())
    aside = path.with_name(f"{temporaries.marker()}{path.suffix}")
    try:
        yield aside
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def replacing_together(folder: str | os.PathLike[str], last: str = "") -> Iterator[Path]:
    """Yield an empty folder; the files written into it move to ``folder`` when the block succeeds.

    For files that make sense only together, such as a WFDB header and its signals: the names stay
    as they are, since one file holds the name of another. Either all of them arrive or, when
    anything raises on the way, none, and the files that they would have replaced are back.

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
        names = sorted(os.listdir(new), key=lambda name: bool(last) and name.endswith(last))
        _exchange(names, new, folder, old)


def _exchange(names: list[str], new: Path, folder: Path, old: Path) -> None:
    """Move ``names`` from ``new`` to ``folder``, and what they replace to ``old``; all or none."""
    try:
        for name in reversed(names):
            if (folder / name).exists():
                os.replace(folder / name, old / name)
        for name in names:
            os.replace(new / name, folder / name)
    except BaseException:
        for name in names:
            if (old / name).exists():
                os.replace(old / name, folder / name)
            elif not (new / name).exists():
                (folder / name).unlink(missing_ok=True)
        raise

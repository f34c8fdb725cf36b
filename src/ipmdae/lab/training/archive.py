"""Runs in one archive, to continue them on another machine.

The archive is a ZIP file of the folders of the runs, each with its settings, curves and weights. Of
a finished run it has the best weights only; of one that is not finished, all that it takes to
continue.
"""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import torch

from ipmdae import temporaries
from ipmdae.files import replacing
from ipmdae.lab.nn.checkpoints import read_checkpoint
from ipmdae.lab.training.callbacks import CURVES, LAST_CHECKPOINT
from ipmdae.lab.training.run import SETTINGS_FILE, read_settings, same
from ipmdae.lab.training.summary import SUMMARY_FILE

MOST_BYTES = 64 * 2**20
"""Largest archive in bytes; unpacked, it may hold four times as much."""

_FILES = (
    rf"{re.escape(SETTINGS_FILE)}|{re.escape(SUMMARY_FILE)}|results/{CURVES}\.(csv|png)"
    r"|checkpoints/(last|valid_monitor-[\w=.-]+)\.ckpt"
)
_MEMBER = re.compile(rf"((?:[A-Za-z0-9][\w.+-]*/){{2,4}}version_\d+)/({_FILES})")
"""Names of files of a run, in its folder under that of the results; nothing else is unpacked."""


def pack(folders: Iterable[Path], results: Path, archive: Path) -> int:
    """Write the runs in ``folders``, which are under ``results``, to ``archive``.

    Returns:
        The number of runs.

    Raises:
        ValueError: they take more than :data:`MOST_BYTES`; nothing is written.
        OSError: the archive cannot be written.
    """
    count = 0
    with replacing(archive) as path:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for folder in folders:
                count += 1
                for member in _members(folder):
                    name = PurePosixPath((folder / member).relative_to(results).as_posix())
                    file.writestr(str(name), _content(folder / member))
        if path.stat().st_size > MOST_BYTES:
            size = path.stat().st_size / 2**20
            raise ValueError(
                f"{archive} would take {size:.0f} MB, more than {MOST_BYTES >> 20}: pack fewer runs"
            )
    return count


def _members(folder: Path) -> list[Path]:
    """Files of a run that are packed, relative to its folder."""
    finished = (folder / SUMMARY_FILE).is_file()
    found = [
        *(Path(name) for name in (SETTINGS_FILE, SUMMARY_FILE)),
        *(Path("results", f"{CURVES}.{suffix}") for suffix in ("csv", "png")),
        *(path.relative_to(folder) for path in sorted(folder.glob("checkpoints/valid_monitor-*"))),
        *([] if finished else [LAST_CHECKPOINT]),
    ]
    return [path for path in found if (folder / path).is_file()]


def _content(path: Path) -> bytes:
    """Content of a file; of a best checkpoint its weights alone."""
    if not path.name.startswith("valid_monitor-"):
        return path.read_bytes()
    buffer = io.BytesIO()
    torch.save({"state_dict": read_checkpoint(path)["state_dict"]}, buffer)
    return buffer.getvalue()


def unpack(archive: Path, results: Path) -> dict[str, bool]:
    """Restore the runs of an archive under ``results``.

    A run that is there already is replaced if that of the archive has come further: of two
    copies that were both continued, the one that is ahead stays.

    Returns:
        Each run by its folder, and whether it was restored.

    Raises:
        FileNotFoundError: there is no such archive.
        ValueError: it is damaged, has anything else than runs, or has one where there is another;
            nothing is restored.
    """
    results.mkdir(parents=True, exist_ok=True)
    with temporaries.folder_in(results) as aside:
        runs = _extract(archive, aside)
        for run in runs:
            there = results / run / SETTINGS_FILE
            if there.is_file() and not same(
                read_settings(there.parent), read_settings(aside / run)
            ):
                raise ValueError(f"{results / run} is another run than that of {archive}: move it")
        return {run: _place(aside / run, results / run) for run in runs}


def _extract(archive: Path, folder: Path) -> list[str]:
    """Write the files of an archive to an empty folder; the names of the runs."""
    runs = set()
    try:
        with zipfile.ZipFile(archive) as file:
            if sum(member.file_size for member in file.infolist()) > 4 * MOST_BYTES:
                raise ValueError(f"{archive} holds more than {4 * MOST_BYTES >> 20} MB")
            for member in file.infolist():
                found = _MEMBER.fullmatch(member.filename)
                if found is None:
                    raise ValueError(f"{archive} is no archive of runs: it has {member.filename!r}")
                runs.add(found[1])
                target = folder / member.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read(member))
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise ValueError(f"{archive} is damaged or no ZIP file: {error}") from error
    for run in runs:
        if not (folder / run / SETTINGS_FILE).is_file():
            raise ValueError(f"{archive} is damaged: {run} has no {SETTINGS_FILE}")
    return sorted(runs)


def _place(new: Path, target: Path) -> bool:
    """Move a run to its place unless the one there has come as far; whether it was moved."""
    if target.exists() and _steps(target) >= _steps(new):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.move(target, new.with_name("replaced"))
    shutil.move(new, target)
    return True


def _steps(folder: Path) -> float:
    """Steps of training of a run; infinite if it is finished."""
    if (folder / SUMMARY_FILE).is_file():
        return float("inf")
    last = folder / LAST_CHECKPOINT
    return float(read_checkpoint(last)["global_step"]) if last.is_file() else -1.0

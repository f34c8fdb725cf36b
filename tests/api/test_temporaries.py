"""What killed processes were writing is removed, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from ipmdae import temporaries
from ipmdae.files import replacing, replacing_together

WRITE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from ipmdae.files import replacing, replacing_together
folder = Path(sys.argv[1])
with replacing(folder / "one.csv") as aside, replacing_together(folder) as together:
    aside.write_text("half")
    (together / "two.dat").write_text("half")
    print("written", flush=True)
    sys.stdin.read()
"""


def writer(folder: Path) -> subprocess.Popen[str]:
    """A process in the middle of writing to a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_AND_DIE, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    return process


@pytest.fixture(autouse=True)
def _nothing_swept() -> None:
    temporaries.sweep.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("together", [False, True])
def test_what_a_killed_process_left_is_removed_by_the_next_that_writes(
    tmp_path: Path, together: bool
) -> None:
    killed, living = writer(tmp_path), writer(tmp_path)
    before = set(tmp_path.iterdir())
    assert len(before) == 4
    killed.kill()
    killed.communicate()
    if together:
        with replacing_together(tmp_path) as folder:
            (folder / "new.csv").write_text("whole")
    else:
        with replacing(tmp_path / "new.csv") as aside:
            aside.write_text("whole")
    left = {path.name for path in tmp_path.iterdir()}
    assert len(left) == 3
    assert all(f"-{living.pid}-" in name for name in left - {"new.csv"})
    living.communicate("")
    assert {path.name for path in tmp_path.iterdir()} == {"new.csv", "one.csv", "two.dat"}


def test_only_temporaries_of_this_machine_and_dead_processes_are_stale() -> None:
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    mine = temporaries.marker()
    dead = mine.replace(f"-{os.getpid()}-", f"-{gone}-")
    assert temporaries.is_stale(dead + ".csv")
    machine = mine.split("-")[1]
    elsewhere = dead.replace(machine, f"{int(machine, 16) ^ 1:08x}")
    for name in (
        mine,
        elsewhere,
        ".tmp-",
        "notes.tmp",
        "notes" + dead,
        f".tmp-{machine}-9999999999-00000000",
    ):
        assert not temporaries.is_stale(name), name
    if sys.platform != "win32":
        assert not temporaries.is_stale(mine.replace(f"-{os.getpid()}-", "-1-"))


def test_what_cannot_be_removed_hinders_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = tmp_path / f"{temporaries.marker()}.csv"
    stale.write_text("half")

    def refuse(self: Path) -> None:
        raise PermissionError("of another user")

    monkeypatch.setattr(temporaries, "is_stale", lambda name: True)
    with monkeypatch.context() as context:
        context.setattr(Path, "unlink", refuse)
        temporaries.sweep(tmp_path)
        temporaries.sweep(tmp_path / "absent")
    assert stale.exists()


@pytest.mark.parametrize("writing", [replacing_together, temporaries.folder_in])
def test_an_interruption_right_after_a_folder_is_made_leaves_nothing(
    writing: Callable[[Path], AbstractContextManager[Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Path.mkdir

    def interrupted(path: Path, *args: Any, **options: Any) -> None:
        made(path, *args, **options)
        if path.name.startswith(".tmp-"):
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt), writing(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_removed_and_not_what_it_leads_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "elsewhere" / "kept.txt"
    kept.parent.mkdir()
    kept.write_text("kept")
    folder = tmp_path / "folder"
    folder.mkdir()
    link = folder / temporaries.marker()
    link.symlink_to(kept.parent)
    monkeypatch.setattr(temporaries, "is_stale", lambda name: True)
    temporaries.sweep(folder)
    assert not link.is_symlink()
    assert kept.read_text() == "kept"

"""Files arrive whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ipmdae.files import checked, no_more_readable_than, replacing, replacing_together


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_replacing_writes_a_new_file_and_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "loss.csv"
    with replacing(path) as aside:
        assert aside.parent == path.parent
        assert aside.suffix == ".csv"
        assert not aside.exists()
        aside.write_text("new")
        assert not path.exists()
    assert content(path.parent) == {"loss.csv": "new"}


def test_replacing_takes_the_place_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "loss.csv"
    path.write_text("old")
    with replacing(path) as aside:
        aside.write_text("new")
    assert content(tmp_path) == {"loss.csv": "new"}


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt])
def test_replacing_leaves_the_old_file_when_interrupted(
    tmp_path: Path, interruption: type[BaseException]
) -> None:
    path = tmp_path / "loss.csv"
    path.write_text("old")

    def write_half() -> None:
        with replacing(path) as aside:
            aside.write_text("half of the n")
            raise interruption

    with pytest.raises(interruption):
        write_half()
    assert content(tmp_path) == {"loss.csv": "old"}


def test_replacing_complains_when_nothing_was_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "loss.csv"):
        pass
    assert content(tmp_path) == {}


def test_files_arrive_together_under_their_own_names(tmp_path: Path) -> None:
    (tmp_path / "100.hea").write_text("old header")
    (tmp_path / "101.hea").write_text("a neighbour")
    with replacing_together(tmp_path, last=".hea") as aside:
        assert list(aside.iterdir()) == []
        (aside / "100.hea").write_text("header")
        (aside / "100.dat").write_text("signals")
        assert (tmp_path / "100.hea").read_text() == "old header"
    assert content(tmp_path) == {
        "100.hea": "header",
        "100.dat": "signals",
        "101.hea": "a neighbour",
    }


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt])
def test_files_do_not_arrive_when_interrupted_in_writing(
    tmp_path: Path, interruption: type[BaseException]
) -> None:
    folder = tmp_path / "new" / "folder"

    def write_half() -> None:
        with replacing_together(folder) as aside:
            (aside / "100.dat").write_text("half of the sig")
            raise interruption

    with pytest.raises(interruption):
        write_half()
    assert content(folder) == {}


@pytest.mark.parametrize("step", range(1, 5))
def test_all_old_files_are_back_when_interrupted_in_renaming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    old = {"100.hea": "old header", "100.dat": "old signals"}
    for name, text in old.items():
        (tmp_path / name).write_text(text)
    replace, calls = os.replace, []

    def interrupted_replace(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == step:
            raise KeyboardInterrupt
        replace(source, target)

    def write() -> None:
        with replacing_together(tmp_path, last=".hea") as aside:
            for name in ("100.hea", "100.dat", "100.atr"):
                (aside / name).write_text("new")

    monkeypatch.setattr(os, "replace", interrupted_replace)
    with pytest.raises(KeyboardInterrupt):
        write()
    assert content(tmp_path) == old


def test_the_header_leaves_first_and_arrives_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "100.hea").write_text("old header")
    (tmp_path / "100.dat").write_text("old signals")
    replace, moved = os.replace, []

    def noted_replace(source: Path, target: Path) -> None:
        moved.append(Path(target).name)
        replace(source, target)

    monkeypatch.setattr(os, "replace", noted_replace)
    with replacing_together(tmp_path, last=".hea") as aside:
        (aside / "100.hea").write_text("header")
        (aside / "100.dat").write_text("signals")
    assert moved == ["100.hea", "100.dat", "100.dat", "100.hea"]


posix = pytest.mark.skipif(os.name == "nt", reason="permissions and links of POSIX")


def written(path: Path, together: bool) -> None:
    if together:
        with replacing_together(path.parent) as aside:
            (aside / path.name).write_text("new")
        return
    with replacing(path) as aside:
        aside.write_text("new")


@posix
@pytest.mark.parametrize("together", [False, True])
def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path, together: bool) -> None:
    (tmp_path / "elsewhere").mkdir()
    kept = tmp_path / "elsewhere" / "loss.csv"
    kept.write_text("old")
    link = tmp_path / "link.csv"
    link.symlink_to(kept)
    written(link, together)
    assert link.is_symlink()
    assert content(kept.parent) == {"loss.csv": "new"}


@posix
@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_permissions_of_a_file_stay_when_it_is_replaced(
    tmp_path: Path, together: bool, mode: int
) -> None:
    path = tmp_path / "loss.csv"
    path.write_text("old")
    path.chmod(mode)
    written(path, together)
    assert path.stat().st_mode & 0o777 == mode
    assert content(tmp_path) == {"loss.csv": "new"}


@posix
@pytest.mark.parametrize("together", [False, True])
def test_no_one_can_read_a_result_who_cannot_read_its_source(
    tmp_path: Path, together: bool
) -> None:
    source, path = tmp_path / "source", tmp_path / "new" / "loss.csv"
    source.write_text("private")
    source.chmod(0o600)
    with no_more_readable_than([source, tmp_path / "not there"]):
        written(path, together)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["loss.csv"]


@posix
@pytest.mark.parametrize("together", [False, True])
def test_pipes_and_devices_are_not_replaced(tmp_path: Path, together: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileExistsError, match="pipe is not a regular file"):
        written(tmp_path / "pipe", together)
    assert [file.name for file in tmp_path.iterdir()] == ["pipe"]


def test_what_is_not_accepted_does_not_arrive(tmp_path: Path) -> None:
    path = tmp_path / "loss.csv"
    path.write_text("old")

    def refuse(aside: Path) -> None:
        assert (aside if aside.is_file() else aside / "loss.csv").read_text() == "new"
        raise ValueError("not as it should be")

    for together in (False, True):
        with checked(refuse), pytest.raises(ValueError, match="not as it should be"):
            written(path, together)
    assert content(tmp_path) == {"loss.csv": "old"}


def test_names_of_any_length_that_a_folder_takes(tmp_path: Path) -> None:
    path = tmp_path / f"{'ä' * 120}.csv"
    written(path, together=False)
    assert path.read_text() == "new"
    with pytest.raises(OSError, match="too long") as caught:
        written(tmp_path / f"{'x' * 300}.csv", together=False)
    assert "xxx.csv" in str(caught.value)

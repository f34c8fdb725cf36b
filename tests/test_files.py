"""Files arrive whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ipmdae.files import replacing, replacing_together


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

"""Which recordings a command line names."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ipmdae import examples, formats
from ipmdae.commands.inputs import Inputs, find


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree with two WFDB records, two tables and other files, as a user's."""
    monkeypatch.chdir(tmp_path)
    for name, place in (("118e06_excerpt", "data"), ("118e24_excerpt", "data/deep/er")):
        Path(place).mkdir(parents=True, exist_ok=True)
        for file in examples.path(name).parent.glob(f"{name}.*"):
            shutil.copy(file, place)
    Path("data/one.csv").write_text("I\n1\n")
    Path("data/deep/TWO.CSV").write_text("I\n1\n")
    for other in ("data/notes.md", "data/LICENSE.txt", "data/.hidden.csv"):
        Path(other).write_text("not a recording")
    return tmp_path


def places(found: Inputs) -> dict[str, str]:
    return {input.source.as_posix(): input.place.as_posix() for input in found.found}


def test_a_folder_is_searched_through_and_its_tree_kept() -> None:
    found = find(["data"])
    assert places(found) == {
        "data/118e06_excerpt": "118e06_excerpt",
        "data/deep/TWO.CSV": "deep/TWO",
        "data/deep/er/118e24_excerpt": "deep/er/118e24_excerpt",
        "data/one.csv": "one",
    }
    assert found.unknown == 2
    assert found.several


def test_several_folders_keep_their_names() -> None:
    assert "er/118e24_excerpt" in places(find(["data/deep/er", "data"])).values()


def test_patterns_keep_the_tree_below_their_fixed_part() -> None:
    assert places(find(["data/**/*.hea"])) == {
        "data/118e06_excerpt": "118e06_excerpt",
        "data/deep/er/118e24_excerpt": "deep/er/118e24_excerpt",
    }
    assert places(find(["data/d*"])) == {
        "data/deep/TWO.CSV": "deep/TWO",
        "data/deep/er/118e24_excerpt": "deep/er/118e24_excerpt",
    }


def test_a_record_is_found_once_however_it_is_named() -> None:
    files = [f"data/118e06_excerpt{suffix}" for suffix in ("", ".hea", ".dat", ".atr")]
    assert places(find(files)) == {"data/118e06_excerpt": "118e06_excerpt"}
    one = find(files[:1])
    assert not one.several
    assert one.found[0].size > 60_000


def test_segments_are_found_with_their_record_only() -> None:
    for part in ("a", "b"):
        formats.write(formats.read("data/118e06_excerpt").excerpt(0, 5), f"split/{part}")
    Path("split/whole.hea").write_text("whole/2 2 360 3600\na 1800\nb 1800\n")
    found = find(["split"])
    assert places(found) == {"split/whole": "whole"}
    assert found.unknown == 0
    assert places(find(["split/a"])) == {"split/a": "a"}


def test_results_are_not_searched() -> None:
    formats.write(formats.read("data/118e06_excerpt"), "data/cleaned/result")
    assert "data/cleaned/result" not in places(find(["data"], Path("data/cleaned")))


def test_what_is_named_is_tried_and_what_is_not_there_refused() -> None:
    assert places(find(["data/notes.md", "nowhere"])) == {
        "data/notes.md": "notes.md",
        "nowhere": "nowhere",
    }
    with pytest.raises(FileNotFoundError, match=r"no file matches this pattern"):
        find(["data/*.xyz"])
    Path("empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no recording found"):
        find(["empty"])


def test_formats_are_told() -> None:
    assert [
        getattr(formats.format_of(Path(p)), "NAME", None) for p in ("data/one.csv", "data/notes.md")
    ] == [
        "CSV/TSV",
        None,
    ]
    found = formats.format_of(Path("data/118e06_excerpt.dat"))
    assert found is not None
    assert found.NAME == "WFDB"

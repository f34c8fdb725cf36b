"""Formats of an installation: the command, the docs page, the extras."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ipmdae import formats
from ipmdae.cli import app
from ipmdae.formats import inventory, optional
from tools import write_formats

ROOT = Path(__file__).parents[2]


def listed(*options: str) -> str:
    done = CliRunner().invoke(app, ["formats", *options])
    assert done.exit_code == 0, done.output
    return done.output


def test_every_format_is_listed() -> None:
    entries = {entry["name"]: entry for entry in json.loads(listed("--json"))}
    assert set(entries) == {format.NAME for format in formats.FORMATS}
    assert entries["WFDB"]["reads"] == entries["WFDB"]["writes"] == "in parts"
    assert entries["ISHNE"] == {
        "name": "ISHNE",
        "suffixes": [".ecg"],
        "reads": "whole",
        "writes": "",
        "library": "ecgdatakit",
        "here": optional.is_installed("ecgdatakit"),
        "install": 'pip install "ultralight-ipm-dae[formats]"',
    }


def test_what_is_not_here_is_told_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "is_installed", lambda library: library == "ecgdatakit")
    shown = listed()
    assert re.search(r"^ISHNE +\.ecg +whole +-", shown, re.MULTILINE)
    assert not re.search(r"^XDF ", shown, re.MULTILINE)
    assert 'not installed: XDF; install with: pip install "ultralight-ipm-dae[xdf]"' in shown


def test_the_docs_list_the_same() -> None:
    text = (ROOT / "docs" / "howto" / "formats.md").read_text(encoding="utf-8")
    assert write_formats.updated(text) == text, "run python -m tools.write_formats"


def test_a_page_without_its_marks_is_an_error() -> None:
    with pytest.raises(ValueError, match="comments"):
        write_formats.updated("# A page")


def test_extras_bring_the_libraries() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for library, extra in optional.EXTRAS.items():
        line = re.search(rf"^{extra} = \[(.*?)\]", text, re.MULTILINE | re.DOTALL)
        assert line, extra
        assert f'"{library}>=' in line[1]


def test_libraries_of_formats_have_an_extra() -> None:
    needed = {entry.library for entry in inventory.entries()} - {""}
    assert needed <= set(optional.EXTRAS)


@pytest.mark.parametrize("format", formats.FORMATS, ids=lambda format: format.NAME)
def test_a_missing_file_is_of_no_format(format: formats.Format, tmp_path: Path) -> None:
    assert not format.recognises(tmp_path / f"missing{format.SUFFIXES[-1]}")
    with pytest.raises(FileNotFoundError):
        format.read(tmp_path / f"missing{format.SUFFIXES[-1]}")

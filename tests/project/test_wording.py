"""The check of the wording finds planted words and skips code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import wording


def test_planted_words_are_found(tmp_path: Path) -> None:
    page, module = tmp_path / "page.md", tmp_path / "module.py"
    page.write_text("# Gaps\n\nThe report tells the grade.\n", encoding="utf-8")
    module.write_text(
        '"""What it does, all of it."""\n\nx = 1  # the hum of mains\n', encoding="utf-8"
    )
    assert [finding.split(": ")[0] for finding in wording.check(page)] == [f"{page}:3"]
    assert len(list(wording.check(module))) == 2


def test_code_and_arguments_are_no_prose(tmp_path: Path) -> None:
    page, module = tmp_path / "page.md", tmp_path / "module.py"
    page.write_text("`file.tell()` and\n```\nhum tells\n```\nBaseline wander\n", encoding="utf-8")
    module.write_text('"""A filter.\n\n    hum: the interference.\n"""\n', encoding="utf-8")
    assert not list(wording.check(page))
    assert not list(wording.check(module))


def test_the_command_fails_with_a_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("half-written\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="1"):
        wording.main([str(page)])
    assert "page.md:1: 'half-written': say partly written" in capsys.readouterr().out

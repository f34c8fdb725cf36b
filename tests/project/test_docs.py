"""What the documentation shows can be run: its snippets and its notebooks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import ipmdae
from ipmdae import examples

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "docs" / "index.md", *sorted(ROOT.glob("docs/howto/*.md"))]
LINKING = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
NOTEBOOKS = sorted(ROOT.glob("docs/notebooks/*.ipynb"))

_FENCE = re.compile(
    r"^(?P<skip><!-- not run: [^\n]+ -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Snippet:
    """A block of code in a page; ``skip`` says that it cannot be run here."""

    language: str
    code: str
    skip: bool


def snippets(page: Path) -> list[Snippet]:
    return [
        Snippet(found["language"], found["code"], bool(found["skip"]))
        for found in _FENCE.finditer(page.read_text(encoding="utf-8"))
    ]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, where ``ipmdae`` and ``python`` are those under test."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, command in (("ipmdae", "-m ipmdae"), ("python", "")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {command} "$@"\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
@pytest.mark.usefixtures("workplace")
def test_snippets_run_one_after_the_other(page: Path) -> None:
    """Python blocks share their names; the README's user has the examples, and one as ``x``."""
    names: dict[str, object] = {}
    if page.name == "README.md":
        shutil.copytree(examples.path("118e06_excerpt").parent, "example")
        names = {"x": ipmdae.read(examples.path("118e06_excerpt")).signal, "fs": 360}
    for snippet in snippets(page):
        if snippet.skip:
            continue
        if snippet.language == "python":
            exec(compile(snippet.code, page.name, "exec"), names)
        elif snippet.language == "bash":
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", snippet.code], capture_output=True, text=True
            )
            assert done.returncode == 0, f"{snippet.code}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_blocks_state_their_language(page: Path) -> None:
    """Those of Python and bash are run; a block without a language would be skipped silently."""
    for snippet in snippets(page):
        assert snippet.skip or snippet.language in ("python", "bash", "c"), snippet


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link, anchor in _LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / link if link else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), f"{link}#{anchor}"


def test_links_to_missing_headings_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One `two`, three\n\n```bash\n# none\n```\n\n## One two, three\n")
    assert anchors(page) == {"one-two-three", "one-two-three-1"}
    assert _LINK.findall("[a](#b) [c](d.md) [e](f.md#g) [h](https://i.org/#j)") == [
        ("", "b"),
        ("d.md", ""),
        ("f.md", "g"),
    ]


def anchors(page: Path) -> set[str]:
    """Anchors of the headings of a page, as GitHub names them."""
    found: list[str] = []
    for heading in _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        name = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        repeated = sum(re.fullmatch(rf"{re.escape(name)}(-\d+)?", one) is not None for one in found)
        found.append(f"{name}-{repeated}" if repeated else name)
    return set(found)


def test_how_tos_are_all_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for path in (*PAGES[2:], *NOTEBOOKS):
        assert f"({path.parent.name}/{path.name})" in index


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run_and_give_what_is_stored(path: Path, workplace: Path) -> None:
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call, unused-ignore]
    nbformat.validate(notebook)
    stored = [kinds(cell) for cell in notebook.cells]
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": workplace}}
    ).execute()
    assert not any(stored) or stored == [kinds(cell) for cell in notebook.cells]
    text = path.read_text(encoding="utf-8")
    assert str(Path.home()) not in text
    assert tempfile.gettempdir() not in text


def kinds(cell: nbformat.NotebookNode) -> set[str]:
    """What a cell of code put out, by type: streams, and data such as pictures."""
    outputs = cell.get("outputs", [])
    return {kind for each in outputs for kind in (each.get("data") or {each["output_type"]: 0})}


def test_the_site_can_be_built(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "reference" / "api" / "index.html").read_text(encoding="utf-8")
    assert all(f'id="ipmdae.{name}"' in page for name in ("denoiser.denoise", "result.Result"))
    assert ":class:" not in page

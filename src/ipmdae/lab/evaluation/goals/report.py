"""The page of goals, made from stored results and the models that ship alone."""

from __future__ import annotations

from pathlib import Path

from ipmdae.engine import model_names
from ipmdae.files import replacing
from ipmdae.lab.evaluation.goals import beats, hearts, leads, robust, safety, stored

_INTRODUCTION = """\
# Goals, reached or missed

Each goal with what was measured, from stored results and the models that ship; intervals are of
95 %, over the 14 test records. Made by

```
python -m tools.goals
```
"""


def write(results: Path, output: Path) -> Path:
    """Write ``goals.md``.

    Args:
        results: folder with a folder of stored results for each benchmark.
        output: folder of the page.

    Raises:
        ValueError: a result is of other weights than the model that ships, or of a part of a test.
    """
    path = output / "goals.md"
    text = markdown(results)
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")
    return path


def markdown(results: Path) -> str:
    """The page."""
    names = model_names()
    measured = (stored.find(results, "clinic", name) for name in names)
    ours = stored.best([result for result in measured if result is not None])
    sections = [_INTRODUCTION, *beats.sections(results), *leads.sections(results, ours)]
    sections += hearts.sections(results)
    sections.append(safety.introduction())
    for name in names:
        sections += safety.sections(name, results)
    return "\n".join([*sections, *robust.sections(ours.method if ours else names[0], results)])

"""Page of goals, from stored results and the shipped models."""

from __future__ import annotations

from pathlib import Path

from ipmdae.engine import model_names
from ipmdae.files import replacing
from ipmdae.lab.evaluation.goals import beats, hearts, leads, robust, safety, stored

_INTRODUCTION = """\
# Goals, reached or missed

Each goal and the measured value, from stored results and the models that ship; 95 % intervals over
the 14 test records. Made by

```
python -m tools.goals
```
"""


def write(results: Path, output: Path) -> Path:
    """Write ``goals.md``.

    Args:
        results: folder with one folder of stored results per benchmark.
        output: folder of the page.

    Raises:
        ValueError: a result belongs to other weights than the shipped model, or covers part of a
            test.
    """
    path = output / "goals.md"
    text = markdown(results)
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")
    return path


def markdown(results: Path) -> str:
    """Format the page."""
    names = model_names()
    measured = (stored.find(results, "clinic", name) for name in names)
    ours = stored.best([result for result in measured if result is not None])
    sections = [_INTRODUCTION, *beats.sections(results), *leads.sections(results, ours)]
    sections += hearts.sections(results)
    sections.append(safety.introduction())
    for name in names:
        sections += safety.sections(name, results)
    return "\n".join([*sections, *robust.sections(ours.method if ours else names[0], results)])

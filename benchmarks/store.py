"""Stored measurements, one JSON file per part."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

from benchmarks.part import Results, Settings
from benchmarks.parts import PARTS
from ipmdae.files import replacing


def save(folder: Path, name: str, settings: Settings, machine: Results, measured: Results) -> None:
    """Store what a part measured, in place of what it measured before."""
    content = {
        "part": name,
        "time": datetime.now(timezone.utc).isoformat(timespec="minutes"),
        "settings": asdict(settings),
        "machine": machine,
        "results": measured,
    }
    with replacing(folder / f"{name}.json") as aside:
        aside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def load_all(folder: Path) -> dict[str, Results]:
    """All that is stored, by part, in the order of the page.

    Raises:
        FileNotFoundError: nothing is stored.
    """
    paths = {name: folder / f"{name}.json" for name in PARTS}
    found: dict[str, Results] = {
        name: json.loads(path.read_text(encoding="utf-8"))
        for name, path in paths.items()
        if path.is_file()
    }
    if not found:
        raise FileNotFoundError(f"no measurements in {folder}; make some: python -m benchmarks")
    return found

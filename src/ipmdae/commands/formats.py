"""The command ``ipmdae formats``."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer
from rich.table import Table

from ipmdae.console import out, print_json


def formats(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """List the file formats that this installation reads and writes, and what the others need.

    On input a format is recognised by content, then by suffix; on output by suffix alone. "In
    parts" means that files of any length are processed in constant memory.
    """
    from ipmdae.formats.inventory import entries

    known = entries()
    if as_json:
        print_json(
            [
                {**dataclasses.asdict(entry), "here": entry.here, "install": entry.command}
                for entry in known
            ]
        )
        return
    table = Table("format", "suffixes", "reads", "writes", box=None, pad_edge=False)
    for entry in known:
        if entry.here:
            table.add_row(entry.name, _suffixes(entry.suffixes), entry.reads, entry.writes or "-")
    out.print(table)
    for command in dict.fromkeys(entry.command for entry in known if not entry.here):
        missing = ", ".join(e.name for e in known if not e.here and e.command == command)
        out.print(f"not installed: {missing}; install with: {command}", markup=False)


def _suffixes(suffixes: tuple[str, ...]) -> str:
    return " ".join(suffix or "(none)" for suffix in suffixes)

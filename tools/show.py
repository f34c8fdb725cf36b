"""Common parts of the data commands: flags, table, showing or saving a figure."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from ipmdae import figures
from ipmdae.termination import script


def parser(command: str, description: str, folder: str, record: str) -> argparse.ArgumentParser:
    """The flags ``--path``, ``--save`` and ``--record`` with their defaults."""
    result = argparse.ArgumentParser(
        prog=f"python -m {command}",
        description=description,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    result.add_argument(
        "--path", type=Path, default=Path("datasets", folder), help="folder of the database"
    )
    result.add_argument(
        "--save",
        type=Path,
        metavar="FILE",
        help="write the figure to this file (PNG, SVG or PDF) instead of showing "
        f"it; without a screen {command.rsplit('.', maxsplit=1)[-1]}.png is written",
    )
    result.add_argument("--record", default=record, help="what the figure shows")
    return result


def table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table, numbers to the right, whole even where it is wider than the screen."""
    result = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        result.add_column(column, justify="left" if column == columns[0] else "right")
    for row in rows:
        result.add_row(*row)
    wide = Console(width=1000)
    wide = Console(width=max(Console().width, wide.measure(result).maximum, len(title)))
    wide.print(result)


def figure(drawn: Figure, save: Path | None, fallback: str) -> None:
    """Show a figure in a window, or save it: where asked to, or where there is no screen."""
    if save is None and not _has_screen():
        save = Path(fallback)
    if save is not None:
        figures.save(drawn, save)
        print(f"figure: {save}")
        return
    from matplotlib import pyplot as plt

    manager = plt.figure().canvas.manager
    if manager is None:
        raise OSError("matplotlib opened no window; name a file with --save")
    manager.canvas.figure = drawn
    drawn.set_canvas(manager.canvas)
    plt.show()


def _has_screen() -> bool:
    return matplotlib.get_backend().lower() not in {"agg", "pdf", "svg", "ps", "cairo", "template"}


def run(main: Callable[[], None]) -> None:
    """Run a command; errors that a user can fix are printed in one line."""
    with script():
        main()

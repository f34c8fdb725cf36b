"""The command ``ipmdae plot``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ipmdae.commands.reading import Array, Columns, Rate, Resample, Unit, read_options
from ipmdae.console import out, warnings_in_one_line


class Layout(str, Enum):
    """How the leads are arranged."""

    ONE = "1"
    TWO = "2"
    THREE = "3"
    THREE_BY_FOUR = "3x4"
    SIX_BY_TWO = "6x2"
    TWELVE_BY_ONE = "12x1"


def plot(
    file: Annotated[Path, typer.Argument(help="Recording, of any format.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Picture: PNG, SVG or PDF; by default FILE's .png."),
    ] = None,
    start: Annotated[float, typer.Option(min=0, help="First second to show.")] = 0.0,
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="How much to show.")] = 10.0,
    layout: Annotated[
        Layout | None,
        typer.Option(
            help="1, 2 or 3 leads below each other; of the 12 standard leads 3x4 with a rhythm "
            "strip, 6x2 or 12x1; by default all leads below each other."
        ),
    ] = None,
    leads: Annotated[str, typer.Option(help="Leads to show, with commas between them.")] = "",
    fs: Rate = None,
    unit: Unit = None,
    columns: Columns = "",
    array: Array = None,
    resample: Resample = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a picture that is there already.")
    ] = False,
) -> None:
    """Draw a recording on ECG paper, 25 mm/s and 10 mm/mV when printed.

    File, date, rate, filter and scale stand on the sheet. More than 10 s go on in further rows.
    What cannot be read is shaded.
    """
    from ipmdae import figures, formats
    from ipmdae.inspection.files import excerpt
    from ipmdae.quality import quality

    target = output or Path(f"{file.stem}.png")
    options = read_options(fs, unit, columns, array, resample)
    check_picture(target, overwrite)
    with warnings_in_one_line():
        with formats.open_reader(file, options=options) as reader:
            shown = excerpt(reader, start, seconds)
        figure = figures.ecg_paper(
            shown,
            seconds=seconds,
            leads=split(leads),
            layout=layout.value if layout else None,
            quality=quality(shown),
            origin=start,
            title=figures.title_of(shown, file.name),
        )
        figures.save(figure, target)
    out.print(f"drawn to {target}", markup=False)


def check_picture(target: Path, overwrite: bool) -> None:
    """Raise, before any work is done, where a picture could not or should not be written."""
    if target.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise ValueError(f"{target} is no picture: end its name in .png, .svg or .pdf")
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} exists: choose another name, or add --overwrite")


def split(leads: str) -> list[str] | None:
    """Names with commas between them; ``None`` if there are none."""
    return [name.strip() for name in leads.split(",") if name.strip()] or None

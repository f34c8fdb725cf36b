"""The command ``ipmdae plot``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ipmdae.commands.options import Array, Columns, Rate, Resample, Unit, read_options, split_names
from ipmdae.console import out, warnings_in_one_line


class Layout(str, Enum):
    """Arrangement of the leads."""

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
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="Seconds to show.")] = 10.0,
    layout: Annotated[
        Layout | None,
        typer.Option(
            help="1, 2 or 3 leads below each other; for the 12 standard leads 3x4 with a rhythm "
            "strip, 6x2 or 12x1; by default all leads below each other."
        ),
    ] = None,
    leads: Annotated[str, typer.Option(help="Leads to show, comma-separated.")] = "",
    fs: Rate = None,
    unit: Unit = None,
    columns: Columns = "",
    array: Array = None,
    resample: Resample = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing picture.")
    ] = False,
) -> None:
    """Draw a recording on ECG paper, 25 mm/s and 10 mm/mV when printed.

    The sheet states file, date, sampling rate, filter and scale. Each row shows 10 s; where a
    lead is missing, flat or saturated it is shaded. ipmdae info grades the noise.
    """
    from ipmdae import figures, formats
    from ipmdae.commands.outputs import check_picture
    from ipmdae.files import no_more_readable_than
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
            leads=split_names(leads),
            layout=layout.value if layout else None,
            quality=quality(shown),
            origin=start,
            title=figures.title_of(shown, file.name),
        )
        with no_more_readable_than(formats.files_of(file)):
            figures.save(figure, target)
    out.print(f"drawn to {target}", markup=False)

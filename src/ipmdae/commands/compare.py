"""The command ``ipmdae compare``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ipmdae.commands.options import split_names
from ipmdae.console import err, out, plain, print_json

if TYPE_CHECKING:
    from ipmdae.formats import SignalReader


def compare(
    noisy: Annotated[Path, typer.Argument(help="Noisy recording.")],
    cleaned: Annotated[Path, typer.Argument(help="The denoised recording.")],
    clean: Annotated[Path | None, typer.Argument(help="Clean reference, if available.")] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw both recordings on top of each other to this picture.")
    ] = None,
    start: Annotated[float, typer.Option(min=0, help="First second to draw.")] = 0.0,
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="Seconds to draw.")] = 10.0,
    leads: Annotated[str, typer.Option(help="Leads to draw, comma-separated.")] = "",
    fs: Annotated[
        float | None, typer.Option(help="Sampling rate in Hz of files that do not state it.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing picture.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Report what denoising removed, as RMS in mV by lead and band; with CLEAN, also the SNR.

    Constant offsets count neither as signal nor as noise.
    """
    from ipmdae import formats
    from ipmdae.commands.outputs import check_picture

    if figure:
        check_picture(figure, overwrite)

    with ExitStack() as stack:
        before, after, *truth = (
            stack.enter_context(formats.open_reader(path, fs=fs))
            for path in (noisy, cleaned, clean)
            if path is not None
        )
        with err.status("comparing"):
            compared = measure(before, after, truth[0] if truth else None)
        if as_json:
            print_json(compared)
        else:
            show(compared)
        if figure:
            draw(before, after, figure, start, seconds, split_names(leads))
            err.print(f"drawn to {figure}", markup=False)


def measure(before: SignalReader, after: SignalReader, truth: SignalReader | None) -> Any:
    """Removed RMS in mV of each lead, in total and by band; with a clean reference also the SNR."""
    from ipmdae.inspection.files import inspect, signal_to_noise
    from ipmdae.inspection.spectrum import BANDS

    found = inspect(before, after)
    in_all, bands = found.removed_in_all, found.removed_by_band(BANDS)
    compared: list[dict[str, Any]] = [
        {
            "lead": lead,
            "removed": float(in_all[i]),
            "bands": {name: float(rms[i]) for name, rms in bands.items()},
        }
        for i, lead in enumerate(found.leads)
    ]
    if truth is not None:
        ratios = signal_to_noise(truth, before, after)[:, list(found.columns)]
        for lead, snr_before, snr_after in zip(compared, *ratios, strict=True):
            lead |= {"snr before": float(snr_before), "snr after": float(snr_after)}
    return compared


def show(compared: list[dict[str, Any]]) -> None:
    """Print the measures as a table, one row per lead; RMS in mV."""
    bands = list(compared[0]["bands"])
    ratios = [key for key in ("snr before", "snr after") if key in compared[0]]
    table = Table(
        *("lead", "removed (mV)", *(band.split(", ")[-1] for band in bands)),
        *(f"{key.replace('snr', 'SNR')} (dB)" for key in ratios),
        box=None,
    )
    for lead in compared:
        rms = (lead["removed"], *lead["bands"].values())
        table.add_row(
            plain(lead["lead"]),
            *(f"{value:.4f}" for value in rms),
            *(f"{lead[key]:.2f}" for key in ratios),
        )
    out.print(table)


def draw(
    before: SignalReader,
    after: SignalReader,
    target: Path,
    start: float,
    seconds: float,
    leads: Sequence[str] | None,
) -> None:
    """Draw the denoised recording on top of the noisy one."""
    from ipmdae import figures
    from ipmdae.inspection.files import excerpt

    noisy, cleaned = excerpt(before, start, seconds), excerpt(after, start, seconds)
    drawn = figures.overlay(noisy, cleaned, seconds=seconds, leads=leads, origin=start)
    figures.save(drawn, target)

"""SNR improvement of a model on real noisy records: ``python -m tools.noise_stress``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ipmdae.lab.data import nstdb
from ipmdae.lab.evaluation import pages
from ipmdae.lab.evaluation.noise_stress import Improvement, improvement
from ipmdae.methods.network import DEFAULT_MODEL, Network
from ipmdae.safeguards import safeguards
from tools import show

_COLUMNS = (
    "record",
    "lead",
    "SNR before (dB)",
    "after (dB)",
    "gain (dB)",
    "RMSE before (mV)",
    "after (mV)",
    "SNR of clean leads after denoising (dB)",
)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.noise_stress",
        description="Denoise records of the noise database and compare them with the clean record.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--path", type=Path, default=Path("datasets", nstdb.FOLDER), help="the database's folder")
    add("--model", default=DEFAULT_MODEL, help="name or file of a model")
    add("--record", nargs="+", default=["118e06"], help="noisy records")
    add("--output", type=Path, metavar="FILE", help="write the table to a page in Markdown, too")
    args = parser.parse_args(arguments)
    denoiser = Network(args.model, limits=safeguards(unreadable="network"))
    rows = [
        row
        for record in args.record
        for row in cells(record, improvement(args.path, denoiser, record, clean_record(record)))
    ]
    title = f"{denoiser.model.name} on real recordings with electrode-motion noise"
    show.table(title, list(_COLUMNS), rows)
    if args.output:
        command = f"python -m tools.noise_stress --record {' '.join(args.record)}"
        command += f" --model {args.model} --output {args.output}"
        pages.write(page(title, rows, command), args.output)


def clean_record(record: str) -> str:
    """Name of the record with the same signal and the least noise, 24 dB."""
    return f"{record[:3]}e24"


def cells(record: str, result: Improvement) -> list[list[str]]:
    """One row per lead: means over windows, the gain with its standard deviation."""
    gain = result.snr_after - result.snr_before
    return [
        [
            record,
            lead,
            f"{result.snr_before[:, i].mean():.2f}",
            f"{result.snr_after[:, i].mean():.2f}",
            f"{gain[:, i].mean():.2f} ({gain[:, i].std(ddof=1):.2f})",
            f"{result.rmse_before[:, i].mean():.3f}",
            f"{result.rmse_after[:, i].mean():.3f}",
            f"{result.kept[:, i].mean():.1f}",
        ]
        for i, lead in enumerate(result.leads)
    ]


def page(title: str, rows: list[list[str]], command: str) -> str:
    """Format the page: description, table, command."""
    table = pages.table(_COLUMNS, rows)
    return pages.render("noise_stress.md.j2", title=title, table=table, command=command)


if __name__ == "__main__":
    show.run(main)

"""The command ``ipmdae``: its subcommands, and the reporting of errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ipmdae import __version__
from ipmdae.commands.compare import compare
from ipmdae.commands.denoise import denoise
from ipmdae.commands.example import example
from ipmdae.commands.formats import formats
from ipmdae.commands.info import info
from ipmdae.commands.models import export, models
from ipmdae.commands.plot import plot
from ipmdae.commands.stream import stream
from ipmdae.commands.web import web
from ipmdae.console import complain, debugging, describe, out, warnings_at_once
from ipmdae.lab.commands.benchmark import benchmark
from ipmdae.lab.commands.download import download
from ipmdae.lab.commands.train import train
from ipmdae.termination import exit_code, terminations

DEBUG = "--debug"


class OneLineErrors(TyperGroup):
    """Prints errors in one line, without a traceback unless ``--debug`` is given, and exits with 1.

    Warnings are printed in the same way. An empty argument is an error: it is usually an unset
    variable of a script, and would mean the current folder.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        options = args[: args.index("--")] if "--" in args else args
        ctx.meta[DEBUG] = DEBUG in options
        if "" in args:
            complain("error", 'an argument is empty (""); is a variable not set?')
            raise typer.Exit(1)
        return super().parse_args(
            ctx, [arg for arg in options if arg != DEBUG] + args[len(options) :]
        )

    def invoke(self, ctx: Any) -> Any:
        try:
            with terminations(), debugging(ctx.meta[DEBUG]), warnings_at_once():
                return self._invoke(ctx)
        except KeyboardInterrupt as interruption:
            complain("interrupted", "no file is partly written; run the same command again")
            raise typer.Exit(exit_code(interruption)) from interruption

    def _invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if hasattr(error, "exit_code"):  # an invalid command line; typer prints its own message
                raise
            complain("error", describe(error))
            raise typer.Exit(1) from error


EXAMPLES: dict[Callable[..., None], str] = {
    denoise: "ipmdae denoise example/118e06_excerpt -o example/cleaned",
    info: "ipmdae info example/118e06_excerpt",
    plot: "ipmdae plot example/118e06_excerpt -o strip.pdf --start 10 --seconds 5",
    compare: "ipmdae compare example/118e06_excerpt example/cleaned example/118e24_excerpt",
    stream: "ipmdae stream --fs 360 < noisy.csv > cleaned.csv",
    web: "ipmdae web",
    formats: "ipmdae formats",
    models: "ipmdae models",
    export: "ipmdae export ipmdae-base --to onnx -o ipmdae-base.onnx",
    example: "ipmdae example && ls example",
    download: "ipmdae download qtdb nstdb --to datasets",
}
"""Commands in the order of the help, each with an example."""

app = typer.Typer(
    cls=OneLineErrors,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command, words in EXAMPLES.items():
    app.command(epilog=f"Example: {words}")(command)
benchmark.command(
    epilog="Example: ipmdae benchmark train --protocol deepfilter --methods unet,drnn --epochs 30"
)(train)
app.add_typer(benchmark, name="benchmark")


def print_version(wanted: bool) -> None:
    """Print the version and end the command."""
    if wanted:
        out.print(f"ipmdae {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option(DEBUG, help="Print the tracebacks of errors; anywhere on the line.")
    ] = False,
) -> None:
    """Denoise ECG recordings with a small neural network."""

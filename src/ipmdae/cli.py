"""The command ``ipmdae``: what it can do, and how errors are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ipmdae import __version__
from ipmdae.commands.benchmark import benchmark
from ipmdae.commands.benchmark_train import train
from ipmdae.commands.compare import compare
from ipmdae.commands.data import download, example
from ipmdae.commands.denoise import denoise
from ipmdae.commands.formats import formats
from ipmdae.commands.info import info
from ipmdae.commands.models import export, models
from ipmdae.commands.plot import plot
from ipmdae.commands.stream import stream
from ipmdae.console import complain, out


class OneLineErrors(TyperGroup):
    """Tells of errors that a user can mend in one line, without a traceback, and exits with 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except (OSError, ValueError, RuntimeError, ModuleNotFoundError) as error:
            complain("error", str(error))
            raise typer.Exit(1) from error
        except MemoryError as error:
            complain("error", f"not enough memory: {error or 'take a shorter part'}")
            raise typer.Exit(1) from error
        except KeyboardInterrupt as interruption:
            complain("interrupted", "nothing is half-written; run the same command again")
            raise typer.Exit(130) from interruption


EXAMPLES: dict[Callable[..., None], str] = {
    denoise: "ipmdae denoise example/118e06_excerpt -o example/cleaned",
    info: "ipmdae info example/118e06_excerpt",
    plot: "ipmdae plot example/118e06_excerpt -o strip.pdf --start 10 --seconds 5",
    compare: "ipmdae compare example/118e06_excerpt example/cleaned example/118e24_excerpt",
    stream: "ipmdae stream --fs 360 < noisy.csv > cleaned.csv",
    formats: "ipmdae formats",
    models: "ipmdae models",
    export: "ipmdae export ipmdae-base --to onnx -o ipmdae-base.onnx",
    example: "ipmdae example && ls example",
    download: "ipmdae download qtdb nstdb --to datasets",
}
"""The commands in the order of the help, each with an example."""

app = typer.Typer(cls=OneLineErrors, no_args_is_help=True)
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
) -> None:
    """Clean noise out of ECG recordings with a small neural network."""

"""The command line, within the process of the test."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from ipmdae import cli


def run(*arguments: object, stdin: bytes | str | None = None) -> Result:
    """Result of ``ipmdae`` with these arguments, each as text."""
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments], input=stdin)


def refused(result: Result) -> str:
    """The only line on stderr, of a command that was refused."""
    assert result.exit_code == 1, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("ipmdae: error: ")
    assert line.isprintable()
    return line

"""The licences of all that the package needs: ``python -m tools.licences``.

Writes ``docs/licences.md`` from the metadata of what is installed; install the extras first.
"""

from __future__ import annotations

import argparse
from importlib.metadata import PackageNotFoundError
from pathlib import Path

from ipmdae.files import replacing
from tools import show
from tools.dependencies import ROOT, Package, direct, extras, needed

PAGE = ROOT / "docs" / "licences.md"

_HEAD = """# Licences

The package itself is under the MIT licence (`LICENSE`). Its dependencies are installed as separate
packages and are not part of it; their licences, by the extra that needs them, are those in their
metadata. Made by `python -m tools.licences`.

`soxr`, the resampler, is under the LGPL 2.1 or later, like the library libsoxr that it contains. It
is a separate package that can be replaced by another build; the wheels of this package contain no
part of it. A program that distributes both together, such as an installer, must keep it replaceable
and include its licence.

The models are under the MIT licence too. They were trained on the QT Database and the MIT-BIH Noise
Stress Test Database, both under the Open Data Commons Attribution License 1.0.
"""
_LEFT_OUT = {"dev", "docs", "release", "test"}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.licences", description="Write the licences of all dependencies."
    )
    parser.add_argument("--output", type=Path, default=PAGE, metavar="FILE", help="the page")
    args = parser.parse_args(arguments)
    with replacing(args.output) as aside:
        aside.write_text(page(), encoding="utf-8")
    print(f"written to {args.output}")


def page() -> str:
    """The page: a table of the base installation, and one of what each extra adds."""
    base = needed()
    parts = [_HEAD, "## Base installation\n", table(base, direct())]
    for extra in (name for name in extras() if name not in _LEFT_OUT):
        try:
            more = {name: one for name, one in needed(extra).items() if name not in base}
        except PackageNotFoundError as error:
            raise ModuleNotFoundError(
                f"extra {extra} is not installed: {error}; pip install '.[{extra}]'"
            ) from error
        parts += [f"## Extra `{extra}`\n", table(more, direct(extra))]
    return "\n".join(parts)


def table(packages: dict[str, Package], asked_for: list[str]) -> str:
    """Packages by name; those that are asked for by name are bold."""
    rows = ["| package | version | licence |", "| --- | --- | --- |"]
    for name, one in packages.items():
        shown = f"**{name}**" if name in asked_for else name
        rows.append(f"| {shown} | {one.version} | {one.licence.replace('|', '/')} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    show.run(main)

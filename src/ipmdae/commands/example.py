"""The command ``ipmdae example``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ipmdae.console import out


def example(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to copy to.")] = Path(
        "example"
    ),
) -> None:
    """Copy the recordings that come with the package to a folder, to try the others on them."""
    from ipmdae import examples
    from ipmdae.files import replacing

    for name in examples.names():
        source = examples.path(name)
        for file in sorted(source.parent.glob(f"{name}.*")):
            target, content = output / file.name, file.read_bytes()
            if target.exists() and target.read_bytes() != content:
                raise FileExistsError(f"{target} exists, and is another file: choose another -o")
            with replacing(target) as aside:
                aside.write_bytes(content)
        out.print(str(output / name), markup=False)

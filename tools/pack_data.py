"""Both databases in one small file, to train elsewhere: ``python -m tools.pack_data``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ipmdae.lab.data.pack import pack, unpack
from tools import show


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.pack_data",
        description="Pack the QT Database and the noise database into one file, or unpack it into "
        "a folder of WFDB records, bit by bit those that were packed.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--datasets", type=Path, default=Path("datasets"), help="folder that holds the databases")
    add("--file", type=Path, default=Path("ipmdae-data.zip"), help="the packed file")
    add("--unpack", action="store_true", help="write the databases of the file to the folder")
    args = parser.parse_args(arguments)
    if args.unpack:
        print(f"{unpack(args.file, args.datasets)} files unpacked to {args.datasets}")
        return
    count = pack(args.datasets, args.file)
    print(f"{count} files packed into {args.file}, {args.file.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    show.run(main)

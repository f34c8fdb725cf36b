"""ECGNExT's recordings as WFDB records: ``python -m tools.convert_ecgnext CLONE --to FOLDER``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ipmdae.lab.data import ecgnext
from tools import show


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.convert_ecgnext",
        description="Convert the recordings of a clone of the public repository dbp-osel/ECGNExT "
        "(public domain) to WFDB records, without loss.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("source", type=Path, help="the clone, or the folder of its .mat files")
    parser.add_argument(
        "--to", type=Path, default=Path("datasets", ecgnext.FOLDER), help="folder of the records"
    )
    args = parser.parse_args(arguments)
    names = ecgnext.convert(args.source, args.to)
    people = len({ecgnext.person(name) for name in names})
    print(f"{len(names)} records of {people} people in {args.to}")


if __name__ == "__main__":
    show.run(main)

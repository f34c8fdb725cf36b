"""How much a model improves a real noisy record: ``python -m tools.noise_stress``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ipmdae.data import nstdb
from ipmdae.denoiser import DEFAULT_MODEL, Denoiser
from ipmdae.evaluation.noise_stress import improvement
from tools import show


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.noise_stress",
        description="Clean a record of the noise database and compare it with its clean twin.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--path", type=Path, default=Path("datasets", nstdb.FOLDER),
                        help="folder of the noise database")  # fmt: skip
    parser.add_argument("--model", default=DEFAULT_MODEL, help="name or file of a model")
    parser.add_argument("--record", default="118e06", help="noisy record")
    parser.add_argument("--twin", default="118e24", help="the same with little noise")
    args = parser.parse_args(arguments)
    denoiser = Denoiser(args.model)
    print(f"{args.record} cleaned by {denoiser.model.name}, against {args.twin}, where noise was "
          "added that no training saw\n(mean over windows of 10 s, SNR without DC)")  # fmt: skip
    print(improvement(args.path, denoiser, args.record, args.twin))


if __name__ == "__main__":
    show.run(main)

"""Every goal with what was measured: ``python -m tools.goals``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ipmdae.lab.evaluation import goals
from tools import show


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.goals",
        description="Write the page of goals from stored results and the models that ship.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--results", type=Path, default=Path("results", "benchmark"), help="stored results")
    add("--output", type=Path, default=Path("docs", "results"), help="folder of the page")
    args = parser.parse_args(arguments)
    print(f"written to {goals.write(args.results, args.output)}")


if __name__ == "__main__":
    show.run(main)

"""Make trained networks and their scores released files: ``python -m tools.release_benchmark``.

Of each finished run of ``ipmdae benchmark train``, ``release/runs`` gets a card, the settings, the
loss curves and the best weights, in half precision; ``release/scores`` gets the stored results of
these networks. Both are folders that ``ipmdae benchmark`` takes:

    ipmdae benchmark run --protocol deepfilter --runs release/runs
    ipmdae benchmark report --protocol deepfilter --results release/scores
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from ipmdae.lab.evaluation import candidates
from ipmdae.lab.evaluation import results as stored
from ipmdae.lab.nn import checkpoints
from ipmdae.lab.training import queue, run
from ipmdae.lab.training.callbacks import CURVES
from ipmdae.lab.training.summary import SUMMARY_FILE
from tools import run_card, show


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.release_benchmark",
        description="Store the networks of a benchmark, or their scores, as released files.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--protocol", default="deepfilter", help="of the benchmark")
    add("--runs", type=Path, default=Path("results"), help="folder of the runs")
    add("--results", type=Path, default=Path("results", "benchmark"), help="stored results")
    add("--to", type=Path, default=Path("release"), help="folder to write to")
    add("what", choices=("runs", "scores"), help="what is released")
    args = parser.parse_args(arguments)
    if args.what == "runs":
        for folder in finished_runs(args.protocol, args.runs):
            target = args.to / "runs" / folder.relative_to(args.runs)
            release_run(folder, target)
            print(f"written to {target}")
    else:
        for path in sorted((args.results / args.protocol).glob("*.npz")):
            target = args.to / "scores" / args.protocol / path.name
            if release_scores(path, target):
                print(f"written to {target}")


def finished_runs(protocol: str, runs: Path) -> list[Path]:
    """Folders of the runs that the benchmark uses: of each method, seed and model."""
    methods = candidates.with_seeds(candidates.trained_names(protocol, runs), "all", protocol, runs)
    networks = [
        network
        for method in methods
        for network in candidates.trained(method, protocol, runs, queue.models(protocol))
    ]
    return list(dict.fromkeys(network.run_folder for network in networks))


def release_run(folder: Path, target: Path) -> None:
    """Copy the settings and curves of a run, and write its best weights and its card."""
    curves = Path("results", f"{CURVES}.csv")
    (target / curves).parent.mkdir(parents=True, exist_ok=True)
    for member in (Path(run.SETTINGS_FILE), Path(SUMMARY_FILE), curves):
        shutil.copyfile(folder / member, target / member)
    checkpoints.release_weights(run.load_network(folder, "best"), target / run.RELEASED_WEIGHTS)
    (target / run_card.CARD_FILE).write_text(run_card.text(target), encoding="utf-8")


def release_scores(path: Path, target: Path) -> bool:
    """Store the scores of a trained network in single precision; False for any other method."""
    result = stored.load(path)
    if result.network is None or not result.network.trainings:
        return False
    values = result.table.select_dtypes("float64").columns
    target.parent.mkdir(parents=True, exist_ok=True)
    single = result.table.astype(dict.fromkeys(values, np.float32))
    stored.save(replace(result, table=single), target)
    return True


if __name__ == "__main__":
    show.run(main)

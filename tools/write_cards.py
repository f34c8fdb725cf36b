"""The cards of the models that ship, with their scores: ``python -m tools.write_cards``.

Writes ``src/ipmdae/weights/NAME.json`` for each model file, from its metadata and from
stored results of these very weights; the weights stay as they are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ipmdae.cards import Card, described, write_card
from ipmdae.lab.evaluation import card as evaluated
from tools import show
from tools.provenance import WEIGHTS, commit_of

INTENDED_USE = (
    "Research and engineering: to clean recordings of the ECG in mV, offline or live, of any "
    "length, rate (60 to 4000 Hz) and number of leads. It is not a medical device: no use in "
    "diagnosis, monitoring or treatment of patients."
)
_EARLIER = (
    "weights that this training began from had seen the first 12.5 min of each record, which for "
    "bw and em hold the test's minutes too (docs/nstdb.md)"
)
_NO_UNCERTAINTY = (
    " Predicts no uncertainty: its output is graded limited where small waves may be lost, but "
    "never unusable because of its own error, and no filter replaces it."
)
_EXCERPTS = Path("tests", "data", "datasets")
_REPEATED = "protocol clinic on the excerpts in tests/data, one piece of each lead"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.write_cards",
        description="Write the cards of models, with their scores from stored results.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--models", nargs="+", metavar="NAME", help="which; by default all that ship")
    add("--weights", type=Path, default=WEIGHTS, help="folder of the models and their cards")
    add("--results", type=Path, default=Path("results", "benchmark"), help="stored results")
    add("--datasets", type=Path, default=Path("datasets"), help="folder of the databases")
    args = parser.parse_args(arguments)
    names = args.models or sorted(path.stem for path in args.weights.glob("*.safetensors"))
    for name in names:
        model = args.weights / f"{name}.safetensors"
        written = write_card(model, card(model, args.results, args.datasets))
        print(f"written to {written}")


def card(model: Path, results: Path, datasets: Path) -> Card:
    """The whole card of a model file.

    Args:
        model: written by :mod:`tools.release_model`.
        results: folder with a folder of stored results for each benchmark.
        datasets: folder of the databases that it was trained on.

    Raises:
        FileNotFoundError: there is no such model, or a record is missing.
        ValueError: the file lacks its training, or a stored result is of other
            weights or covers part of the test; the message names the command to run.
    """
    base = described(model)
    if "trained" not in base:
        raise ValueError(
            f"{model} does not state its training: make it with python -m tools.release_model"
        )
    split = base["trained"].pop("split")
    rhythms = bool(base.get("windows", {}).get("rhythms"))
    data = evaluated.data(split["training"], split["validation"], datasets, rhythms=rhythms)
    if "start_from" in base["trained"]:
        data["noise"]["earlier training"] = _EARLIER
    if not base["architecture"]["uncertainty"]:
        base["limits"] += _NO_UNCERTAINTY
    return {
        **base,
        "versions": {"commit": commit_of(model), **base["versions"]},
        "data": data,
        "scores": evaluated.scores(base["name"], base["sha256"], results),
        "check": {"on": _REPEATED, **evaluated.check(model, _EXCERPTS)},
        "intended use": INTENDED_USE,
    }


if __name__ == "__main__":
    show.run(main)

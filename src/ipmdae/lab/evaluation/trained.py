"""Networks trained on a protocol: the available ones, their weights, their description.

Where a method is named, ``name@seed`` means the network as it was trained with that seed; its name
alone means the lowest seed that is finished.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ipmdae.lab.evaluation import rivals, seeds
from ipmdae.lab.evaluation.given import Network, Training
from ipmdae.lab.training.summary import SUMMARY_FILE

if TYPE_CHECKING:
    from typing import TypeGuard

    from ipmdae.lab.evaluation.trained_network import TrainedNetwork

RUNS = Path("results")
"""Default folder of the runs of ``ipmdae benchmark train``."""


def is_network(rival: object) -> TypeGuard[TrainedNetwork]:
    """True if a rival is a network, which needs the weights of a run."""
    return isinstance(rival, rivals.Trained)


def names(protocol: str, runs: Path) -> list[str]:
    """The networks of which all models on a protocol are trained.

    None without the extra ``train``, which they need to clean, too.
    """
    if not (runs / protocol).is_dir():
        return []  # without the seconds that torch takes to be imported
    try:
        return [name for name in rivals.NETWORKS if _seeds(name, protocol, runs)]
    except ModuleNotFoundError:
        return []


def with_seeds(methods: Sequence[str], wanted: str, protocol: str, runs: Path) -> list[str]:
    """Methods, with each network once for each seed.

    Args:
        methods: names; those that are not networks stay as they are.
        wanted: seeds with commas between them, or ``all``.
        protocol: training protocol of the networks.
        runs: folder of the runs.

    Raises:
        ValueError: ``wanted`` holds no seeds.
    """
    named = [part.strip() for part in wanted.split(",")]
    if wanted != "all" and not all(part.isdecimal() for part in named):
        raise ValueError(f"--seeds takes numbers with commas between them, or all, not {wanted!r}")
    chosen = []
    for method in methods:
        if method not in rivals.NETWORKS:
            chosen.append(method)
            continue
        there = _seeds(method, protocol, runs)
        asked = there if wanted == "all" else sorted({int(part) for part in named})
        own = [method if [seed] == there[:1] else seeds.label(method, seed) for seed in asked]
        chosen += own or [method]
    return chosen


def find(
    name: str, protocol: str, runs: Path, models: Sequence[str] = ("",)
) -> list[TrainedNetwork]:
    """A network with the weights of each of its models on a protocol, all of one seed.

    Raises:
        ValueError: it is not a network.
        FileNotFoundError: it is not trained, or not with this seed; the message names the command
            that does it.
        ModuleNotFoundError: the extra ``train`` is not installed.
    """
    method, seed = seeds.parse(name)
    network = _network(method)
    return [network.trained(protocol, model, runs, seed) for model in models]


def of_run(name: str, folder: Path) -> TrainedNetwork:
    """A network with the weights of the run in ``folder``, whatever command made it."""
    return replace(_network(name), folder=folder)


def version(networks: Sequence[TrainedNetwork]) -> str:
    """SHA-256 of the weights; of several models that of their digests."""
    digests = [network.version for network in networks]
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def describe(networks: Sequence[TrainedNetwork], samples: int, leads: int = 1) -> Network:
    """Cost of a network for a window, and the training budget of its models.

    The budget is unknown for a run of the paper's commands, which stores no summary.
    """
    cost = networks[0].complexity(samples, leads)
    summarised = [network for network in networks if (network.run_folder / SUMMARY_FILE).is_file()]
    return Network(
        parameters=cost.parameters,
        multiply_accumulates=cost.multiply_accumulates,
        trainings=tuple(Training(net.summary, net.recipe, net.late_fall) for net in summarised),
    )


def _seeds(method: str, protocol: str, runs: Path) -> list[int]:
    """The seeds that all models of a network are trained with, ascending."""
    network = _network(method)
    from ipmdae.lab.training import queue

    return queue.seeds(runs, protocol, network.name)


def _network(name: str) -> TrainedNetwork:
    rival = rivals.get(name)
    if not is_network(rival):
        raise ValueError(f"{name} is not a network; there are: {', '.join(rivals.NETWORKS)}")
    return rival

"""Networks that are trained on a protocol: which there are, their weights, what is told of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ipmdae import rivals
from ipmdae.evaluation.given import Network, Training
from ipmdae.training.summary import SUMMARY_FILE

if TYPE_CHECKING:
    from typing import TypeGuard

    from ipmdae.rivals.trained import TrainedNetwork

RUNS = Path("results")
"""Where ``ipmdae benchmark train`` leaves its runs."""


def is_network(rival: object) -> TypeGuard[TrainedNetwork]:
    """Whether a rival is a network, which needs the weights of a run."""
    return isinstance(rival, rivals.Trained)


def names(protocol: str, runs: Path) -> list[str]:
    """The networks of which all models on a protocol are trained.

    None without the extra ``train``, which they need to clean, too.
    """
    if not (runs / protocol).is_dir():
        return []  # without the seconds that torch takes to be imported
    try:
        networks = {name: _network(name) for name in rivals.NETWORKS}
    except ModuleNotFoundError:
        return []
    from ipmdae.training import queue

    finished = queue.summaries(runs, protocol)
    return [name for name, network in networks.items() if network.name in finished]


def find(
    name: str, protocol: str, runs: Path, models: Sequence[str] = ("",)
) -> list[TrainedNetwork]:
    """A network with the weights of each of its models on a protocol.

    Raises:
        ValueError: it is no network.
        FileNotFoundError: it is not trained; the message tells the command that does it.
        ModuleNotFoundError: the extra ``train`` is not installed.
    """
    network = _network(name)
    return [network.trained(protocol, model, runs) for model in models]


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
    """What a network costs for a window, and what its models were given.

    Nothing of that is told of a run of the paper's commands, which leaves no summary.
    """
    cost = networks[0].complexity(samples, leads)
    told = [network for network in networks if (network.run_folder / SUMMARY_FILE).is_file()]
    return Network(
        parameters=cost.parameters,
        multiply_accumulates=cost.multiply_accumulates,
        trainings=tuple(Training(net.summary, net.recipe, net.late_fall) for net in told),
    )


def _network(name: str) -> TrainedNetwork:
    rival = rivals.get(name)
    if not is_network(rival):
        raise ValueError(f"{name} is no network; there are: {', '.join(rivals.NETWORKS)}")
    return rival

"""Methods that our networks are compared with: classical ones, and networks of finished runs."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Protocol, runtime_checkable

from ipmdae.lab import networks
from ipmdae.methods import classical
from ipmdae.methods.classical import LeadMethod, Signal

NETWORKS = (
    *("Ultralight_IPM_DAE", "ipmdae-base", "ipmdae-small", "ipmdae-nano", "ipmdae-beat"),
    *(*networks.NAMES, "descod-10"),
)
"""Networks that need a training run; ``descod-10`` averages ten draws of ``descod``."""


@runtime_checkable
class Trained(LeadMethod, Protocol):
    """A network, which needs the weights of a finished run; RuntimeError when it has none."""

    def trained(
        self, protocol: str, model: str = "", results: Path = ..., seed: int | None = None
    ) -> Trained:
        """The same with the weights of its newest finished run on a protocol.

        Args:
            protocol: name of the protocol.
            model: ``noise-1`` or ``noise-2`` of protocol deepfilter, which asks for both.
            results: folder of the runs, by default ``results``.
            seed: of the run; by default the lowest one of which all models are finished.

        Raises:
            FileNotFoundError: the run does not exist; the message names the command that makes it.
        """
        ...

    def denoise_batch(self, x: Signal, fs: float) -> Signal:
        """Clean windows (windows, time) in mV, many at once, as the protocol has them."""
        ...


def get(name: str) -> LeadMethod:
    """A new classical method, or a network without weights (see :class:`Trained`), by name.

    Raises:
        ValueError: there is no such method.
        ModuleNotFoundError: a package that it needs is not installed.
    """
    if name not in NETWORKS:
        if name not in classical.names():
            known = ", ".join([*classical.names(), *NETWORKS])
            raise ValueError(f"unknown method {name!r}; there are: {known}")
        return classical.get(name)
    try:
        module = import_module("ipmdae.lab.evaluation.trained_network")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"method {name} needs {error.name}: pip install 'ultralight-ipm-dae[train]'"
        ) from error
    method: LeadMethod = module.METHODS[name]()
    return method

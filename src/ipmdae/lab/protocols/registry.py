"""The protocols that networks can be trained by, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ipmdae.lab.protocols import TrainingProtocol
from ipmdae.lab.protocols.clinic import Clinic
from ipmdae.lab.protocols.deepfilter_pairs import DeepFilterTraining
from ipmdae.lab.protocols.reference import Reference

_KNOWN: dict[str, Callable[..., TrainingProtocol]] = {
    protocol.name: protocol for protocol in (Reference, Clinic, DeepFilterTraining)
}


def open_protocol(name: str, **settings: Any) -> TrainingProtocol:
    """Open the protocol ``name`` with its settings.

    Raises:
        ValueError: there is no such protocol.
    """
    if name not in _KNOWN:
        raise ValueError(f"unknown protocol {name!r}; there are: {', '.join(_KNOWN)}")
    return _KNOWN[name](**settings)

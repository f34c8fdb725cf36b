"""Variants of one network for the ablation study, each with one changed factor.

They exist in torch only: the inference engines do not support variants that an
:class:`~ipmdae.architecture.Architecture` cannot describe (one direction, shared state matrices, no
fusion).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ipmdae.architecture import Architecture
from ipmdae.lab.networks import registry
from ipmdae.lab.nn.ipm_dae import UltralightIPMDAE
from ipmdae.lab.nn.mf_ipm import MFIPM
from ipmdae.lab.nn.sequence_blocks import Recurrent, SeparableConvolution
from ipmdae.lab.protocols.clinic import rhythm_settings


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A change to the base of a study.

    Attributes:
        name: name of the folder and in tables.
        change: description for the table.
        architecture: maps the base's architecture to the variant's.
        network: changes a network in place, beyond its architecture.
        recipe: fields of the recipe that differ.
        protocol: maps the folder of the databases to the settings of the protocol that differ.
    """

    name: str
    change: str
    architecture: Callable[[Architecture], Architecture] | None = None
    network: Callable[[UltralightIPMDAE], None] | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    protocol: Callable[[Path], Mapping[str, Any]] | None = None

    def build(self, model: str, leads: int | None = None) -> UltralightIPMDAE:
        """Build this variant of the registered network ``model``, with random weights.

        Raises:
            ValueError: the model is unknown, or the change does not apply to it.
        """
        architecture = registry.architecture(model, leads)
        if self.architecture:
            architecture = self.architecture(architecture)
        network = UltralightIPMDAE(architecture)
        if self.network:
            self.network(network)
        return network


class ForwardOnly(MFIPM):
    """MF-IPM module with a single Mamba block, forward in time."""

    def __init__(self, architecture: Architecture, stage: int) -> None:
        super().__init__(architecture, stage)
        del self.mamba_backward, self.A_log_backward

    def _bidirectional(self, x: Tensor, n: int) -> Tensor:
        y: Tensor = self.mamba_forward(x, self.A_log_forward[n])
        return y


def forward_only(network: UltralightIPMDAE) -> None:
    """Replace every MF-IPM module by one without the backward block."""
    for stage, module in enumerate(network.skips):
        if isinstance(module, MFIPM):
            network.skips[stage] = ForwardOnly(network.architecture, stage)


def share_state_matrices(network: UltralightIPMDAE) -> None:
    """Share the state matrix of the first branch among all branches of a module, per direction."""
    for module in _modules(network):
        for matrices in (module.A_log_forward, module.A_log_backward):
            for n in range(1, len(matrices)):
                matrices[n] = matrices[0]


def leave_out_fusion(network: UltralightIPMDAE) -> None:
    """Weight each branch by its own attention only."""
    for module in _modules(network):
        module.fusion = nn.Identity()  # type: ignore[assignment]


def replace_mamba(
    block: Callable[[Architecture, int], nn.Module],
) -> Callable[[UltralightIPMDAE], None]:
    """Put another sequence block, without state matrices, in place of every Mamba block."""

    def change(network: UltralightIPMDAE) -> None:
        for stage, module in enumerate(network.skips):
            if isinstance(module, MFIPM):
                d = network.architecture.branch_width(stage)
                none = [None] * len(module.A_log_forward)
                for direction in ("forward", "backward"):
                    setattr(module, f"mamba_{direction}", block(network.architecture, d))
                    setattr(module, f"A_log_{direction}", nn.ParameterList(none))

    return change


def _modules(network: UltralightIPMDAE) -> list[MFIPM]:
    return [module for module in network.skips if isinstance(module, MFIPM)]


def _with(**changes: Any) -> Callable[[Architecture], Architecture]:
    return lambda base: replace(base, **changes)


def _branches(count: Callable[[int], int]) -> Callable[[Architecture], Architecture]:
    """Set the number of branches of each stage as a function of the base's (0: no module)."""
    return lambda base: replace(base, branches=tuple(count(n) for n in base.branches))


def _width(factor: float) -> Callable[[Architecture], Architecture]:
    """Multiply the channels, rounded so that a stage's branches divide them."""

    def change(base: Architecture) -> Architecture:
        divisors = [max(n, 1) for n in (*base.branches, 0)]
        channels = (round(factor * c / n) * n for c, n in zip(base.channels, divisors, strict=True))
        return replace(base, channels=tuple(channels))

    return change


BASE = Variant(name="base", change="-")

VARIANTS = (
    BASE,
    Variant(
        name="no-mamba",
        change="no MF-IPM module: plain skip connections",
        architecture=_branches(lambda n: 0),
    ),
    Variant(
        name="convolution",
        change="depthwise-separable convolutions in place of Mamba, equal MAC",
        network=replace_mamba(SeparableConvolution),
    ),
    Variant(
        name="lstm",
        change="a bidirectional LSTM in place of Mamba, equal MAC",
        network=replace_mamba(Recurrent),
    ),
    Variant(
        name="every-skip",
        change="MF-IPM modules on every skip connection, as in the paper",
        architecture=_branches(lambda n: n or 1),
    ),
    *(
        Variant(
            name=f"branches-{count}",
            change=f"{count} branch{'es' if count > 1 else ''} in every module",
            architecture=_branches(lambda n, count=count: count if n else 0),  # type: ignore[misc]
        )
        for count in (1, 2, 4)
    ),
    Variant(
        name="shared-state",
        change="one state matrix for all branches of a module",
        network=share_state_matrices,
    ),
    Variant(name="no-fusion", change="no information fusion (MS-IF off)", network=leave_out_fusion),
    Variant(
        name="forward-only",
        change="Mamba forward in time only, not in both directions",
        network=forward_only,
    ),
    Variant(
        name="not-residual",
        change="the network estimates the clean signal, not the noise",
        architecture=_with(residual=False),
    ),
    Variant(
        name="no-uncertainty",
        change="no uncertainty output",
        architecture=_with(uncertainty=False),
    ),
    Variant(name="kernel-3", change="kernel 3, as in the paper", architecture=_with(kernel=3)),
    *(
        Variant(
            name=f"width-{factor}",
            change=f"{factor} times the channels",
            architecture=_width(factor),
        )
        for factor in (0.7, 1.4)
    ),
    Variant(name="relative", change="loss without short segments", recipe={"loss": "relative"}),
    Variant(name="mse", change="squared error as loss", recipe={"loss": "mse"}),
    Variant(
        name="no-augmentation",
        change="trained on the protocol's own windows",
        protocol=lambda datasets: {"augment": False},
    ),
    Variant(
        name="rhythms",
        change="rhythms in the targets and motion in the noise, as networks that ship are tuned",
        protocol=rhythm_settings,
    ),
)


def get(name: str) -> Variant:
    """Return the variant ``name``.

    Raises:
        ValueError: the name is unknown; the message lists the known ones.
    """
    for variant in VARIANTS:
        if variant.name == name:
            return variant
    raise ValueError(f"unknown variant {name!r}; there are: {', '.join(v.name for v in VARIANTS)}")

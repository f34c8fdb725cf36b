"""Complexity of a torch network: weights, and multiply-accumulates counted while it runs.

A multiply-accumulate is one product added to a sum, as in :mod:`ipmdae.engine.complexity`: those
with weights, those between activations in attention and in the selective scan. Biases, norms,
poolings, gates and activations do not count, nor do Fourier transforms. Every tap of a convolution
counts, at the borders too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ipmdae.lab.networks.tcdae import SelfAttention
from ipmdae.lab.nn.mamba import Mamba


@dataclass(frozen=True)
class Complexity:
    """Size and compute of a network.

    Attributes:
        parameters: number of weights.
        multiply_accumulates: for one window.
    """

    parameters: int
    multiply_accumulates: int


def measure(network: nn.Module, samples: int, leads: int = 1) -> Complexity:
    """Count for one window of so many samples and leads, by running one.

    Layers that run several times count each time.
    """
    counted = 0

    def count(rule: Rule) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            nonlocal counted
            counted += rule(module, inputs[0], output)

        return hook

    hooks = [
        module.register_forward_hook(count(rule))
        for module in network.modules()
        for kind, rule in _RULES.items()
        if isinstance(module, kind)
    ]
    training = network.training
    try:
        with torch.inference_mode():
            network.eval()(next(network.parameters()).new_zeros(1, samples, leads))
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    return Complexity(sum(p.numel() for p in network.parameters()), counted)


def _convolution(module: Any, x: Tensor, y: Tensor) -> int:
    products: int = y.numel() * module.weight[0].numel()
    return products


def _transposed(module: Any, x: Tensor, y: Tensor) -> int:
    products: int = x.numel() * module.weight[0].numel()
    return products


def _linear(module: Any, x: Tensor, y: Tensor) -> int:
    products: int = y.numel() * module.in_features
    return products


def _lstm(module: Any, x: Tensor, y: tuple[Tensor, Any]) -> int:
    steps = x.numel() // x.shape[-1]
    products: int = sum(weight.numel() for weight in module.parameters() if weight.ndim == 2)
    return steps * products


def _attention(module: Any, x: Tensor, y: Tensor) -> int:
    batch, length, _ = x.shape
    products: int = 2 * batch * length**2 * module.inner
    return products


def _mamba(module: Any, x: Tensor, y: Tensor) -> int:
    """Convolution and scan; the projections are layers of their own."""
    taps, states = module.conv1d.weight.shape[1], module.d_state
    products: int = x.shape[0] * x.shape[1] * module.d_inner * (taps + 3 * states + 2)
    return products


Rule = Callable[[Any, Tensor, Any], int]

_RULES: dict[type[nn.Module] | tuple[type[nn.Module], ...], Rule] = {
    (nn.Conv1d, nn.Conv2d): _convolution,
    (nn.ConvTranspose1d, nn.ConvTranspose2d): _transposed,
    nn.Linear: _linear,
    nn.LSTM: _lstm,
    SelfAttention: _attention,
    Mamba: _mamba,
}

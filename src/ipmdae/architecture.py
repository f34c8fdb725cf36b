"""Architecture of the networks of the Ultralight IPM-DAE family, without weights.

Imports neither torch nor the engine: training, inference and the model files all describe a
network by the same arguments.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

_SIZES = ("leads", "kernel", "d_state", "d_conv", "expand")


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Hyper-parameters of an Ultralight IPM-DAE. The defaults give the paper's network.

    Attributes:
        leads: number of leads of input and output.
        channels: output channels of the encoder's stages, each of which halves the length.
        branches: branches N of the MF-IPM module on each stage but the deepest;
            ``channels[k]`` must be divisible by ``branches[k]``. Where N is 0 the stage has a
            plain skip connection instead, which costs nothing at the highest resolutions.
        kernel: width of the strided and transposed convolutions, odd.
        pool_cap: largest average-pooling width; ``None`` is the paper's figure (2^n, no cap),
            4 is its published code.
        d_state: size of the state of a Mamba channel.
        d_conv: taps of Mamba's causal depthwise convolution.
        expand: ratio of Mamba's inner width to a branch's width.
        attention: ``"code"`` is f(mean) + f(max), ``"figure"`` is f(mean + max).
        fusion: ``"code"`` is softmax(M Mᵀ) M; ``"figure"`` puts learned linear maps before it.
        unused_projections: own the three matrices that the published code creates and never
            calls, so that the parameter count equals its own.
        residual: the decoder estimates the noise, and the output is the input less that: the clean
            signal does not pass the bottleneck.
        uncertainty: the network also outputs, for each lead, the natural logarithm of the predicted
            standard deviation of its error.
    """

    leads: int = 2
    channels: tuple[int, ...] = (32, 64, 128, 256, 512)
    branches: tuple[int, ...] = (1, 2, 4, 8)
    kernel: int = 3
    pool_cap: int | None = 4
    d_state: int = 16
    d_conv: int = 4
    expand: int = 2
    attention: Literal["code", "figure"] = "code"
    fusion: Literal["code", "figure"] = "code"
    unused_projections: bool = False
    residual: bool = False
    uncertainty: bool = False

    def __post_init__(self) -> None:
        self._check_types()
        if len(self.branches) != len(self.channels) - 1:
            raise ValueError(
                f"{len(self.channels)} encoder stages need {len(self.channels) - 1} branch "
                f"counts (the deepest has no skip module), got {len(self.branches)}"
            )
        if self.kernel < 3 or self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd and at least 3, got {self.kernel}")
        for channels, branches in zip(self.channels, self.branches, strict=False):
            if branches and channels % branches:
                raise ValueError(f"{channels} channels do not divide into {branches} branches")

    def _check_types(self) -> None:
        """Check the types and ranges of arguments from a model file's JSON."""
        sizes: dict[str, tuple[Any, ...]] = {name: (getattr(self, name),) for name in _SIZES}
        sizes |= {"channels": self.channels}
        if self.pool_cap is not None:
            sizes["pool_cap"] = (self.pool_cap,)
        for name, values in sizes.items():
            for value in values:
                if type(value) is not int or value < 1:
                    raise ValueError(f"{name} must be whole and at least 1, got {value!r}")
        for value in self.branches:
            if type(value) is not int or value < 0:
                raise ValueError(f"branches must be whole and at least 0, got {value!r}")
        for name in ("attention", "fusion"):
            if getattr(self, name) not in ("code", "figure"):
                raise ValueError(f"{name} must be code or figure, got {getattr(self, name)!r}")
        for name in ("unused_projections", "residual", "uncertainty"):
            if type(getattr(self, name)) is not bool:
                raise ValueError(f"{name} must be true or false, got {getattr(self, name)!r}")

    @property
    def outputs(self) -> int:
        """Number of output channels: the leads, then the uncertainty of each."""
        return self.leads * (2 if self.uncertainty else 1)

    def branch_width(self, stage: int) -> int:
        """Channels d = C / N of one branch of the MF-IPM module on ``stage`` (from 0)."""
        return self.channels[stage] // self.branches[stage]

    def pooling(self, branch: int) -> int:
        """Average-pooling width w of ``branch`` (from 0): 2^n, at most ``pool_cap``."""
        width: int = 2**branch
        return width if self.pool_cap is None else min(width, self.pool_cap)

    def to_json(self) -> str:
        """Serialise as a JSON object for a model file's metadata."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Architecture:
        """The inverse of :meth:`to_json`.

        Raises:
            ValueError: the text is not a JSON object, or an argument is unknown or out of range.
        """
        try:
            arguments: dict[str, Any] = json.loads(text)
            for name in ("channels", "branches"):
                if name in arguments:
                    arguments[name] = tuple(arguments[name])
            return cls(**arguments)
        except (TypeError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError(f"not the arguments of an architecture: {error}") from error


def lengths(architecture: Architecture, samples: int) -> list[int]:
    """Length after each encoder stage for a window of ``samples``: each is ⌈previous / 2⌉."""
    if samples < 1:
        raise ValueError(f"a window needs at least 1 sample, got {samples}")
    result = []
    for _ in architecture.channels:
        samples = (samples + 1) // 2
        result.append(samples)
    return result

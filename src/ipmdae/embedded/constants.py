"""Weights of a network as constants of a C source: arrays, and tables of layers that name them.

The structs are those of ``denoiser.c``; arrays have the names of the tensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from ipmdae.architecture import Architecture

Array = NDArray[np.float32]

_LARGEST = 127


class Constants:
    """The arrays and tables of a network.

    Attributes:
        lines: C source.
        bytes: size of the arrays.
        most_columns: of all matrices.
        quantised: True for int8 weights.
    """

    def __init__(
        self, architecture: Architecture, tensors: Mapping[str, Array], *, quantised: bool
    ) -> None:
        self.quantised = quantised
        self.lines: list[str] = []
        self.bytes = self.most_columns = 0
        self._architecture, self._tensors = architecture, tensors
        stages = range(len(architecture.channels))
        encoder = [self._strided(f"encoder.{k}") for k in stages]
        modules = [self._module(k) for k in stages[:-1] if architecture.branches[k]]
        # decoder[k] makes level k, in the order opposite to that of the tensors.
        decoder = [self._transposed(f"decoder.{stages[-1] - k}") for k in stages]
        self._table("matrix encoder[LEVELS]", encoder)
        self._table("matrix decoder[LEVELS][2]", decoder)
        self._table("mf_ipm modules[]", modules)

    def array(self, name: str, values: NDArray[np.generic], ctype: str = "float") -> str:
        """Add an array, and return its name in C."""
        name = name.replace(".", "_")
        self.bytes += values.nbytes
        self.lines += [f"static const {ctype} {name}[] = {{", *_wrapped(values.ravel()), "};"]
        return name

    def _table(self, declared: str, items: Iterable[str]) -> None:
        self.lines += [f"static const {declared} = {{", *(f"    {item}," for item in items), "};"]

    def _tensor(self, name: str) -> str:
        return self.array(name, self._tensors[name])

    def _linear(self, name: str, bias: str = "0") -> str:
        tensor = self._tensors[f"{name}.weight"]
        return self._matrix(name, tensor, _step(name, tensor), bias)

    def _strided(self, name: str) -> str:
        """A convolution (out, in, kernel), with its columns by tap, then by input."""
        tensor, bias = self._tensors[f"{name}.weight"], self._tensor(f"{name}.bias")
        return self._matrix(name, tensor.swapaxes(1, 2), _step(name, tensor), bias)

    def _transposed(self, name: str) -> str:
        """A transposed convolution (in, out, kernel): a matrix for even and one for odd times.

        With t = m - (p - parity) // 2 + i, time 2 m + parity gets x_t by tap last - 2 i.
        """
        tensor, bias = self._tensors[f"{name}.weight"], self._tensor(f"{name}.bias")
        padding, step = tensor.shape[2] // 2, _step(name, tensor)
        both = []
        for parity in (0, 1):
            last = padding + parity + (padding - parity) // 2 * 2
            taps = tensor[:, :, last::-2].transpose(1, 2, 0)
            both.append(self._matrix(f"{name}.{parity}", taps, step, bias))
        return f"{{{', '.join(both)}}}"

    def _matrix(self, name: str, values: Array, step: Array, bias: str) -> str:
        """A matrix of the rows of ``values``; ``step`` has one value for each."""
        rows, columns = len(values), values[0].size
        self.most_columns = max(self.most_columns, columns)
        matrix, steps = values.reshape(rows, columns), "0"
        if self.quantised:
            steps = self.array(f"{name}.step", step)
            integers = np.rint(matrix / step.reshape(rows, 1)).astype(np.int8)
            array = self.array(f"{name}.weight", integers, "weight")
        else:
            array = self.array(f"{name}.weight", matrix, "weight")
        return f"{{{rows}, {columns}, {array}, {steps}, {bias}}}"

    def _module(self, stage: int) -> str:
        skip, count = f"skips.{stage}", self._architecture.branches[stage]
        branches = [self._branch(skip, n) for n in range(count)]
        forward, backward = (self._mamba(stage, way) for way in ("forward", "backward"))
        norm = f"{self._tensor(f'{skip}.norm.weight')}, {self._tensor(f'{skip}.norm.bias')}"
        table = f"skips_{stage}_branches"
        self._table(f"branch {table}[]", branches)
        scale = _number(self._tensors[f"{skip}.skip_scale"][0])
        width = self._architecture.branch_width(stage)
        return f"{{{count}, {width}, {norm}, {scale}, {table}, {{{forward}, {backward}}}}}"

    def _branch(self, skip: str, n: int) -> str:
        project = self._linear(f"{skip}.project.{n}")
        squeeze = self._linear(f"{skip}.attention.{n}.squeeze")
        excite = self._linear(f"{skip}.attention.{n}.excite")
        ways = []
        for way in ("forward", "backward"):
            A_log = self._tensors[f"{skip}.A_log_{way}.{n}"].astype(np.float64)
            scaled = (-np.exp(A_log) * np.log2(np.e)).astype(np.float32)
            ways.append(self.array(f"{skip}.A_{way}.{n}", scaled))
        pooling = self._architecture.pooling(n)
        return f"{{{project}, {squeeze}, {excite}, {{{', '.join(ways)}}}, {pooling}}}"

    def _mamba(self, stage: int, way: str) -> str:
        block = f"skips.{stage}.mamba_{way}"
        inputs = self._tensors[f"{block}.in_proj.weight"]
        step = _step(block, inputs)
        inner = len(inputs) // 2
        items = [
            self._matrix(f"{block}.in_u", inputs[:inner], step[:inner], "0"),
            self._matrix(f"{block}.in_z", inputs[inner:], step[inner:], "0"),
            self._linear(f"{block}.x_proj"),
            self._linear(f"{block}.dt_proj", self._tensor(f"{block}.dt_proj.bias")),
            self._linear(f"{block}.out_proj"),
            *(self._tensor(f"{block}.{name}") for name in ("conv1d.weight", "conv1d.bias", "D")),
        ]
        return f"{{{', '.join(items)}}}"


def rounded(tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors as the int8 network has them, in float32."""
    result = dict(tensors)
    for name, tensor in tensors.items():
        # The small depthwise convolutions stay as they are.
        if name.endswith(".weight") and tensor.ndim > 1 and "conv1d" not in name:
            step = _step(name, tensor)
            result[name] = (np.rint(tensor / step) * step).astype(np.float32)
    return result


def _step(name: str, tensor: Array) -> Array:
    """Step of the integers for each output channel, with the axes of the tensor."""
    output = 1 if name.startswith("decoder") else 0
    others = tuple(axis for axis in range(tensor.ndim) if axis != output)
    largest = np.abs(tensor).max(axis=others, keepdims=True)
    return np.where(largest > 0, largest / _LARGEST, 1).astype(np.float32)


def _wrapped(values: NDArray[np.generic]) -> list[str]:
    """Numbers in lines of at most 100 characters."""
    lines, line = [], "   "
    for value in values:
        number = f" {_number(value)},"
        if len(line) + len(number) > 100:
            lines.append(line)
            line = "   "
        line += number
    return [*lines, line]


def _number(value: np.generic) -> str:
    """A C literal; a float32 has as many digits as distinguish it from its neighbours."""
    if isinstance(value, np.integer):
        return str(int(value))
    return np.format_float_scientific(np.float32(value), trim="0", exp_digits=1) + "f"

"""The convolutions and projections of a network, as the native library does them.

Each is a product of rows with a matrix (native/matrix.hpp). Here is the list of them for one
window, in the order in which they are computed and with arrays of the same sizes, so that they can
be timed without the scan, norms and activations between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from ipmdae.architecture import Architecture, lengths
from ipmdae.engine.shapes import dt_rank


@dataclass(frozen=True)
class Product:
    """A matrix that rows are multiplied by.

    Attributes:
        layer: layer of the product.
        depth, columns: rows and columns of the matrix, as they are multiplied.
        macs: multiply-accumulates of one row that the network needs, padding left out.
    """

    layer: str
    depth: int
    columns: int
    macs: int


class Plan:
    """The products of a network for one window.

    Attributes:
        products: one for each matrix.
        calls: index of the product, rows, input, floats between its rows, output, floats between
            its rows; in the order in which they are computed.
        floats: memory that inputs and outputs are offsets into.
    """

    def __init__(self, architecture: Architecture, samples: int, width: int, chunk: int) -> None:
        """Lay out the arrays and list the calls.

        Args:
            architecture: architecture of the network.
            samples: length of the window.
            width: floats in a vector, to which rows are padded.
            chunk: rows that go through a Mamba block at once.
        """
        self.products: list[Product] = []
        self.calls: list[tuple[int, ...]] = []
        self.floats = 0
        self.architecture, self.chunk, self._width = architecture, chunk, width
        self._sizes = [samples, *lengths(architecture, samples)]
        self._channels = [architecture.leads, *architecture.channels]
        # The input's rows are not padded.
        self._steps = [architecture.leads, *map(self.padded, architecture.channels)]
        margin = architecture.kernel // 2
        self._levels = [
            self.take((size + 2 * margin) * step) + margin * step
            for size, step in zip(self._sizes, self._steps, strict=True)
        ]
        for stage in range(len(architecture.channels)):
            self._strided(stage)
            if stage > 0 and architecture.branches[stage - 1]:
                self._module(stage - 1)
        for stage in reversed(range(len(architecture.channels))):
            self._transposed(stage)

    def _strided(self, stage: int) -> None:
        kernel, before = self.architecture.kernel, self._channels[stage]
        after, step = self._channels[stage + 1], self._steps[stage]
        index = self.add("encoder", kernel * step, after, kernel * before * after)
        source = self._levels[stage] - kernel // 2 * step
        target = self._levels[stage + 1]
        self.call(index, self._sizes[stage + 1], source, 2 * step, target, self._steps[stage + 1])

    def _transposed(self, stage: int) -> None:
        """Even and odd samples are a product each, with taps of their own."""
        padding, inputs = self.architecture.kernel // 2, self._channels[stage + 1]
        outputs = self._channels[stage] if stage else self.architecture.outputs
        step = self._steps[stage + 1]
        target_step = self.padded(outputs)
        target = self.take(self._sizes[stage] * target_step)
        for parity in (0, 1):
            before = (padding - parity) // 2
            taps = (padding + parity + 2 * before) // 2 + 1
            index = self.add("decoder", taps * step, outputs, taps * inputs * outputs)
            rows = (self._sizes[stage] + 1 - parity) // 2
            source = self._levels[stage + 1] - before * step
            self.call(index, rows, source, step, target + parity * target_step, 2 * target_step)

    def _module(self, stage: int) -> None:
        """Projections of branches with the same pooling together, then their Mamba blocks."""
        architecture, size = self.architecture, self._sizes[stage + 1]
        channels, d = architecture.channels[stage], architecture.branch_width(stage)
        wide = self.padded(d)
        normed = self.take(size * self.padded(channels))
        forward, backward = _Block(self, stage), _Block(self, stage)
        for pooling, group in groupby(range(architecture.branches[stage]), architecture.pooling):
            count = len(list(group))
            rows, step = size // min(pooling, size), count * wide
            inputs, outputs = self.take(rows * step), self.take(rows * step)
            index = self.add("1x1", channels, step, channels * count * d)
            self.call(index, rows, normed, self.padded(channels), inputs, step)
            for branch in range(count):
                for block in (forward, backward):
                    block.run(rows, inputs + branch * wide, outputs + branch * wide, step)

    def add(self, layer: str, depth: int, columns: int, macs: int) -> int:
        """A new matrix; its index."""
        self.products.append(Product(layer, depth, columns, macs))
        return len(self.products) - 1

    def call(self, index: int, *call: int) -> None:
        """A product with a matrix: rows, input and its step, output and its step."""
        self.calls.append((index, *call))

    def take(self, floats: int) -> int:
        """The offset of a new array."""
        offset = self.floats
        self.floats += -(-floats // 16) * 16
        return offset

    def padded(self, channels: int) -> int:
        """Channels in whole vectors."""
        return -(-channels // self._width) * self._width


class _Block:
    """The four projections of a Mamba block, and its working arrays."""

    def __init__(self, plan: Plan, stage: int) -> None:
        architecture, d = plan.architecture, plan.architecture.branch_width(stage)
        inner, states, rank = architecture.expand * d, architecture.d_state, dt_rank(d)
        chosen = rank + 2 * states
        self._plan, self._wide, self._narrow = plan, plan.padded(inner), plan.padded(chosen)
        self._in = plan.add("mamba in", d, 2 * self._wide, d * 2 * inner)
        self._x = plan.add("mamba x", inner, chosen, inner * chosen)
        self._dt = plan.add("mamba dt", rank, inner, rank * inner)
        self._out = plan.add("mamba out", inner, d, inner * d)
        self._split = plan.take(plan.chunk * 2 * self._wide)
        self._selected = plan.take(plan.chunk * self._narrow)
        self._u, self._delta, self._y = (plan.take(plan.chunk * self._wide) for _ in range(3))

    def run(self, rows: int, inputs: int, outputs: int, step: int) -> None:
        call, wide, narrow = self._plan.call, self._wide, self._narrow
        for begin in range(0, rows, self._plan.chunk):
            count, at = min(self._plan.chunk, rows - begin), begin * step
            call(self._in, count, inputs + at, step, self._split, 2 * wide)
            call(self._x, count, self._u, wide, self._selected, narrow)
            call(self._dt, count, self._selected, narrow, self._delta, wide)
            call(self._out, count, self._y, wide, outputs + at, step)

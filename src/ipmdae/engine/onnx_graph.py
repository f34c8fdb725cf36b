"""Builder of an ONNX graph: nodes are added in the order of the signal, values have names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Value: TypeAlias = str
"""The name of an array in the graph: an input, a weight, a constant or what a node gives."""


class Graph:
    """Nodes and weights of a graph.

    A weight enters the graph when it is first used, under its own name and in its own shape, so
    that the weights of an exported network are named as in its model file.

    Args:
        tensors: float32 weights by name.
    """

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        self._tensors = tensors
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[Value, onnx.TensorProto] = {}

    def add(self, operator: str, *inputs: Value, **attributes: Any) -> Value:
        """Add a node of one output.

        Args:
            operator: name of an ONNX operator.
            inputs: its inputs, in order.
            attributes: its attributes.

        Returns:
            Its output.
        """
        return self.add_several(1, operator, *inputs, **attributes)[0]

    def add_several(
        self, outputs: int, operator: str, *inputs: Value, **attributes: Any
    ) -> list[Value]:
        """:meth:`add` for a node of several outputs."""
        name = f"{operator}_{len(self._nodes)}"
        values = [name] if outputs == 1 else [f"{name}_{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(operator, inputs, values, name, **attributes))
        return values

    def split(self, x: Value, sizes: Sequence[int], axis: int) -> list[Value]:
        """Cut an array along ``axis`` into chunks of ``sizes``."""
        return self.add_several(len(sizes), "Split", x, self.integers(*sizes), axis=axis)

    def weight(self, name: str) -> Value:
        """The weight ``name``."""
        return self._constant(name, self._tensors[name])

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of the weight ``name``."""
        return self._tensors[name].shape

    def integers(self, *values: int) -> Value:
        """A vector of int64, such as axes, bounds or a shape."""
        return self._constant("_".join(["integers", *map(str, values)]), np.array(values, np.int64))

    def zeros(self, *shape: int) -> Value:
        """A float32 array of zeros."""
        return self._constant("_".join(["zeros", *map(str, shape)]), np.zeros(shape, np.float32))

    def size(self, x: Value, axis: int) -> Value:
        """Extent of an array along ``axis``, known when the network runs, as a vector of one."""
        return self.add("Shape", x, start=axis, end=axis + 1)

    def vector(self, *parts: Value | int) -> Value:
        """A vector of int64 made of vectors and numbers, such as a shape known only in part."""
        pieces = [self.integers(part) if isinstance(part, int) else part for part in parts]
        return self.add("Concat", *pieces, axis=0)

    def name(self, x: Value, name: str) -> None:
        """Give an array a name that does not depend on how the graph is made."""
        self._nodes.append(helper.make_node("Identity", [x], [name], name))

    def finish(
        self,
        name: str,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
    ) -> onnx.GraphProto:
        """The graph ``name`` of all that was added, from ``inputs`` to ``outputs``."""
        return helper.make_graph(
            self._nodes, name, inputs, outputs, initializer=list(self._constants.values())
        )

    def _constant(self, name: Value, array: NDArray[Any]) -> Value:
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name


def array(name: Value, *shape: int | str) -> onnx.ValueInfoProto:
    """Declare an input or output: a float32 array, whose sizes are numbers, or names if unknown."""
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)

"""Working memory of the exported C network: which times of each level it holds, and where.

Level k is the output of the encoder's stage k - 1, level 0 the input; C arrays are float32. The
source ``denoiser.c`` describes the order of the computation.
"""

from __future__ import annotations

from dataclasses import dataclass

from ipmdae.architecture import Architecture, lengths
from ipmdae.engine.shapes import dt_rank

CHUNK = 256
"""Samples that are encoded or decoded at once."""

ROWS = 8
"""Times that a Mamba block takes at once."""


@dataclass(frozen=True)
class Memory:
    """Offsets in floats.

    Attributes:
        whole: first level that is held for the whole window.
        levels: offset of each level, 0 to the deepest.
        decoded: offset of each level where the decoder makes it, 0 for those before ``whole``.
        scratch: offset of the working arrays of a module.
        total: size of the working memory.
    """

    whole: int
    levels: list[int]
    decoded: list[int]
    scratch: int
    total: int


def plan(architecture: Architecture, window: int, wanted: int) -> Memory:
    """Plan the memory for windows of ``window`` samples with output for ``wanted`` of them.

    Raises:
        ValueError: a stage without module follows one with a module, or no stage has one.
    """
    stages = len(architecture.channels)
    plain = architecture.branches.count(0)
    if any(architecture.branches[:plain]) or plain == len(architecture.branches):
        raise ValueError(
            f"C needs the modules on the deepest stages, got branches {architecture.branches}"
        )
    whole, widths = plain + 1, (1, *architecture.channels)
    sizes = [window, *lengths(architecture, window)]
    chunk = _chunk_sizes(architecture.kernel, whole)
    output = _decoded_sizes(architecture, whole, sizes, wanted)
    chunk[0] = max(chunk[0], architecture.outputs * CHUNK)
    levels, decoded, used = [0] * (stages + 1), [0] * stages, 0
    for k in range(whole, stages + 1):
        levels[k] = used
        used += (output[k] if k == stages else sizes[k]) * widths[k]
    for k in range(whole, stages):
        decoded[k] = used
        used += output[k] * widths[k]
    scratch = used
    for k in range(whole):
        levels[k] = used
        used += chunk[k] * widths[k]
    used = max(used, scratch + max(_scratch(architecture, k - 1) for k in range(whole, stages)))
    return Memory(whole, levels, decoded, scratch, max(used, window))


def _chunk_sizes(kernel: int, whole: int) -> list[int]:
    """Most times of the levels before ``whole`` that a chunk needs."""
    decoding = [CHUNK]
    for _ in range(1, whole):
        decoding.append(_narrow(decoding[-1], kernel))
    sizes = [_widen(max(CHUNK >> whole, 1), kernel)]
    sizes[0] = max(sizes[0], decoding[-1])
    for _ in range(1, whole):
        sizes.insert(0, _widen(sizes[0], kernel))
    return sizes


def _decoded_sizes(
    architecture: Architecture, whole: int, sizes: list[int], wanted: int
) -> list[int]:
    """Most times of each level that the decoder needs for ``wanted`` samples."""
    result = [wanted]
    for k in range(1, len(sizes)):
        needed = _narrow(result[-1], architecture.kernel)
        if whole <= k < len(sizes) - 1:
            needed += widest_pooling(architecture) - 1  # begins at a multiple of it
        result.append(min(needed, sizes[k]))
    return result


def _narrow(size: int, kernel: int) -> int:
    """Most times of the next level that a transposed convolution reads for ``size`` times."""
    return (size + kernel - 1) // 2 + 1


def _widen(size: int, kernel: int) -> int:
    """Times of the level before that a strided convolution reads for ``size`` times."""
    return 2 * (size - 1) + kernel


def _scratch(architecture: Architecture, stage: int) -> int:
    """Working arrays of the module on a stage, as its functions in C use them."""
    channels, branches = architecture.channels[stage], architecture.branches[stage]
    width = architecture.branch_width(stage)
    inner, states = architecture.expand * width, architecture.d_state
    mamba = (architecture.d_conv - 1 + 4 * ROWS + states) * inner
    mamba += ROWS * (dt_rank(width) + 2 * states)
    attention = branches * width + 4 * width + branches
    return max(2 * widest_pooling(architecture) * channels, channels + max(mamba, attention))


def widest_pooling(architecture: Architecture) -> int:
    """Largest pooling width of all branches."""
    return architecture.pooling(max(architecture.branches) - 1)

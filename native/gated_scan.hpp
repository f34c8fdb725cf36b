// The scan as a Mamba block runs it, with delta = softplus(s) and the output gated by silu(z):
//
//     out_t = y_t silu(z_t)        dy_t = dout_t silu(z_t)        dz_t = dout_t y_t silu'(z_t)
//                                  ds_t = ddelta_t sigmoid(s_t)
//
// An item's arrays are passed over once more for it, while they are in the cache.
#pragma once

#include "activation.hpp"
#include "scan_backward.hpp"

namespace {

using ipmdae::Gate;

void gated_forward(const ScanItem& item, const Gate& gate, int index, float* state, float* y,
                   float* out, float* scratch) {
    const Block block = block_of(item, index);
    const std::ptrdiff_t d = item.channels;
    ScanItem scan = item;
    scan.delta = out;  // until y is gated
    with_block(block, [&](auto full) {
        constexpr bool Full = decltype(full)::value;
        for (std::ptrdiff_t t = 0, at = block.first; t < item.length; ++t, at += d)
            store<Full>(out + at, softplus(load<Full>(item.delta + at, block.lanes)), block.lanes);
        forward(scan, index, state, y, scratch);
        const float* z = gate.z + block.first;
        for (std::ptrdiff_t t = 0, at = block.first; t < item.length; ++t, at += d, z += gate.row)
            store<Full>(out + at,
                        load<Full>(y + at, block.lanes) * silu(load<Full>(z, block.lanes)),
                        block.lanes);
    });
}

// Floats of an item's array, to whole vectors.
inline std::size_t array_size(const ScanItem& item) {
    const std::size_t floats = std::size_t(item.length) * item.channels;
    return (floats + kWidth - 1) / kWidth * kWidth;
}

std::size_t gated_backward_scratch(const ScanItem& item) {
    return 2 * array_size(item) + backward_scratch(item);
}

void gated_backward(const ScanItem& item, const Gate& gate, const float* y, const float* dout,
                    const ScanGradients& gradients, float* dz, float* scratch) {
    const std::ptrdiff_t d = item.channels;
    float* delta = scratch;
    float* dy = delta + array_size(item);
    ScanItem scan = item;
    scan.delta = delta;
    for_blocks(item.channels, [&](int index, auto full) {
        constexpr bool Full = decltype(full)::value;
        const Block block = block_of(item, index);
        const float* z_t = gate.z + block.first;
        for (std::ptrdiff_t t = 0, at = block.first; t < item.length; ++t, at += d, z_t += gate.row) {
            const Vec z = load<Full>(z_t, block.lanes);
            const Vec dout_t = load<Full>(dout + at, block.lanes);
            const Vec y_t = load<Full>(y + at, block.lanes);
            store<Full>(delta + at, softplus(load<Full>(item.delta + at, block.lanes)), block.lanes);
            store<Full>(dy + at, dout_t * silu(z), block.lanes);
            store<Full>(dz + at, dout_t * y_t * silu_slope(z), block.lanes);
        }
    });
    backward(scan, dy, gradients, dy + array_size(item));
    for_blocks(item.channels, [&](int index, auto full) {
        constexpr bool Full = decltype(full)::value;
        const Block block = block_of(item, index);
        for (std::ptrdiff_t t = 0, at = block.first; t < item.length; ++t, at += d) {
            const Vec slope = sigmoid(load<Full>(item.delta + at, block.lanes));
            store<Full>(gradients.delta + at,
                        load<Full>(gradients.delta + at, block.lanes) * slope, block.lanes);
        }
    });
}

}  // namespace

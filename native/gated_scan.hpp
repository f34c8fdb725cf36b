// The scan as a Mamba block runs it, with delta = softplus(s) and the output gated by silu(z):
//
//     out_t = y_t silu(z_t)        dy_t = dout_t silu(z_t)        dz_t = dout_t y_t silu'(z_t)
//                                  ds_t = ddelta_t sigmoid(s_t)
//
// An item's arrays are passed over once more for it, while they are in the cache.
#pragma once

#include <cstring>

#include "activation.hpp"
#include "scan_backward.hpp"

namespace {

using ipmdae::Gate;

// Floats of an item's array, to whole vectors.
inline std::size_t array_size(const ScanItem& item) {
    const std::size_t floats = std::size_t(item.length) * item.channels;
    return (floats + kWidth - 1) / kWidth * kWidth;
}

std::size_t gated_scratch(const ScanItem& item) {
    return 2 * array_size(item) + backward_scratch(item);
}

// The scan of an item whose delta, softplus(s), is written to `delta`.
ScanItem with_delta(const ScanItem& item, float* delta) {
    for_rows(item, [&](std::ptrdiff_t t, int index, auto full) {
        constexpr bool Full = decltype(full)::value;
        const Block block = block_of(item, index);
        const std::ptrdiff_t at = t * item.channels + block.first;
        store<Full>(delta + at, softplus(load<Full>(item.delta + at, block.lanes)), block.lanes);
    });
    ScanItem scan = item;
    scan.delta = delta;
    return scan;
}

void gated_forward(const ScanItem& item, const Gate& gate, float* y, float* out, float* scratch) {
    const std::size_t state_size = std::size_t{1} * item.channels * item.states;
    const ScanItem scan = with_delta(item, out);  // out holds delta until y is gated
    std::memset(scratch, 0, state_size * sizeof(float));
    for (int index = 0; index < block_count(item.channels); ++index)
        forward(scan, index, scratch, y, scratch + (state_size + kWidth - 1) / kWidth * kWidth);
    for_rows(item, [&](std::ptrdiff_t t, int index, auto full) {
        constexpr bool Full = decltype(full)::value;
        const Block block = block_of(item, index);
        const std::ptrdiff_t at = t * item.channels + block.first;
        const Vec z = load<Full>(gate.z + t * gate.row + block.first, block.lanes);
        store<Full>(out + at, load<Full>(y + at, block.lanes) * silu(z), block.lanes);
    });
}

void gated_backward(const ScanItem& item, const Gate& gate, const float* y, const float* dout,
                    const ScanGradients& gradients, float* dz, float* scratch) {
    float* dy = scratch + array_size(item);
    const ScanItem scan = with_delta(item, scratch);
    for_rows(item, [&](std::ptrdiff_t t, int index, auto full) {
        constexpr bool Full = decltype(full)::value;
        const Block block = block_of(item, index);
        const std::ptrdiff_t at = t * item.channels + block.first;
        const Vec z = load<Full>(gate.z + t * gate.row + block.first, block.lanes);
        const Vec dout_t = load<Full>(dout + at, block.lanes);
        const Vec y_t = load<Full>(y + at, block.lanes);
        store<Full>(dy + at, dout_t * silu(z), block.lanes);
        store<Full>(dz + at, dout_t * y_t * silu_slope(z), block.lanes);
    });
    backward(scan, dy, gradients, dy + array_size(item));
    for_rows(item, [&](std::ptrdiff_t t, int index, auto full) {
        constexpr bool Full = decltype(full)::value;
        const Block block = block_of(item, index);
        const std::ptrdiff_t at = t * item.channels + block.first;
        const Vec slope = sigmoid(load<Full>(item.delta + at, block.lanes));
        const Vec ddelta = load<Full>(gradients.delta + at, block.lanes);
        store<Full>(gradients.delta + at, ddelta * slope, block.lanes);
    });
}

}  // namespace

// Causal convolution of each channel by itself and SiLU, as in a Mamba block, and its gradients:
//
//     a_t  = b + sum over j of w_j u_{t + j - (k - 1)}     y_t  = silu(a_t)
//     g_t  = dy_t silu'(a_t)                               db   = sum over t of g_t
//     du_t = sum over j of w_j g_{t + (k - 1) - j}         dw_j = sum over t of g_{t + (k-1) - j} u_t
#pragma once

#include "activation.hpp"
#include "scan_forward.hpp"

namespace {

using ipmdae::ConvolutionGradients;
using ipmdae::ConvolutionItem;

// The working memory of one item, cut from the caller's scratch.
struct ConvolutionMemory {
    Vec* weight;   // (blocks, taps)
    Vec* dweight;  // (blocks, taps)
    Vec* dbias;    // (blocks,)
    Vec* g;        // (length + taps - 1, blocks), zeros after the end
    std::size_t vectors;

    ConvolutionMemory(const ConvolutionItem& item, float* scratch) {
        const std::size_t blocks = block_count(item.channels);
        weight = reinterpret_cast<Vec*>(scratch);
        dweight = weight + blocks * item.taps;
        dbias = dweight + blocks * item.taps;
        g = dbias + blocks;
        vectors = blocks * (std::size_t(item.length) + 3 * item.taps);
    }
};

std::size_t convolution_scratch(const ConvolutionItem& item) {
    return ConvolutionMemory(item, nullptr).vectors * kWidth;
}

void gather_weights(const ConvolutionItem& item, const ConvolutionMemory& memory) {
    for (int index = 0; index < block_count(item.channels); ++index)
        gather(item.weight, block_of(item, index), item.taps, 1.0f,
               memory.weight + index * item.taps);
}

template <bool Full>
Vec convolved(const ConvolutionItem& item, const Block& block, const Vec* weight,
              std::ptrdiff_t t) {
    const std::ptrdiff_t start = t - (item.taps - 1);
    const float* u = item.u + start * item.row + block.first;
    Vec a = load<Full>(item.bias + block.first, block.lanes);
    for (int j = start < 0 ? int(-start) : 0; j < item.taps; ++j)
        a += weight[j] * load<Full>(u + j * item.row, block.lanes);
    return a;
}

void convolve(const ConvolutionItem& item, float* y, float* scratch) {
    const ConvolutionMemory memory(item, scratch);
    gather_weights(item, memory);
    for_rows(item, [&](std::ptrdiff_t t, int index, auto full) {
        constexpr bool Full = decltype(full)::value;
        const Block block = block_of(item, index);
        const Vec a = convolved<Full>(item, block, memory.weight + index * item.taps, t);
        store<Full>(y + t * item.channels + block.first, silu(a), block.lanes);
    });
}

void convolve_backward(const ConvolutionItem& item, const float* dy,
                       const ConvolutionGradients& gradients, float* scratch) {
    const ConvolutionMemory memory(item, scratch);
    const int taps = item.taps, blocks = block_count(item.channels);
    gather_weights(item, memory);
    clear(memory.dweight, std::size_t{1} * blocks * (taps + 1));
    clear(memory.g + item.length * blocks, std::size_t{1} * blocks * (taps - 1));
    for_rows(item, [&](std::ptrdiff_t t, int index, auto full) {
        constexpr bool Full = decltype(full)::value;
        const Block block = block_of(item, index);
        const Vec a = convolved<Full>(item, block, memory.weight + index * taps, t);
        const Vec dy_t = load<Full>(dy + t * item.channels + block.first, block.lanes);
        memory.dbias[index] += memory.g[t * blocks + index] = dy_t * silu_slope(a);
    });
    for_rows(item, [&](std::ptrdiff_t t, int index, auto full) {
        constexpr bool Full = decltype(full)::value;
        const Block block = block_of(item, index);
        const Vec u = load<Full>(item.u + t * item.row + block.first, block.lanes);
        const Vec* g = memory.g + (t + taps - 1) * blocks + index;
        Vec du{};
        for (int j = 0; j < taps; ++j, g -= blocks) {
            du += memory.weight[index * taps + j] * *g;
            memory.dweight[index * taps + j] += *g * u;
        }
        store<Full>(gradients.u + t * item.channels + block.first, du, block.lanes);
    });
    for_blocks(item.channels, [&](int index, auto full) {
        const Block block = block_of(item, index);
        scatter(memory.dweight + index * taps, block, taps, gradients.weight);
        store<decltype(full)::value>(gradients.bias + block.first, memory.dbias[index],
                                     block.lanes);
    });
}

}  // namespace

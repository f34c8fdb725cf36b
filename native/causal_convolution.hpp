// Causal convolution of each channel by itself and SiLU, as in a Mamba block, and its gradients:
//
//     a_t  = b + sum over j of w_j u_{t + j - (k - 1)}         y_t  = silu(a_t)
//     g_t  = dy_t silu'(a_t)                                   db   = sum over t of g_t
//     du_t = sum over j of w_j g_{t + (k - 1) - j}             dw_j = sum over t of g_{t + (k - 1) - j} u_t
#pragma once

#include "activation.hpp"
#include "scan_forward.hpp"

namespace {

using ipmdae::ConvolutionGradients;
using ipmdae::ConvolutionItem;

// Backward: the weights, their gradients, and g with its zeros after the end. Forward: less.
std::size_t convolution_scratch(const ConvolutionItem& item) {
    return (std::size_t(item.length) + std::size_t{3} * item.taps) * kWidth;
}

template <bool Full>
Vec convolved(const ConvolutionItem& item, const Block& block, const Vec* weight, Vec bias,
              std::ptrdiff_t t) {
    const std::ptrdiff_t start = t - (item.taps - 1);
    const float* u = item.u + start * item.row + block.first;
    for (int j = start < 0 ? int(-start) : 0; j < item.taps; ++j)
        bias += weight[j] * load<Full>(u + j * item.row, block.lanes);
    return bias;
}

void convolve(const ConvolutionItem& item, int index, float* y, float* scratch) {
    const Block block = block_of(item, index);
    Vec* weight = reinterpret_cast<Vec*>(scratch);
    gather(item.weight, block, item.taps, 1.0f, weight);
    with_block(block, [&](auto full) {
        constexpr bool Full = decltype(full)::value;
        const Vec bias = load<Full>(item.bias + block.first, block.lanes);
        for (std::ptrdiff_t t = 0; t < item.length; ++t)
            store<Full>(y + t * item.channels + block.first,
                        silu(convolved<Full>(item, block, weight, bias, t)), block.lanes);
    });
}

void convolve_backward(const ConvolutionItem& item, int index, const float* dy,
                       const ConvolutionGradients& gradients, float* scratch) {
    const Block block = block_of(item, index);
    Vec* weight = reinterpret_cast<Vec*>(scratch);
    Vec* dweight = weight + item.taps;
    Vec* g = dweight + item.taps;
    gather(item.weight, block, item.taps, 1.0f, weight);
    clear(dweight, item.taps);
    clear(g + item.length, item.taps - 1);
    with_block(block, [&](auto full) {
        constexpr bool Full = decltype(full)::value;
        const Vec bias = load<Full>(item.bias + block.first, block.lanes);
        Vec dbias{};
        for (std::ptrdiff_t t = 0; t < item.length; ++t) {
            const Vec a = convolved<Full>(item, block, weight, bias, t);
            g[t] = silu_slope(a) * load<Full>(dy + t * item.channels + block.first, block.lanes);
            dbias += g[t];
        }
        for (std::ptrdiff_t t = 0; t < item.length; ++t) {
            const Vec u = load<Full>(item.u + t * item.row + block.first, block.lanes);
            Vec du{};
            for (int j = 0; j < item.taps; ++j) {
                const Vec after = g[t + item.taps - 1 - j];
                du += weight[j] * after;
                dweight[j] += after * u;
            }
            store<Full>(gradients.u + t * item.channels + block.first, du, block.lanes);
        }
        store<Full>(gradients.bias + block.first, dbias, block.lanes);
    });
    scatter(dweight, block, item.taps, gradients.weight);
}

}  // namespace

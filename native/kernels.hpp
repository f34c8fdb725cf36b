// Functions of one instruction set: the scan and the convolution of one item of a batch, forward and
// backward, and whole networks.
#pragma once

#include <cstddef>

#include "architecture.hpp"

namespace ipmdae {

// One item of a batch. Row-major, time first; `channels` is d, `states` is n below.
struct ScanItem {
    std::ptrdiff_t length;
    int channels;
    int states;
    std::ptrdiff_t row;  // from one time of B to the next, and of C; n where they are contiguous
    const float* u;      // (length, d)
    const float* delta;  // (length, d), >= 0
    const float* A;      // (d, n), <= 0
    const float* B;      // (length, n), rows `row` apart
    const float* C;      // (length, n), rows `row` apart
    const float* D;      // (d,)
};

struct ScanGradients {
    float* u;      // (length, d)
    float* delta;  // (length, d)
    float* A;      // (d, n), of this item alone
    float* B;      // (length, n)
    float* C;      // (length, n)
    float* D;      // (d,), of this item alone
};

// What the output of a scan is multiplied with, silu(z).
struct Gate {
    std::ptrdiff_t row;  // from one time of z to the next
    const float* z;      // (length, d), rows `row` apart
};

// One item of a batch, for the causal convolution of each channel by itself.
struct ConvolutionItem {
    std::ptrdiff_t length;
    int channels;
    int taps;
    std::ptrdiff_t row;   // from one time of u to the next
    const float* u;       // (length, d), rows `row` apart
    const float* weight;  // (d, taps)
    const float* bias;    // (d,)
};

struct ConvolutionGradients {
    float* u;       // (length, d)
    float* weight;  // (d, taps), of this item alone
    float* bias;    // (d,), of this item alone
};

struct Kernels {
    const char* name;
    int width;  // channels handled at once

    // Channels [width * block, width * (block + 1)) of y; `state` (d, n) is read and replaced.
    // `scratch` holds forward_scratch(n) floats, aligned to 64 bytes.
    void (*forward)(const ScanItem& item, int block, float* state, float* y, float* scratch);
    std::size_t (*forward_scratch)(int states);

    // All gradients of an item, for a scan that starts at the state zero.
    // `scratch` holds backward_scratch(item) floats, aligned to 64 bytes.
    void (*backward)(const ScanItem& item, const float* dy, const ScanGradients& gradients,
                     float* scratch);
    std::size_t (*backward_scratch)(const ScanItem& item);

    // An item's scan from the state zero with delta = softplus of what the item holds, and `out` =
    // y silu(z), and its gradients. `scratch` holds gated_scratch(item) floats for both.
    void (*gated_forward)(const ScanItem& item, const Gate& gate, float* y, float* out,
                          float* scratch);
    void (*gated_backward)(const ScanItem& item, const Gate& gate, const float* y,
                           const float* dout, const ScanGradients& gradients, float* dz,
                           float* scratch);
    std::size_t (*gated_scratch)(const ScanItem& item);

    // y = silu(convolution) of an item, and its gradients.
    // `scratch` holds convolution_scratch(item) floats for both.
    void (*convolve)(const ConvolutionItem& item, float* y, float* scratch);
    void (*convolve_backward)(const ConvolutionItem& item, const float* dy,
                              const ConvolutionGradients& gradients, float* scratch);
    std::size_t (*convolution_scratch)(const ConvolutionItem& item);

    // A network from the tensors of `architecture`, in Python's order; std::bad_alloc where memory
    // does not suffice.
    Network* (*open_network)(const Architecture& architecture, const float* const* tensors);

    // y = e^x, for the tests of its error bound.
    void (*exp)(const float* x, float* y, std::ptrdiff_t count);
};

// The widest that this processor runs, or the one called `name`; null where it cannot run that.
const Kernels* find_kernels(const char* name);

}  // namespace ipmdae

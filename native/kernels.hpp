// Functions of one instruction set: the scan of one item of a batch, forward and backward, and
// whole networks.
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

    // A network from the tensors of `architecture`, in Python's order; std::bad_alloc where memory
    // does not suffice.
    Network* (*open_network)(const Architecture& architecture, const float* const* tensors);

    // y = e^x, for the tests of its error bound.
    void (*exp)(const float* x, float* y, std::ptrdiff_t count);
};

// The widest that this processor runs, or the one called `name`; null where it cannot run that.
const Kernels* find_kernels(const char* name);

}  // namespace ipmdae

// Architecture of a network, and its implementation per instruction set.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace ipmdae {

constexpr int kMostStages = 32;

// The arguments of a network; see Architecture in Python.
struct Architecture {
    int leads, kernel, d_state, d_conv, expand;
    int pool_cap;  // 0: no cap
    bool attention_of_sum;  // f(mean + max) instead of f(mean) + f(max)
    bool fusion_projected;  // softmax(Q K^T) V instead of softmax(M M^T) M
    bool fusion_weights;    // the tensors hold maps to Q, K and V, used or not
    bool residual;          // the decoder gives the noise, the network x less that
    bool uncertainty;       // a second output for each lead: the log of its error's deviation
    int stages;
    std::array<int, kMostStages> channels;  // of each encoder stage
    std::array<int, kMostStages> branches;  // of each stage but the deepest; 0: no module, plain

    int outputs() const { return uncertainty ? 2 * leads : leads; }
    int branch_width(int stage) const { return channels[stage] / branches[stage]; }
    int inner_width(int stage) const { return expand * branch_width(stage); }
    int dt_rank(int stage) const { return (branch_width(stage) + 15) / 16; }
    int pooling(int branch) const {
        const int width = 1 << std::min(branch, 30);
        return pool_cap > 0 ? std::min(width, pool_cap) : width;
    }
};

// A network packed for one instruction set. Any number of threads may run it at once.
class Network {
public:
    virtual ~Network();

    // Floats of working memory for one window of so many samples.
    virtual std::uint64_t workspace(std::ptrdiff_t samples) const = 0;

    // y (samples, outputs) of x (samples, leads). `memory` is aligned to 64 bytes.
    virtual void run(const float* x, float* y, std::ptrdiff_t samples, float* memory) const = 0;
};

}  // namespace ipmdae

// Importance of channels and branches, from each branch's mean and maximum over time:
//
//     M_n = f(mean) + f(max), or f(mean + max);    f(x) = W_2 relu(W_1 x)
//     M^ = softmax(M M^T) M,  or softmax(Q K^T) V  with Q, K, V linear maps of M
//
// M is (N, d), a row a branch, padded.
#pragma once

#include <cmath>

#include "matrix.hpp"

namespace {

class ChannelAttention {
public:
    ChannelAttention() = default;
    [[gnu::cold]] ChannelAttention(Tensors& tensors, int width, bool of_sum) : of_sum_(of_sum) {
        squeeze_ = projection(tensors.next(), width, width);
        excite_ = projection(tensors.next(), width, width);
    }

    static std::size_t scratch(int width) { return 2 * std::size_t(padded(width)); }

    // M_n; `mean` and `peak` are adjacent rows, and `peak` may be overwritten.
    void run(float* mean, float* peak, float* importance, float* scratch) const {
        const std::ptrdiff_t step = squeeze_.columns();
        if (of_sum_)
            for (int c = 0; c < step; ++c) mean[c] += peak[c];
        const int rows = of_sum_ ? 1 : 2;
        squeeze_.multiply(rows, {mean, peak - mean}, {scratch, step}, {true});
        excite_.multiply(1, {scratch, step}, {importance, step});
        if (!of_sum_)
            excite_.multiply(1, {scratch + step, step}, {importance, step}, {false, true});
    }

private:
    bool of_sum_ = false;
    Matrix squeeze_, excite_;
};

inline float dot(const float* a, const float* b, int channels) {
    Vec sum{};
    for (int c = 0; c < channels; c += kWidth)
        sum += load<true>(a + c, kWidth) * load<true>(b + c, kWidth);
    return sum_lanes(sum);
}

// x = exp(x) / sum of exp(x)
inline void softmax(float* x, int count) {
    float highest = x[0], sum = 0.0f;
    for (int i = 1; i < count; ++i) highest = x[i] > highest ? x[i] : highest;
    for (int i = 0; i < count; ++i) sum += x[i] = std::exp(x[i] - highest);
    for (int i = 0; i < count; ++i) x[i] /= sum;
}

class Fusion {
public:
    Fusion() = default;
    // The maps are read where the network has them, and used where `projected`.
    [[gnu::cold]] Fusion(Tensors& tensors, int width, bool has_maps, bool projected)
        : projected_(projected) {
        if (!has_maps) return;
        for (Matrix& map : maps_) map = projection(tensors.next(), width, width);
    }

    static std::size_t scratch(int branches, int width) {
        return 3 * std::size_t(branches) * padded(width) + branches;
    }

    // M^ of M, (branches, width) padded to `step` channels.
    void run(const float* M, float* fused, int branches, int step, float* scratch) const {
        const std::size_t size = std::size_t(branches) * step;
        const float* roles[3] = {M, M, M};
        for (int i = 0; projected_ && i < 3; ++i) {
            maps_[i].multiply(branches, {M, step}, {scratch + i * size, step});
            roles[i] = scratch + i * size;
        }
        const auto [query, key, value] = roles;
        float* weights = scratch + 3 * size;
        for (int n = 0; n < branches; ++n) {
            for (int m = 0; m < branches; ++m)
                weights[m] = dot(query + std::size_t(n) * step, key + std::size_t(m) * step, step);
            softmax(weights, branches);
            for (int c = 0; c < step; c += kWidth) {
                Vec sum{};
                for (int m = 0; m < branches; ++m)
                    sum += weights[m] * load<true>(value + std::size_t(m) * step + c, kWidth);
                store<true>(fused + std::size_t(n) * step + c, sum, kWidth);
            }
        }
    }

private:
    bool projected_ = false;
    Matrix maps_[3];
};

}  // namespace

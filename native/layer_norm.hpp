// Layer normalisation (Ba, Kiros and Hinton, 2016) over the C channels of one time:
//
//     y = (x - mean) / sqrt(variance + eps) · w + b
#pragma once

#include <cmath>

#include "memory.hpp"

namespace {

class LayerNorm {
public:
    LayerNorm() = default;
    [[gnu::cold]] LayerNorm(Tensors& tensors, int channels)
        : vectors_(vectors_for(channels)), share_(1.0f / float(channels)),
          inside_(padded(channels)), weight_(tensors.next(), channels),
          bias_(tensors.next(), channels) {
        for (int c = 0; c < channels; ++c) inside_[c] = 1.0f;
    }

    // One row of padded channels; what the padding of x holds, if finite, has no effect, and that
    // of y is 0. x and y may be the same.
    void run(const float* x, float* y) const {
        constexpr float kEpsilon = 1e-5f;
        const Vec* in = reinterpret_cast<const Vec*>(x);
        Vec* out = reinterpret_cast<Vec*>(y);
        const Vec *inside = inside_.vectors(), *weight = weight_.vectors(), *bias = bias_.vectors();
        Vec sum{}, squares{};
        for (int v = 0; v < vectors_; ++v) sum += in[v] * inside[v];
        const float mean = sum_lanes(sum) * share_;
        for (int v = 0; v < vectors_; ++v) {
            const Vec centred = (in[v] - mean) * inside[v];
            squares += centred * centred;
        }
        const float scale = 1.0f / std::sqrt(sum_lanes(squares) * share_ + kEpsilon);
        for (int v = 0; v < vectors_; ++v) out[v] = (in[v] - mean) * scale * weight[v] + bias[v];
    }

private:
    int vectors_ = 0;
    float share_ = 0.0f;             // of a channel in a mean
    Floats inside_, weight_, bias_;  // inside: 1, and 0 in the padding
};

}  // namespace

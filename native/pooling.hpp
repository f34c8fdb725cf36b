// Summaries in time. Rows are whole vectors of channels.
#pragma once

#include "matrix.hpp"

namespace {

// y_t = mean of x_{wt} ... x_{wt + w - 1} for `count` times t; a remainder of x is dropped.
inline void average_pool(const float* x, float* y, std::ptrdiff_t count, int width, int channels) {
    const Vec* in = reinterpret_cast<const Vec*>(x);
    Vec* out = reinterpret_cast<Vec*>(y);
    const int vectors = channels / kWidth;
    const float share = 1.0f / float(width);
    for (std::ptrdiff_t t = 0; t < count; ++t, in += std::ptrdiff_t(width) * vectors)
        for (int v = 0; v < vectors; ++v) {
            Vec sum = in[v];
            for (int i = 1; i < width; ++i) sum += in[std::ptrdiff_t(i) * vectors + v];
            *out++ = sum * share;
        }
}

// Mean and maximum over all times of the channels of x; a NaN makes the mean NaN.
inline void summarise(Inputs x, std::ptrdiff_t count, int channels, float* mean, float* peak) {
    for (int c = 0; c < channels; c += kWidth) {
        const Vec first = load<true>(x.first + c, kWidth);
        Vec sum = first, highest = first;
        for (std::ptrdiff_t t = 1; t < count; ++t) {
            const Vec value = load<true>(x.from(t).first + c, kWidth);
            sum += value;
            highest = value > highest ? value : highest;
        }
        store<true>(mean + c, sum / float(count), kWidth);
        store<true>(peak + c, highest, kWidth);
    }
}

}  // namespace

// Activations of vectors; a NaN stays one. (relu is part of the products, in matrix.hpp.)
#pragma once

#include "simd.hpp"

namespace {

// 1 + e^-x, or 1 + 2^126 where that is larger.
inline Vec one_plus_decay(Vec x) {
    const Vec exponent = x * -kLog2E;
    const Vec highest = Vec{} + 126.0f;
    return 1.0f + exp2(exponent > highest ? highest : exponent);
}

inline Vec sigmoid(Vec x) { return 1.0f / one_plus_decay(x); }

inline Vec silu(Vec x) { return x / one_plus_decay(x); }

inline Vec silu_slope(Vec x) {
    const Vec s = sigmoid(x);
    return s * (1.0f + x * (1.0f - s));
}

// log(1 + e) for 0 <= e <= 1, as e times a polynomial of degree 8, 1 at e = 0, fitted for the least
// largest relative error (3.3e-8; 1.8e-7 with the rounding of its evaluation).
inline Vec log_one_plus(Vec e) {
    Vec ratio = e * 0.005364829877470392f - 0.030065813807100977f;
    ratio = ratio * e + 0.07920456930891585f;
    ratio = ratio * e - 0.13753805077659784f;
    ratio = ratio * e + 0.19153656156097842f;
    ratio = ratio * e - 0.2485716395532991f;
    ratio = ratio * e + 0.33321322650063023f;
    ratio = ratio * e - 0.4999964796466904f;
    return (ratio * e + 1.0f) * e;
}

// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), where nothing overflows.
inline Vec softplus(Vec x) {
    const Vec positive = x < 0.0f ? Vec{} : x;
    const Vec magnitude = x < 0.0f ? -x : x;
    return positive + log_one_plus(exp2(magnitude * -kLog2E));
}

}  // namespace

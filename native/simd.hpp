// Vectors of kWidth floats, as wide as the flags this file is compiled with allow.
//
// GCC and Clang share the vector extension used here: arithmetic between vectors, between a vector
// and a scalar, and lane-wise selection by a comparison. Everything is in an unnamed namespace,
// so that the copies compiled for several instruction sets never merge at link time.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr int kWidth = 16;
#elif defined(__AVX2__)
constexpr int kWidth = 8;
#else
constexpr int kWidth = 4;
#endif

typedef float Vec __attribute__((vector_size(kWidth * 4), may_alias));
typedef float UnalignedVec __attribute__((vector_size(kWidth * 4), aligned(4), may_alias));
typedef std::int32_t IntVec __attribute__((vector_size(kWidth * 4), may_alias));

// Reads kWidth floats, or the first `lanes` of them followed by zeros when not Full.
template <bool Full>
inline Vec load(const float* from, int lanes) {
    if constexpr (Full) return *reinterpret_cast<const UnalignedVec*>(from);
    Vec result{};
    for (int i = 0; i < lanes; ++i) result[i] = from[i];
    return result;
}

template <bool Full>
inline void store(float* to, Vec value, int lanes) {
    if constexpr (Full) {
        *reinterpret_cast<UnalignedVec*>(to) = value;
    } else {
        for (int i = 0; i < lanes; ++i) to[i] = value[i];
    }
}

// The sum of all lanes: those at a distance of four first, in a fixed order.
inline float sum_lanes(const Vec& value) {
    typedef float Quad __attribute__((vector_size(16), may_alias));
    const Quad* quads = reinterpret_cast<const Quad*>(&value);
    Quad sum = quads[0];
    for (int i = 1; i < kWidth / 4; ++i) sum += quads[i];
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

constexpr float kLog2E = 1.44269504088896340736f;
constexpr float kLn2 = 0.69314718055994530942f;

// 2^f for |f| <= 1/2: a polynomial of degree 5 through 1 at f = 0, fitted for the least largest
// relative error (9.2e-8; 1.7e-7 with the rounding of its evaluation).
inline Vec exp2_fraction(Vec f) {
    Vec power = f * 0.0013264727490263928f + 0.009671512641763682f;
    power = power * f + 0.055507337423078194f;
    power = power * f + 0.24022242085357742f;
    power = power * f + 0.6931469775997527f;
    return power * f + 1.0f;
}

// 2^x for x <= 127, as 2^k 2^f with k the integer nearest to x, so that f = x - k is exact.
// 2^0 is exactly 1, and what is below the normal numbers ends in 0.
#if defined(__AVX512F__)
inline Vec exp2(Vec x) {
    constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    const Vec k = _mm512_roundscale_ps(x, kNearest);
    const Vec f = _mm512_reduce_ps(x, kNearest);  // x - k, or 0 for an infinite x
    return _mm512_scalef_ps(exp2_fraction(f), k);
}
#else
inline Vec exp2(Vec x) {
    const Vec lowest = Vec{} - 127.0f;
    x = x < lowest ? lowest : x;
    constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: a sum with it is rounded to an integer
    const Vec shifted = x + kRound;
    const Vec power = exp2_fraction(x - (shifted - kRound));
    // The low bits of `shifted` hold k. Moved to the exponent, all others leave the word.
    const IntVec exponent = reinterpret_cast<IntVec>(shifted) << 23;
    return reinterpret_cast<Vec>(reinterpret_cast<IntVec>(power) + exponent);
}
#endif

// How many of the d_state states are kept in registers at once; the rest follow in further passes.
// Fewer where a block of channels is not full: that is rare, and code for it should be small.
template <int N>
struct Group {
    static constexpr int size = N;
};
constexpr int kLargestGroup = kWidth == 16 ? 16 : kWidth == 8 ? 8 : 4;
constexpr int largest_group(bool full) { return full ? kLargestGroup : 4; }

// Calls body(Group<N>, first) for consecutive groups of states that cover 0 ... states - 1.
template <int N, class Body>
inline void for_state_groups(int states, int first, const Body& body) {
    for (; states - first >= N; first += N) body(Group<N>{}, first);
    if constexpr (N > 1) for_state_groups<N / 2>(states, first, body);
}

}  // namespace

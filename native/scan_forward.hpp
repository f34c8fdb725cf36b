// Selective scan, forward (Gu and Dao, Mamba, 2023, eq. 2a-2b discretised as in its algorithm 2):
//
//     h_t = exp(delta_t A) h_{t-1} + delta_t B_t u_t        h: (d, n)
//     y_t = C_t . h_t + D u_t                               y: (d,)
//
// Lanes are channels, so neither the state's update nor the sum over n needs a horizontal sum,
// and B_t[n], C_t[n] are scalars for all lanes.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace {

using ipmdae::ScanItem;

// The kWidth channels (fewer in a last block: `lanes`) that one call works on.
struct Block {
    std::ptrdiff_t first;
    int lanes;
};

inline int block_count(int channels) { return (channels + kWidth - 1) / kWidth; }

template <class Item>
inline Block block_of(const Item& item, int index) {
    const int first = index * kWidth;
    return {first, item.channels - first < kWidth ? item.channels - first : kWidth};
}

// Calls body(block index, true or false): whether the block is full, as a compile-time constant.
struct Yes { static constexpr bool value = true; };
struct No { static constexpr bool value = false; };

template <class Body>
inline void for_blocks(int channels, const Body& body) {
    for (int index = 0; index < channels / kWidth; ++index) body(index, Yes{});
    if (channels % kWidth) body(channels / kWidth, No{});
}

// Calls body(time, block index, true or false) in the order of an array (length, d).
template <class Item, class Body>
inline void for_rows(const Item& item, const Body& body) {
    for (std::ptrdiff_t t = 0; t < item.length; ++t)
        for_blocks(item.channels, [&](int index, auto full) { body(t, index, full); });
}

inline void clear(Vec* vectors, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) vectors[i] = Vec{};
}

// (d, n) of the interface <-> n vectors of channels.
inline void gather(const float* matrix, const Block& block, int states, float factor, Vec* out) {
    for (int s = 0; s < states; ++s) {
        out[s] = Vec{};
        for (int i = 0; i < block.lanes; ++i)
            out[s][i] = matrix[(block.first + i) * states + s] * factor;
    }
}

inline void scatter(const Vec* vectors, const Block& block, int states, float* matrix) {
    for (int s = 0; s < states; ++s)
        for (int i = 0; i < block.lanes; ++i)
            matrix[(block.first + i) * states + s] = vectors[s][i];
}

// N states from `s` on through times [begin, end). The first group starts y, the others add to it.
template <int N, bool Full>
void forward_states(const ScanItem& item, const Block& block, int s, std::ptrdiff_t begin,
                    std::ptrdiff_t end, const Vec* A_log2, Vec* state, float* y) {
    const std::ptrdiff_t d = item.channels;
    const Vec D = load<Full>(item.D + block.first, block.lanes);
    Vec h[N];
    for (int i = 0; i < N; ++i) h[i] = state[i];
    for (std::ptrdiff_t t = begin; t < end; ++t) {
        const std::ptrdiff_t at = t * d + block.first;
        const float* B = item.B + t * item.row + s;
        const float* C = item.C + t * item.row + s;
        const Vec delta = load<Full>(item.delta + at, block.lanes);
        const Vec u = load<Full>(item.u + at, block.lanes);
        const Vec delta_u = delta * u;
        Vec sum = s == 0 ? D * u : load<Full>(y + at, block.lanes);
#pragma GCC unroll 16
        for (int i = 0; i < N; ++i) {
            h[i] = exp2(delta * A_log2[i]) * h[i] + B[i] * delta_u;
            sum += C[i] * h[i];
        }
        store<Full>(y + at, sum, block.lanes);
    }
    for (int i = 0; i < N; ++i) state[i] = h[i];
}

// Further groups of states read again what the first one read: in pieces that stay in the cache.
constexpr std::ptrdiff_t kForwardPiece = 64;

template <bool Full>
void forward_block(const ScanItem& item, const Block& block, const Vec* A_log2, Vec* state,
                   float* y) {
    for (std::ptrdiff_t begin = 0; begin < item.length; begin += kForwardPiece) {
        const std::ptrdiff_t left = item.length - begin;
        const std::ptrdiff_t end = begin + (left < kForwardPiece ? left : kForwardPiece);
        for_state_groups<largest_group(Full)>(item.states, 0, [&](auto group, int s) {
            forward_states<decltype(group)::size, Full>(item, block, s, begin, end, A_log2 + s,
                                                        state + s, y);
        });
    }
}

std::size_t forward_scratch(int states) { return std::size_t{2} * states * kWidth; }

void forward(const ScanItem& item, int index, float* state, float* y, float* scratch) {
    const Block block = block_of(item, index);
    Vec* A_log2 = reinterpret_cast<Vec*>(scratch);
    Vec* h = A_log2 + item.states;
    gather(item.A, block, item.states, kLog2E, A_log2);
    gather(state, block, item.states, 1.0f, h);
    if (block.lanes == kWidth)
        forward_block<true>(item, block, A_log2, h, y);
    else
        forward_block<false>(item, block, A_log2, h, y);
    scatter(h, block, item.states, state);
}

}  // namespace

// Selective scan, backward. With a_t = exp(delta_t A) and g_t the gradient of the loss by h_t:
//
//     g_t      = C_t dy_t + a_{t+1} g_{t+1}
//     dC_t     = sum over d of dy_t h_t            dB_t = sum over d of delta_t u_t g_t
//     du_t     = delta_t (B_t . g_t) + D dy_t      dD   = sum over t of dy_t u_t
//     ddelta_t = u_t (B_t . g_t) + sum over n of A a_t h_{t-1} g_t
//     dA       = sum over t of delta_t a_t h_{t-1} g_t
//
// The states are not stored: a first pass keeps one state in kPiece, and each piece is then
// computed again from there, last piece first, its states and decays held in the cache.
// Sums over d are taken over the blocks lane by lane first, and over the lanes at the end.
#pragma once

#include "scan_forward.hpp"

namespace {

using ipmdae::ScanGradients;

constexpr int kPiece = 16;

// The working memory of one item, cut from the caller's scratch.
struct BackwardMemory {
    Vec* A_log2;       // (blocks, n)
    Vec* dA;           // (blocks, n)
    Vec* g;            // (blocks, n)  a_{t+1} g_{t+1}
    Vec* dD;           // (blocks,)
    Vec* dB;           // (kPiece, n)  sums over the blocks so far
    Vec* dC;           // (kPiece, n)
    Vec* h;            // (kPiece + 1, group)
    Vec* decay;        // (kPiece, group)
    Vec* checkpoints;  // (pieces, blocks, n)  the state before each piece
    std::size_t vectors;

    BackwardMemory(const ScanItem& item, float* scratch) {
        const std::size_t n = item.states;
        const std::size_t blocks = block_count(item.channels);
        const std::size_t pieces = (item.length + kPiece - 1) / kPiece;
        Vec* const start = reinterpret_cast<Vec*>(scratch);
        Vec* next = start;
        const auto take = [&next](std::size_t count) { return (next += count) - count; };
        A_log2 = take(blocks * n);
        dA = take(blocks * n);
        g = take(blocks * n);
        dD = take(blocks);
        dB = take(kPiece * n);
        dC = take(kPiece * n);
        h = take((kPiece + 1) * kLargestGroup);
        decay = take(kPiece * kLargestGroup);
        checkpoints = take(pieces * blocks * n);
        vectors = next - start;
    }
};

std::size_t backward_scratch(const ScanItem& item) {
    return BackwardMemory(item, nullptr).vectors * kWidth;
}

// The state of N states from `s` on before every piece; successive pieces are `stride` apart.
template <int N, bool Full>
void checkpoint_states(const ScanItem& item, const Block& block, int s, const Vec* A_log2,
                       Vec* checkpoints, std::size_t stride) {
    const std::ptrdiff_t d = item.channels;
    Vec h[N] = {};
    for (std::ptrdiff_t t = 0; t < item.length; ++t) {
        if (t % kPiece == 0) {
            for (int i = 0; i < N; ++i) checkpoints[i] = h[i];
            checkpoints += stride;
        }
        const std::ptrdiff_t at = t * d + block.first;
        const float* B = item.B + t * item.row + s;
        const Vec delta = load<Full>(item.delta + at, block.lanes);
        const Vec delta_u = delta * load<Full>(item.u + at, block.lanes);
#pragma GCC unroll 16
        for (int i = 0; i < N; ++i) h[i] = exp2(delta * A_log2[i]) * h[i] + B[i] * delta_u;
    }
}

// A piece forward again, from the state h[0 ... N - 1], keeping every state and decay.
template <int N, bool Full>
void recompute_states(const ScanItem& item, const Block& block, int s, std::ptrdiff_t begin,
                      int steps, const Vec* A_log2, Vec* h, Vec* decay) {
    const std::ptrdiff_t d = item.channels;
    for (int step = 0; step < steps; ++step, h += N, decay += N) {
        const std::ptrdiff_t at = (begin + step) * d + block.first;
        const float* B = item.B + (begin + step) * item.row + s;
        const Vec delta = load<Full>(item.delta + at, block.lanes);
        const Vec delta_u = delta * load<Full>(item.u + at, block.lanes);
#pragma GCC unroll 16
        for (int i = 0; i < N; ++i) {
            decay[i] = exp2(delta * A_log2[i]);
            h[N + i] = decay[i] * h[i] + B[i] * delta_u;
        }
    }
}

// A piece backward: N states from `s` on of all gradients but that of D.
template <int N, bool Full>
void backward_states(const ScanItem& item, const Block& block, int s, std::ptrdiff_t begin,
                     int steps, const float* dy, const ScanGradients& gradients,
                     const Vec* A_log2, Vec* carried, Vec* dA, const BackwardMemory& memory) {
    const std::ptrdiff_t d = item.channels, n = item.states;
    const Vec D = load<Full>(item.D + block.first, block.lanes);
    Vec g[N];
    for (int i = 0; i < N; ++i) g[i] = carried[i];
    for (int step = steps - 1; step >= 0; --step) {
        const std::ptrdiff_t t = begin + step;
        const std::ptrdiff_t at = t * d + block.first;
        const float* B = item.B + t * item.row + s;
        const float* C = item.C + t * item.row + s;
        const Vec* h = memory.h + step * N;
        const Vec* decay = memory.decay + step * N;
        Vec* dB = memory.dB + step * n + s;
        Vec* dC = memory.dC + step * n + s;
        const Vec delta = load<Full>(item.delta + at, block.lanes);
        const Vec u = load<Full>(item.u + at, block.lanes);
        const Vec dy_t = load<Full>(dy + at, block.lanes);
        const Vec delta_u = delta * u;
        Vec B_g{}, A_g{};
#pragma GCC unroll 16
        for (int i = 0; i < N; ++i) {
            g[i] += C[i] * dy_t;
            dC[i] += dy_t * h[N + i];
            dB[i] += delta_u * g[i];
            B_g += B[i] * g[i];
            g[i] *= decay[i];
            const Vec h_g = h[i] * g[i];
            A_g += A_log2[i] * h_g;
            dA[i] += delta * h_g;
        }
        Vec du = delta * B_g, ddelta = u * B_g + kLn2 * A_g;
        du += s == 0 ? D * dy_t : load<Full>(gradients.u + at, block.lanes);
        if (s > 0) ddelta += load<Full>(gradients.delta + at, block.lanes);
        store<Full>(gradients.u + at, du, block.lanes);
        store<Full>(gradients.delta + at, ddelta, block.lanes);
    }
    for (int i = 0; i < N; ++i) carried[i] = g[i];
}

template <bool Full>
void checkpoint_block(const ScanItem& item, int index, const BackwardMemory& memory) {
    const Block block = block_of(item, index);
    const std::size_t stride = std::size_t{1} * block_count(item.channels) * item.states;
    const std::size_t offset = std::size_t{1} * index * item.states;
    for_state_groups<largest_group(Full)>(item.states, 0, [&](auto group, int s) {
        checkpoint_states<decltype(group)::size, Full>(item, block, s, memory.A_log2 + offset + s,
                                                       memory.checkpoints + offset + s, stride);
    });
}

template <bool Full>
void backward_block(const ScanItem& item, int index, std::ptrdiff_t piece, const float* dy,
                    const ScanGradients& gradients, const BackwardMemory& memory) {
    const Block block = block_of(item, index);
    const std::ptrdiff_t begin = piece * kPiece;
    const int steps = item.length - begin < kPiece ? int(item.length - begin) : kPiece;
    const std::size_t offset = std::size_t{1} * index * item.states;
    const std::size_t stride = std::size_t{1} * block_count(item.channels) * item.states;
    const Vec* checkpoint = memory.checkpoints + piece * stride + offset;
    for (std::ptrdiff_t t = begin; t < begin + steps; ++t) {
        const std::ptrdiff_t at = t * item.channels + block.first;
        memory.dD[index] +=
            load<Full>(dy + at, block.lanes) * load<Full>(item.u + at, block.lanes);
    }
    for_state_groups<largest_group(Full)>(item.states, 0, [&](auto group, int s) {
        constexpr int N = decltype(group)::size;
        const Vec* A_log2 = memory.A_log2 + offset + s;
        for (int i = 0; i < N; ++i) memory.h[i] = checkpoint[s + i];
        recompute_states<N, Full>(item, block, s, begin, steps, A_log2, memory.h, memory.decay);
        backward_states<N, Full>(item, block, s, begin, steps, dy, gradients, A_log2,
                                 memory.g + offset + s, memory.dA + offset + s, memory);
    });
}

void backward(const ScanItem& item, const float* dy, const ScanGradients& gradients,
              float* scratch) {
    const BackwardMemory memory(item, scratch);
    const std::size_t n = item.states;
    const std::size_t blocks = block_count(item.channels);
    clear(memory.dA, blocks * n);
    clear(memory.g, blocks * n);
    clear(memory.dD, blocks);
    for_blocks(item.channels, [&](int index, auto full) {
        gather(item.A, block_of(item, index), item.states, kLog2E, memory.A_log2 + index * n);
        checkpoint_block<decltype(full)::value>(item, index, memory);
    });
    for (std::ptrdiff_t piece = (item.length - 1) / kPiece; piece >= 0; --piece) {
        const std::ptrdiff_t begin = piece * kPiece;
        const std::ptrdiff_t left = item.length - begin;
        const std::size_t rows = (left < kPiece ? left : kPiece) * n;
        clear(memory.dB, rows);
        clear(memory.dC, rows);
        for_blocks(item.channels, [&](int index, auto full) {
            backward_block<decltype(full)::value>(item, index, piece, dy, gradients, memory);
        });
        for (std::size_t i = 0; i < rows; ++i) {
            gradients.B[begin * n + i] = sum_lanes(memory.dB[i]);
            gradients.C[begin * n + i] = sum_lanes(memory.dC[i]);
        }
    }
    for_blocks(item.channels, [&](int index, auto full) {
        const Block block = block_of(item, index);
        scatter(memory.dA + index * n, block, item.states, gradients.A);
        store<decltype(full)::value>(gradients.D + block.first, memory.dD[index], block.lanes);
    });
}

}  // namespace

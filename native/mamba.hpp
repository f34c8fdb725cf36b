// A Mamba block (Gu and Dao, Mamba, 2023), d channels outside, e inside, n states, r ranks:
//
//     (u, z) = W_in x;  u = silu(conv(u)), conv causal and of each channel by itself
//     (s, B, C) = W_x u;  delta = softplus(W_dt s + b_dt)
//     y = W_out (scan(u, delta, A, B, C, D) · silu(z))
//
// The block works through the times in chunks that stay in the cache; from one chunk to the next
// it carries the scan's state and the last inputs of the convolution. Rows may come in reverse.
#pragma once

#include <cmath>

#include "activation.hpp"
#include "architecture.hpp"
#include "matrix.hpp"
#include "scan_forward.hpp"

namespace {

constexpr int kChunk = 4 * kRows;

// A = -exp(A_log) in units of log2(e), as the scan takes it: (blocks of channels, states).
[[gnu::cold]] inline Floats state_matrix(const float* A_log, int channels, int states) {
    Floats result(std::size_t(padded(channels)) * states);
    for (int c = 0; c < channels; ++c)
        for (int s = 0; s < states; ++s) {
            const std::size_t vector = std::size_t(c / kWidth) * states + s;
            result[vector * kWidth + c % kWidth] =
                float(-std::exp(double(A_log[std::size_t(c) * states + s])) * double(kLog2E));
        }
    return result;
}

class Mamba {
public:
    Mamba() = default;
    [[gnu::cold]] Mamba(Tensors& tensors, const ipmdae::Architecture& architecture, int stage)
        : inner_(padded(architecture.inner_width(stage))),
          states_(architecture.d_state),
          history_(architecture.d_conv - 1),
          B_(architecture.dt_rank(stage)),
          C_(B_ + states_) {
        const int width = architecture.branch_width(stage);
        const int inner = architecture.inner_width(stage);
        in_ = Matrix(width, 2 * inner_);
        const float* weight = tensors.next();
        in_.set(weight, inner, width);
        in_.set(weight + std::size_t(inner) * width, inner, width, inner_);
        set_convolution(tensors, inner);
        select_ = Matrix(inner, C_ + states_);
        select_.set(tensors.next(), C_ + states_, inner);
        step_ = projection(tensors.next(), inner, B_);
        const float* bias = tensors.next();
        for (int c = 0; c < inner; ++c) step_.bias(c) = bias[c];
        D_ = Floats(tensors.next(), inner);
        out_ = projection(tensors.next(), width, inner);
    }

    // The working arrays, rows of a chunk each.
    struct Memory {
        float *split, *u, *selected, *delta, *y, *state;

        Memory(const Mamba& block, Arena& arena)
            : split(arena.take(std::size_t(block.history_ + kChunk) * 2 * block.inner_)),
              u(arena.take(std::size_t(kChunk) * block.inner_)),
              selected(arena.take(std::size_t(kChunk) * block.select_.columns())),
              delta(arena.take(std::size_t(kChunk) * block.inner_)),
              y(arena.take(std::size_t(kChunk) * block.inner_)),
              state(arena.take(std::size_t(block.states_) * block.inner_)) {}
    };

    // y = block(x), or y += block(x), for `length` rows, with the state matrices A.
    void run(std::ptrdiff_t length, Inputs x, const Floats& A, Outputs y, bool add,
             const Memory& memory) const {
        std::memset(memory.split, 0, sizeof(float) * history_ * 2 * inner_);
        std::memset(memory.state, 0, sizeof(float) * states_ * inner_);
        for (std::ptrdiff_t begin = 0; begin < length; begin += kChunk) {
            const int count = length - begin < kChunk ? int(length - begin) : kChunk;
            chunk(count, x.from(begin), A, memory);
            out_.multiply(count, {memory.y, inner_}, y.from(begin), {false, add});
        }
    }

private:
    [[gnu::cold]] void set_convolution(Tensors& tensors, int inner) {
        const int taps = history_ + 1;
        const float* weight = tensors.next();
        taps_ = Floats(std::size_t(taps) * inner_);
        for (int c = 0; c < inner; ++c)
            for (int j = 0; j < taps; ++j)
                taps_[std::size_t(j) * inner_ + c] = weight[std::size_t(c) * taps + j];
        convolution_bias_ = Floats(tensors.next(), inner);
    }

    // memory.y for the next `count` rows of x.
    void chunk(int count, Inputs x, const Floats& A, const Memory& memory) const {
        const int wide = 2 * inner_, narrow = select_.columns();
        const std::size_t carried = sizeof(float) * history_ * wide;
        in_.multiply(count, x, {memory.split + std::size_t(history_) * wide, wide});
        convolve(count, memory);
        select_.multiply(count, {memory.u, inner_}, {memory.selected, narrow});
        step_.multiply(count, {memory.selected, narrow}, {memory.delta, inner_});
        Vec* delta = reinterpret_cast<Vec*>(memory.delta);
        for (int i = 0; i < count * inner_ / kWidth; ++i) delta[i] = softplus(delta[i]);
        scan(count, A, memory);
        gate(count, memory);
        std::memmove(memory.split, memory.split + std::size_t(count) * wide, carried);
    }

    // u_t = silu(b + sum over j of w_j x_{t + j - history})
    void convolve(int count, const Memory& memory) const {
        const int vectors = inner_ / kWidth;
        const Vec *taps = taps_.vectors(), *bias = convolution_bias_.vectors();
        const Vec* x = reinterpret_cast<const Vec*>(memory.split);
        Vec* u = reinterpret_cast<Vec*>(memory.u);
        for (int t = 0; t < count; ++t, x += 2 * vectors)
            for (int v = 0; v < vectors; ++v) {
                Vec sum = bias[v];
                for (int j = 0; j <= history_; ++j)
                    sum += taps[j * vectors + v] * x[2 * j * vectors + v];
                *u++ = silu(sum);
            }
    }

    void scan(int count, const Floats& A, const Memory& memory) const {
        ScanItem item{};
        item.length = count;
        item.channels = inner_;
        item.states = states_;
        item.row = select_.columns();
        item.u = memory.u;
        item.delta = memory.delta;
        item.B = memory.selected + B_;
        item.C = memory.selected + C_;
        item.D = D_.data();
        Vec* state = reinterpret_cast<Vec*>(memory.state);
        for (int index = 0; index < inner_ / kWidth; ++index) {
            const std::size_t offset = std::size_t(index) * states_;
            forward_block<true>(item, block_of(item, index), A.vectors() + offset, state + offset,
                                memory.y);
        }
    }

    // y = y · silu(z)
    void gate(int count, const Memory& memory) const {
        const int vectors = inner_ / kWidth;
        const Vec* z = reinterpret_cast<const Vec*>(memory.split) + (2 * history_ + 1) * vectors;
        Vec* y = reinterpret_cast<Vec*>(memory.y);
        for (int t = 0; t < count; ++t, z += 2 * vectors)
            for (int v = 0; v < vectors; ++v) *y++ *= silu(z[v]);
    }

    int inner_ = 0, states_ = 0, history_ = 0;
    int B_ = 0, C_ = 0;  // the first columns of B and C among those that u selects; s is before
    Matrix in_, select_, step_, out_;
    Floats taps_, convolution_bias_, D_;
};

}  // namespace

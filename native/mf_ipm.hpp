// The MF-IPM module on C channels, with N branches of d = C / N:
//
//     x' = norm(x);  x_n = relu(pool_w(W_n x'))
//     M_n = attention(x_n);  M^ = fusion(M)
//     y_n = (mamba_f(x_n; A_n) + flip(mamba_b(flip(x_n); A'_n))) · M^_n + skip_scale · x_n
//     y = norm(y_0 ... y_{N-1} side by side, each upsampled by w); both norms are one and the same
//
// Means in time and maps of channels commute: W_n is applied to what is already pooled. Branches
// of one pooling width w are side by side in a row and projected together.
#pragma once

#include <vector>

#include "attention.hpp"
#include "layer_norm.hpp"
#include "mamba.hpp"
#include "pooling.hpp"

namespace {

class MfIpm {
public:
    MfIpm() = default;
    [[gnu::cold]] MfIpm(Tensors& tensors, const ipmdae::Architecture& architecture, int stage)
        : channels_(architecture.channels[stage]),
          width_(architecture.branch_width(stage)),
          step_(padded(width_)),
          norm_(tensors, channels_),
          skip_scale_(*tensors.next()),
          branches_(architecture.branches[stage]) {
        make_groups(architecture);
        for (Group& group : groups_)
            for (int n = group.first; n < group.first + group.count; ++n)
                read_branch(tensors, architecture, stage, group, n);
        fusion_ = Fusion(tensors, width_, architecture.fusion_weights,
                         architecture.fusion_projected);
        forward_ = Mamba(tensors, architecture, stage);
        backward_ = Mamba(tensors, architecture, stage);
    }

    // The working arrays for `length` times.
    struct Memory {
        float *normed, *pooled, *inputs, *outputs, *means, *peaks, *importance, *fused, *scratch;
        float* row;
        Mamba::Memory block;

        Memory(const MfIpm& module, std::ptrdiff_t length, Arena& arena)
            : normed(arena.take(std::uint64_t(length) * padded(module.channels_))),
              pooled(arena.take(std::uint64_t(length) / 2 * padded(module.channels_))),
              inputs(arena.take(module.branch_floats(length))),
              outputs(arena.take(module.branch_floats(length))),
              means(arena.take(module.row_floats())),
              peaks(arena.take(module.row_floats())),
              importance(arena.take(module.row_floats())),
              fused(arena.take(module.row_floats())),
              scratch(arena.take(std::max(ChannelAttention::scratch(module.width_),
                                          Fusion::scratch(module.branches(), module.width_)))),
              row(arena.take(module.row_floats())),
              block(module.forward_, arena) {}
    };

    // x becomes y.
    void run(const Signal& x, const Memory& memory) const {
        for (std::ptrdiff_t t = 0; t < x.length; ++t)
            norm_.run(x.row(t), memory.normed + t * x.width);
        project(x, memory);
        weigh(x.length, memory);
        scan(x.length, memory);
        join(x, memory);
    }

private:
    struct Branch {
        ChannelAttention attention;
        Floats A_forward, A_backward;
    };

    // Branches first ... first + count - 1, pooled by `width`.
    struct Group {
        int width, first, count;
        Matrix projection;

        std::ptrdiff_t pooling(std::ptrdiff_t length) const {
            return width < length ? width : length;
        }
        std::ptrdiff_t rows(std::ptrdiff_t length) const { return length / pooling(length); }
    };

    int branches() const { return int(branches_.size()); }
    std::size_t row_floats() const { return std::size_t(branches()) * step_ + kWidth; }
    std::uint64_t branch_floats(std::ptrdiff_t length) const {
        std::uint64_t sum = 0;
        for (const Group& group : groups_)
            sum += std::uint64_t(group.rows(length)) * group.count * step_;
        return sum;
    }

    // Calls body(group, number of rows, floats from one row to the next, inputs, outputs).
    template <class Body>
    void for_groups(std::ptrdiff_t length, const Memory& memory, const Body& body) const {
        std::ptrdiff_t offset = 0;
        for (const Group& group : groups_) {
            const std::ptrdiff_t rows = group.rows(length), step = group.count * step_;
            body(group, rows, step, memory.inputs + offset, memory.outputs + offset);
            offset += rows * step;
        }
    }

    [[gnu::cold]] void make_groups(const ipmdae::Architecture& architecture) {
        for (int n = 0; n < branches(); ++n) {
            const int width = architecture.pooling(n);
            if (groups_.empty() || groups_.back().width != width)
                groups_.push_back({width, n, 0, Matrix()});
            ++groups_.back().count;
        }
        for (Group& group : groups_) group.projection = Matrix(channels_, group.count * step_);
    }

    [[gnu::cold]] void read_branch(Tensors& tensors, const ipmdae::Architecture& architecture,
                                   int stage, Group& group, int n) {
        group.projection.set(tensors.next(), width_, channels_, (n - group.first) * step_);
        Branch& branch = branches_[n];
        branch.attention = ChannelAttention(tensors, width_, architecture.attention_of_sum);
        const int inner = architecture.inner_width(stage);
        branch.A_forward = state_matrix(tensors.next(), inner, architecture.d_state);
        branch.A_backward = state_matrix(tensors.next(), inner, architecture.d_state);
    }

    // x_n
    void project(const Signal& x, const Memory& memory) const {
        for_groups(x.length, memory, [&](const Group& group, std::ptrdiff_t rows,
                                         std::ptrdiff_t step, float* inputs, float*) {
            const int width = int(group.pooling(x.length));
            const float* pooled = memory.normed;
            if (width > 1) {
                average_pool(memory.normed, memory.pooled, rows, width, x.width);
                pooled = memory.pooled;
            }
            group.projection.multiply(rows, {pooled, x.width}, {inputs, step}, {true});
        });
    }

    // M^
    void weigh(std::ptrdiff_t length, const Memory& memory) const {
        for_groups(length, memory, [&](const Group& group, std::ptrdiff_t rows, std::ptrdiff_t step,
                                       float* inputs, float*) {
            const std::ptrdiff_t first = group.first * step_;
            summarise({inputs, step}, rows, int(step), memory.means + first, memory.peaks + first);
        });
        for (int n = 0; n < branches(); ++n) {
            const std::ptrdiff_t at = n * step_;
            branches_[n].attention.run(memory.means + at, memory.peaks + at,
                                       memory.importance + at, memory.scratch);
        }
        fusion_.run(memory.importance, memory.fused, branches(), int(step_), memory.scratch);
    }

    // y_n
    void scan(std::ptrdiff_t length, const Memory& memory) const {
        for_groups(length, memory, [&](const Group& group, std::ptrdiff_t rows, std::ptrdiff_t step,
                                       float* inputs, float* outputs) {
            for (int i = 0; i < group.count; ++i) {
                const Branch& branch = branches_[group.first + i];
                const Inputs x = {inputs + i * step_, step};
                const Outputs y = {outputs + i * step_, step};
                forward_.run(rows, x, branch.A_forward, y, false, memory.block);
                const std::ptrdiff_t last = rows - 1;
                backward_.run(rows, {x.from(last).first, -step}, branch.A_backward,
                              {y.from(last).first, -step}, true, memory.block);
            }
            scale_and_skip(rows, step, memory.fused + group.first * step_, inputs, outputs);
        });
    }

    // y = y · M^ + skip_scale · x, for the branches of a row together.
    void scale_and_skip(std::ptrdiff_t rows, std::ptrdiff_t step, const float* fused,
                        const float* x, float* y) const {
        for (std::ptrdiff_t t = 0; t < rows; ++t, x += step, y += step)
            for (std::ptrdiff_t c = 0; c < step; c += kWidth) {
                const Vec skipped = skip_scale_ * load<true>(x + c, kWidth);
                const Vec scaled = load<true>(y + c, kWidth) * load<true>(fused + c, kWidth);
                store<true>(y + c, scaled + skipped, kWidth);
            }
    }

    // The branches side by side, upsampled, and after a branch's last sample zeros. Branches are
    // stored in whole vectors, so each overwrites the padding of the one before it.
    void join(const Signal& x, const Memory& memory) const {
        std::memset(memory.row, 0, sizeof(float) * row_floats());
        for (std::ptrdiff_t t = 0; t < x.length; ++t) {
            for_groups(x.length, memory, [&](const Group& group, std::ptrdiff_t rows,
                                             std::ptrdiff_t step, float*, float* outputs) {
                const std::ptrdiff_t source = t / group.pooling(x.length);
                const float* from = outputs + source * step;
                for (int i = 0; i < group.count; ++i, from += step_) {
                    float* to = memory.row + std::ptrdiff_t(group.first + i) * width_;
                    for (std::ptrdiff_t c = 0; c < step_; c += kWidth)
                        store<true>(to + c, source < rows ? load<true>(from + c, kWidth) : Vec{},
                                    kWidth);
                }
            });
            norm_.run(memory.row, x.row(t));
        }
    }

    int channels_ = 0, width_ = 0;
    std::ptrdiff_t step_ = 0;  // floats from one branch to the next: d, padded
    LayerNorm norm_;
    float skip_scale_ = 0.0f;
    std::vector<Branch> branches_;
    std::vector<Group> groups_;
    Fusion fusion_;
    Mamba forward_, backward_;
};

}  // namespace

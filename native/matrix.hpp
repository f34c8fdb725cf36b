// Every convolution and projection is a product of rows with a matrix:
//
//     y_t = b + x_t W        x_t: (depth,), W: (depth, columns)
//
// W is kept in panels of kPanel vectors of columns, each panel row by row, so that the innermost
// loop reads it in order. A tile of kRows rows and one panel stays in registers over all of the
// depth: each weight that is read serves kRows rows, and each x serves all columns of the panel.
// Every sum runs over the depth in order: a row's result does not depend on the tile it is in.
#pragma once

#include <limits>
#include <utility>

#include "memory.hpp"

namespace {

constexpr int kPanel = 2;
constexpr int kRows = kWidth == 16 ? 12 : 6;  // kRows * kPanel sums, and registers to spare

// What becomes of a product: relu first, and then the sum with what is there.
struct Finish {
    bool relu = false, add = false;
};

// Rows in memory: `step` floats from one to the next, which may be negative.
template <class T>
struct Rows {
    T* first;
    std::ptrdiff_t step;
    Rows from(std::ptrdiff_t t) const { return {first + t * step, step}; }
};
using Inputs = Rows<const float>;
using Outputs = Rows<float>;

template <int Count, int Vectors>
void tile(Inputs x, const Vec* weights, const Vec* bias, int depth, Outputs y, Finish finish) {
    Vec sum[Count][Vectors];
    for (int t = 0; t < Count; ++t)
        for (int v = 0; v < Vectors; ++v) sum[t][v] = bias[v];
    for (int k = 0; k < depth; ++k, weights += Vectors)
#pragma GCC unroll 16
        for (int t = 0; t < Count; ++t)
#pragma GCC unroll 2
            for (int v = 0; v < Vectors; ++v) sum[t][v] += x.first[t * x.step + k] * weights[v];
    const Vec lowest = Vec{} - (finish.relu ? 0.0f : std::numeric_limits<float>::infinity());
    for (int t = 0; t < Count; ++t)
        for (int v = 0; v < Vectors; ++v) {
            float* to = y.first + t * y.step + v * kWidth;
            const Vec value = sum[t][v] < lowest ? lowest : sum[t][v];  // a NaN stays one
            store<true>(to, finish.add ? value + load<true>(to, kWidth) : value, kWidth);
        }
}

using Tile = void (*)(Inputs, const Vec*, const Vec*, int, Outputs, Finish);

// The tile of `rows` in 1 ... kRows.
template <int Vectors, int... Counts>
Tile find_tile(int rows, std::integer_sequence<int, Counts...>) {
    static constexpr Tile tiles[] = {tile<Counts + 1, Vectors>...};
    return tiles[rows - 1];
}

class Matrix {
public:
    Matrix() = default;
    [[gnu::cold]] Matrix(int depth, int columns)
        : depth_(depth),
          vectors_(vectors_for(columns)),
          weights_(std::size_t(depth) * padded(columns)),
          bias_(padded(columns)) {}

    int columns() const { return vectors_ * kWidth; }

    // W[k][column], to be set once.
    [[gnu::cold]] float& at(int k, int column) {
        const int panel = column / (kPanel * kWidth);
        const int width = std::min(kPanel, vectors_ - panel * kPanel) * kWidth;
        const std::size_t start = std::size_t(panel) * kPanel * kWidth * depth_;
        return weights_[start + std::size_t(k) * width + column % (kPanel * kWidth)];
    }
    float& bias(int column) { return bias_[column]; }

    // The transpose of `weight` (outputs, inputs), at the columns from `first` on.
    [[gnu::cold]] void set(const float* weight, int outputs, int inputs, int first = 0) {
        for (int o = 0; o < outputs; ++o)
            for (int i = 0; i < inputs; ++i)
                at(i, first + o) = weight[std::size_t(o) * inputs + i];
    }

    // y = W x + b for `count` rows, finished as asked. y holds columns() of each row.
    void multiply(std::ptrdiff_t count, Inputs x, Outputs y, Finish finish = {}) const {
        constexpr std::make_integer_sequence<int, kRows> counts;
        // Tiles of nearly the same size: a small one at the end would not use the registers.
        const std::ptrdiff_t tiles = (count + kRows - 1) / kRows;
        for (int v = 0; v < vectors_; v += kPanel) {
            const Vec* weights = weights_.vectors() + std::size_t(v) * depth_;
            const Vec* bias = bias_.vectors() + v;
            const bool whole = vectors_ - v >= kPanel;
            std::ptrdiff_t t = 0;
            for (std::ptrdiff_t left = tiles; left > 0; --left) {
                const int rows = int((count - t) / left);
                const Tile run =
                    whole ? find_tile<kPanel>(rows, counts) : find_tile<1>(rows, counts);
                const Outputs to = {y.from(t).first + v * kWidth, y.step};
                run(x.from(t), weights, bias, depth_, to, finish);
                t += rows;
            }
        }
    }

private:
    int depth_ = 0, vectors_ = 0;
    Floats weights_, bias_;
};

// A projection without bias: W of (outputs, inputs).
[[gnu::cold]] inline Matrix projection(const float* weight, int outputs, int inputs) {
    Matrix matrix(inputs, outputs);
    matrix.set(weight, outputs, inputs);
    return matrix;
}

}  // namespace

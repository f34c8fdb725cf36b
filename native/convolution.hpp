// Convolutions of stride 2 as products of overlapping rows with a matrix. Times follow each other
// in memory, so that the samples under a kernel are one row: nothing is copied.
//
//     strided:     y_t = b + sum over j of W_j x_{2t + j - p}                  p = (K - 1) / 2
//     transposed:  y_s = b + sum over t, j with 2t + j - p = s of W_j x_t
#pragma once

#include "matrix.hpp"

namespace {

// A convolution and its adjoint need so many rows of zeros around their input.
inline int margin_for(int kernel) { return kernel / 2; }

class StridedConvolution {
public:
    StridedConvolution() = default;
    // W is (outputs, inputs, kernel). Rows of the input are `width` >= inputs channels apart.
    [[gnu::cold]] StridedConvolution(Tensors& tensors, int inputs, int width, int outputs,
                                     int kernel)
        : padding_(margin_for(kernel)), matrix_(kernel * width, outputs) {
        const float* weight = tensors.next();
        const float* bias = tensors.next();
        for (int o = 0; o < outputs; ++o) {
            matrix_.bias(o) = bias[o];
            for (int i = 0; i < inputs; ++i)
                for (int j = 0; j < kernel; ++j) matrix_.at(j * width + i, o) = *weight++;
        }
    }

    // y = relu(conv(x)), with y.length = ceil(x.length / 2).
    void run(const Signal& x, const Signal& y) const {
        matrix_.multiply(y.length, {x.row(-padding_), 2 * x.width}, {y.start, y.width}, {true});
    }

private:
    int padding_ = 0;
    Matrix matrix_;
};

// Even and odd samples of the result depend on taps of their own: two products, in which row m
// makes y_{2m} or y_{2m+1} of the samples x_{m - before} and those that follow it.
class TransposedConvolution {
public:
    TransposedConvolution() = default;
    // W is (inputs, outputs, kernel). Rows of the input are `width` >= inputs channels apart.
    [[gnu::cold]] TransposedConvolution(Tensors& tensors, int inputs, int width, int outputs,
                                        int kernel) {
        const float* weight = tensors.next();
        const float* bias = tensors.next();
        const int padding = margin_for(kernel);
        for (int parity = 0; parity < 2; ++parity) {
            // With t = m - before + i, tap j = p + parity + 2 (m - t) = last - 2i.
            const int before = (padding - parity) / 2;
            const int last = padding + parity + 2 * before;
            const int taps = last / 2 + 1;
            Matrix matrix(taps * width, outputs);
            for (int o = 0; o < outputs; ++o) {
                matrix.bias(o) = bias[o];
                for (int c = 0; c < inputs; ++c)
                    for (int i = 0; i < taps; ++i)
                        matrix.at(i * width + c, o) =
                            weight[(std::size_t(c) * outputs + o) * kernel + last - 2 * i];
            }
            before_[parity] = before;
            matrices_[parity] = std::move(matrix);
        }
    }

    // conv^T(x), of 2 x.length - 1 or 2 x.length samples, as many as y has.
    void run(const Signal& x, const Signal& y, Finish finish) const {
        for (int parity = 0; parity < 2; ++parity)
            matrices_[parity].multiply((y.length + 1 - parity) / 2,
                                       {x.row(-before_[parity]), x.width},
                                       {y.row(parity), 2 * y.width}, finish);
    }

private:
    int before_[2] = {};
    Matrix matrices_[2];
};

}  // namespace

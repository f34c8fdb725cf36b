// What one core can do, and what the network's products reach, with the very code of native/.
#include <chrono>
#include <vector>

#include "mamba.hpp"

namespace {

constexpr int kChains = 12;  // sums that do not wait for each other: enough to keep all units busy

double now() {
    using Clock = std::chrono::steady_clock;
    return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

// Floats in a vector, and rows of a chunk that goes through a Mamba block.
int roofline_width() { return kWidth; }
int roofline_chunk() { return kChunk; }
int roofline_chains() { return kChains; }

// `steps` times kChains multiply-adds of a vector, all in registers.
float roofline_multiply_add(std::int64_t steps, float factor) {
    Vec sums[kChains];
    for (int i = 0; i < kChains; ++i) sums[i] = Vec{} + float(i);
    const Vec by = Vec{} + factor, plus = Vec{} + 1.0f;
    for (std::int64_t step = 0; step < steps; ++step)
#pragma GCC unroll 12
        for (int i = 0; i < kChains; ++i) sums[i] = sums[i] * by + plus;
    Vec total{};
    for (int i = 0; i < kChains; ++i) total += sums[i];
    return sum_lanes(total);  // without a result, nothing would be computed
}

// a = b + factor c, for so many vectors.
void roofline_triad(std::int64_t vectors, float factor, Vec* a, const Vec* b, const Vec* c) {
    for (std::int64_t i = 0; i < vectors; ++i) a[i] = b[i] + factor * c[i];
}

// Matrices of (depth, columns) each; they live as long as the process.
const std::vector<Matrix>* roofline_matrices(const std::int64_t* sizes, std::int64_t count) {
    auto* matrices = new std::vector<Matrix>;
    for (std::int64_t m = 0; m < count; ++m, sizes += 2) {
        Matrix& matrix = matrices->emplace_back(int(sizes[0]), int(sizes[1]));
        for (int k = 0; k < sizes[0]; ++k)
            for (int c = 0; c < sizes[1]; ++c)
                matrix.at(k, c) = 0.01f * float((7 * k + 13 * c) % 17 - 8);
    }
    return matrices;
}

// Runs products in the order of a network, and adds the seconds of each matrix to `seconds`.
//   calls: (matrix, rows, input, floats between input rows, output, those between output rows),
//          input and output as offsets into `memory`
void roofline_products(const std::vector<Matrix>* weights, const std::int64_t* calls,
                       std::int64_t count, float* memory, double* seconds) {
    for (std::int64_t i = 0; i < count; ++i, calls += 6) {
        const double start = now();
        (*weights)[calls[0]].multiply(calls[1], {memory + calls[2], calls[3]},
                                      {memory + calls[4], calls[5]}, {true, false});
        seconds[calls[0]] += now() - start;
    }
}

}
#pragma GCC visibility pop

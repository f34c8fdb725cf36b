// The C interface of the causal convolution: distribution to threads, sums over the batch.
#include <vector>

#include "ipmdae.h"
#include "no_denormals.hpp"
#include "pool.hpp"
#include "runtime.hpp"

namespace ipmdae {
namespace {

struct Inputs {
    const float *u, *weight, *bias;
    std::int64_t batch, length, d, taps, row;

    ConvolutionItem item(std::int64_t b) const {
        return {std::ptrdiff_t(length), int(d), int(taps), std::ptrdiff_t(row),
                u + b * length * row,   weight, bias};
    }
};

// Calls run(kernels, item's number, scratch) for every item.
template <class Run>
void for_items(const Inputs& in, const Run& run) {
    const Kernels& kernels = *chosen_kernels.load();
    const int threads = threads_for(in.batch, in.batch * in.length * in.d * in.taps);
    Scratch scratch(kernels.convolution_scratch(in.item(0)), threads);
    parallel_for(in.batch, threads, [&](std::int64_t b, int worker) {
        const NoDenormals guard;
        run(kernels, b, scratch.slice(worker));
    });
}

void convolution_backward(const Inputs& in, const float* dy, float* du, float* dweight,
                          float* dbias) {
    const std::int64_t size = in.d * in.taps;
    std::vector<float> weights(in.batch * size), biases(in.batch * in.d);
    for_items(in, [&](const Kernels& kernels, std::int64_t b, float* scratch) {
        const std::int64_t at = b * in.length * in.d;
        kernels.convolve_backward(
            in.item(b), dy + at, {du + at, weights.data() + b * size, biases.data() + b * in.d},
            scratch);
    });
    sum_parts(weights, in.batch, size, dweight);
    sum_parts(biases, in.batch, in.d, dbias);
}

}  // namespace
}  // namespace ipmdae

extern "C" {

int ipmdae_convolution_forward(const float* u, const float* weight, const float* bias, float* y,
                               int64_t batch, int64_t length, int64_t d, int64_t taps,
                               int64_t row) {
    if (!ipmdae::valid(batch, length, d, taps)) return 1;
    return ipmdae::guarded([&] {
        const ipmdae::Inputs in{u, weight, bias, batch, length, d, taps, row};
        ipmdae::for_items(in, [&](const ipmdae::Kernels& kernels, int64_t b, float* scratch) {
            kernels.convolve(in.item(b), y + b * length * d, scratch);
        });
    });
}

int ipmdae_convolution_backward(const float* u, const float* weight, const float* bias,
                                const float* dy, float* du, float* dweight, float* dbias,
                                int64_t batch, int64_t length, int64_t d, int64_t taps,
                                int64_t row) {
    if (!ipmdae::valid(batch, length, d, taps)) return 1;
    return ipmdae::guarded([&] {
        ipmdae::convolution_backward({u, weight, bias, batch, length, d, taps, row}, dy, du,
                                     dweight, dbias);
    });
}

}  // extern "C"

// The C interface: checks sizes, shares the work out to threads, sums over the batch.
#include <algorithm>
#include <vector>

#include "ipmdae.h"
#include "no_denormals.hpp"
#include "pool.hpp"
#include "runtime.hpp"

namespace ipmdae {
namespace {

// Threads for a call that does `steps` updates of one state of one channel: waking a thread takes
// as long as some 2^17 of them.
int threads_for(std::int64_t tasks, std::int64_t steps) {
    constexpr std::int64_t kStepsWorthAThread = 1 << 17;
    const std::int64_t useful = std::min(tasks, steps / kStepsWorthAThread);
    return int(std::clamp<std::int64_t>(useful, 1, thread_limit));
}

bool valid(std::int64_t batch, std::int64_t length, std::int64_t d, std::int64_t n) {
    constexpr std::int64_t kLimit = 1 << 24;
    return batch >= 0 && length >= 0 && d >= 0 && d <= kLimit && n >= 1 && n <= kLimit;
}

struct Inputs {
    const float *u, *delta, *A, *B, *C, *D;
    std::int64_t length, d, n;

    ScanItem item(std::int64_t b) const {
        const std::int64_t wide = b * length * d, narrow = b * length * n;
        return {std::ptrdiff_t(length), int(d), int(n), std::ptrdiff_t(n), u + wide,
                delta + wide,           A,      B + narrow, C + narrow,    D};
    }
};

void scan_forward(const Inputs& in, const float* h0, float* y, float* h_last,
                  std::int64_t batch) {
    const Kernels& kernels = *chosen_kernels.load();
    const std::int64_t blocks = (in.d + kernels.width - 1) / kernels.width;
    const std::int64_t state_size = in.d * in.n;
    const int threads = threads_for(batch * blocks, batch * in.length * state_size);
    std::vector<float> own_state;
    if (!h_last) {
        own_state.resize(batch * state_size);
        h_last = own_state.data();
    }
    if (!h0)
        std::fill_n(h_last, batch * state_size, 0.0f);
    else if (h0 != h_last)
        std::copy_n(h0, batch * state_size, h_last);
    Scratch scratch(kernels.forward_scratch(int(in.n)), threads);
    parallel_for(batch * blocks, threads, [&](std::int64_t task, int worker) {
        const NoDenormals guard;
        const std::int64_t b = task / blocks;
        kernels.forward(in.item(b), int(task % blocks), h_last + b * state_size,
                        y + b * in.length * in.d, scratch.slice(worker));
    });
}

// out[i] = sum over b of parts[b][i], in the order of b whatever thread computed a part.
void sum_parts(const std::vector<float>& parts, std::int64_t batch, std::int64_t size,
               float* out) {
    for (std::int64_t i = 0; i < size; ++i) {
        double sum = 0.0;
        for (std::int64_t b = 0; b < batch; ++b) sum += parts[b * size + i];
        out[i] = float(sum);
    }
}

void scan_backward(const Inputs& in, const float* dy, const ScanGradients& gradients,
                   std::int64_t batch) {
    const Kernels& kernels = *chosen_kernels.load();
    const int threads = threads_for(batch, batch * in.length * in.d * in.n);
    std::vector<float> dA(batch * in.d * in.n), dD(batch * in.d);
    if (in.length > 0) {
        Scratch scratch(kernels.backward_scratch(in.item(0)), threads);
        parallel_for(batch, threads, [&](std::int64_t b, int worker) {
            const NoDenormals guard;
            const std::int64_t wide = b * in.length * in.d, narrow = b * in.length * in.n;
            const ScanGradients own = {
                gradients.u + wide,   gradients.delta + wide, dA.data() + b * in.d * in.n,
                gradients.B + narrow, gradients.C + narrow,   dD.data() + b * in.d,
            };
            kernels.backward(in.item(b), dy + wide, own, scratch.slice(worker));
        });
    }
    sum_parts(dA, batch, in.d * in.n, gradients.A);
    sum_parts(dD, batch, in.d, gradients.D);
}

}  // namespace
}  // namespace ipmdae

extern "C" {

const char* ipmdae_instruction_set() { return ipmdae::chosen_kernels.load()->name; }

int ipmdae_set_instruction_set(const char* name) {
    const ipmdae::Kernels* kernels = ipmdae::find_kernels(name);
    if (!kernels) return 1;
    ipmdae::chosen_kernels = kernels;
    return 0;
}

void ipmdae_set_threads(int threads) { ipmdae::thread_limit = std::clamp(threads, 1, 1024); }

int ipmdae_scan_forward(const float* u, const float* delta, const float* A, const float* B,
                        const float* C, const float* D, const float* h0, float* y, float* h_last,
                        int64_t batch, int64_t length, int64_t d, int64_t n) {
    if (!ipmdae::valid(batch, length, d, n)) return 1;
    return ipmdae::guarded([&] {
        ipmdae::scan_forward({u, delta, A, B, C, D, length, d, n}, h0, y, h_last, batch);
    });
}

int ipmdae_scan_backward(const float* u, const float* delta, const float* A, const float* B,
                         const float* C, const float* D, const float* dy, float* du,
                         float* ddelta, float* dA, float* dB, float* dC, float* dD,
                         int64_t batch, int64_t length, int64_t d, int64_t n) {
    if (!ipmdae::valid(batch, length, d, n)) return 1;
    return ipmdae::guarded([&] {
        ipmdae::scan_backward({u, delta, A, B, C, D, length, d, n}, dy,
                              {du, ddelta, dA, dB, dC, dD}, batch);
    });
}

void ipmdae_exp(const float* x, float* y, int64_t count) {
    ipmdae::chosen_kernels.load()->exp(x, y, count);
}

}  // extern "C"

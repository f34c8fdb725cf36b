// The C interface: checks sizes, shares the work out to threads, sums over the batch.
#include <algorithm>
#include <vector>

#include "ipmdae.h"
#include "no_denormals.hpp"
#include "pool.hpp"
#include "runtime.hpp"

namespace ipmdae {
namespace {

struct Inputs {
    const float *u, *delta, *A, *B, *C, *D;
    std::int64_t length, d, n;
    std::int64_t row;  // from one time of B to the next, and of C

    ScanItem item(std::int64_t b) const {
        const std::int64_t wide = b * length * d, narrow = b * length * row;
        return {std::ptrdiff_t(length), int(d), int(n), std::ptrdiff_t(row), u + wide,
                delta + wide,           A,      B + narrow, C + narrow,      D};
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

// Calls run(item number, its gradients, scratch) for every item, and sums up those of A and of D.
template <class Run>
void scan_backward(const Inputs& in, const ScanGradients& gradients, std::int64_t batch,
                   std::size_t (*scratch_size)(const ScanItem&), const Run& run) {
    const int threads = threads_for(batch, batch * in.length * in.d * in.n);
    std::vector<float> dA(batch * in.d * in.n), dD(batch * in.d);
    if (in.length > 0) {
        Scratch scratch(scratch_size(in.item(0)), threads);
        parallel_for(batch, threads, [&](std::int64_t b, int worker) {
            const NoDenormals guard;
            const std::int64_t wide = b * in.length * in.d, narrow = b * in.length * in.n;
            const ScanGradients own = {
                gradients.u + wide,   gradients.delta + wide, dA.data() + b * in.d * in.n,
                gradients.B + narrow, gradients.C + narrow,   dD.data() + b * in.d,
            };
            run(b, own, scratch.slice(worker));
        });
    }
    sum_parts(dA, batch, in.d * in.n, gradients.A);
    sum_parts(dD, batch, in.d, gradients.D);
}

void plain_backward(const Inputs& in, const float* dy, const ScanGradients& gradients,
                    std::int64_t batch) {
    const Kernels& kernels = *chosen_kernels.load();
    scan_backward(in, gradients, batch, kernels.backward_scratch,
                  [&](std::int64_t b, const ScanGradients& own, float* scratch) {
                      kernels.backward(in.item(b), dy + b * in.length * in.d, own, scratch);
                  });
}

struct Gates {
    const float* z;
    std::int64_t row;

    Gate item(std::int64_t b, std::int64_t length) const {
        return {std::ptrdiff_t(row), z + b * length * row};
    }
};

void gated_forward(const Inputs& in, const Gates& gates, float* y, float* out,
                   std::int64_t batch) {
    const Kernels& kernels = *chosen_kernels.load();
    const int threads = threads_for(batch, batch * in.length * in.d * in.n);
    Scratch scratch(kernels.gated_scratch(in.item(0)), threads);
    parallel_for(batch, threads, [&](std::int64_t b, int worker) {
        const NoDenormals guard;
        const std::int64_t at = b * in.length * in.d;
        kernels.gated_forward(in.item(b), gates.item(b, in.length), y + at, out + at,
                              scratch.slice(worker));
    });
}

void gated_backward(const Inputs& in, const Gates& gates, const float* y, const float* dout,
                    const ScanGradients& gradients, float* dz, std::int64_t batch) {
    const Kernels& kernels = *chosen_kernels.load();
    scan_backward(in, gradients, batch, kernels.gated_scratch,
                  [&](std::int64_t b, const ScanGradients& own, float* scratch) {
                      const std::int64_t at = b * in.length * in.d;
                      kernels.gated_backward(in.item(b), gates.item(b, in.length), y + at,
                                             dout + at, own, dz + at, scratch);
                  });
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
        ipmdae::scan_forward({u, delta, A, B, C, D, length, d, n, n}, h0, y, h_last, batch);
    });
}

int ipmdae_scan_backward(const float* u, const float* delta, const float* A, const float* B,
                         const float* C, const float* D, const float* dy, float* du,
                         float* ddelta, float* dA, float* dB, float* dC, float* dD,
                         int64_t batch, int64_t length, int64_t d, int64_t n) {
    if (!ipmdae::valid(batch, length, d, n)) return 1;
    return ipmdae::guarded([&] {
        ipmdae::plain_backward({u, delta, A, B, C, D, length, d, n, n}, dy,
                               {du, ddelta, dA, dB, dC, dD}, batch);
    });
}

int ipmdae_gated_scan_forward(const float* u, const float* s, const float* A, const float* B,
                              const float* C, const float* D, const float* z, float* y, float* out,
                              int64_t batch, int64_t length, int64_t d, int64_t n, int64_t row,
                              int64_t z_row) {
    if (!ipmdae::valid(batch, length, d, n)) return 1;
    return ipmdae::guarded([&] {
        ipmdae::gated_forward({u, s, A, B, C, D, length, d, n, row}, {z, z_row}, y, out, batch);
    });
}

int ipmdae_gated_scan_backward(const float* u, const float* s, const float* A, const float* B,
                               const float* C, const float* D, const float* z, const float* y,
                               const float* dout, float* du, float* ds, float* dA, float* dB,
                               float* dC, float* dD, float* dz, int64_t batch, int64_t length,
                               int64_t d, int64_t n, int64_t row, int64_t z_row) {
    if (!ipmdae::valid(batch, length, d, n)) return 1;
    return ipmdae::guarded([&] {
        ipmdae::gated_backward({u, s, A, B, C, D, length, d, n, row}, {z, z_row}, y, dout,
                               {du, ds, dA, dB, dC, dD}, dz, batch);
    });
}

void ipmdae_exp(const float* x, float* y, int64_t count) {
    ipmdae::chosen_kernels.load()->exp(x, y, count);
}

}  // extern "C"

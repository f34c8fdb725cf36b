// What all functions of the C interface share: the settings, working memory, errors.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <vector>

#include "kernels.hpp"

namespace ipmdae {

[[noreturn]] inline void out_of_memory() {
#if defined(__cpp_exceptions)
    throw std::bad_alloc();
#else
    std::abort();
#endif
}

inline std::atomic<int> thread_limit{1};
inline std::atomic<const Kernels*> chosen_kernels{find_kernels(nullptr)};

// Whether arrays (batch, length, d) and (d, n) may have these sizes.
inline bool valid(std::int64_t batch, std::int64_t length, std::int64_t d, std::int64_t n) {
    constexpr std::int64_t kLimit = 1 << 24;
    return batch >= 0 && length >= 0 && d >= 0 && d <= kLimit && n >= 1 && n <= kLimit;
}

// Floats aligned for the widest vectors, a slice for each of `slices` workers.
class Scratch {
public:
    Scratch(std::uint64_t floats, int slices)
        : stride_(checked_stride(floats, slices)),
          memory_(new char[stride_ * slices + kAlignment]) {
        const auto address = reinterpret_cast<std::uintptr_t>(memory_.get());
        start_ = memory_.get() + (kAlignment - address % kAlignment) % kAlignment;
    }
    float* slice(int index) { return reinterpret_cast<float*>(start_ + stride_ * index); }

private:
    static constexpr std::size_t kAlignment = 64;

    static std::size_t checked_stride(std::uint64_t floats, int slices) {
        constexpr std::uint64_t kMost = std::numeric_limits<std::ptrdiff_t>::max() / 2;
        if (floats > kMost / sizeof(float) / slices - kAlignment) out_of_memory();
        return std::size_t((floats * sizeof(float) + kAlignment - 1) / kAlignment * kAlignment);
    }

    std::size_t stride_;
    std::unique_ptr<char[]> memory_;
    char* start_;
};

// Threads for a call that does `steps` updates of one state of one channel: waking a thread takes
// as long as some 2^17 of them.
inline int threads_for(std::int64_t tasks, std::int64_t steps) {
    constexpr std::int64_t kStepsWorthAThread = 1 << 17;
    const std::int64_t useful = std::min(tasks, steps / kStepsWorthAThread);
    return int(std::clamp<std::int64_t>(useful, 1, thread_limit));
}

// out[i] = sum over b of parts[b][i], in the order of b whatever thread computed a part.
inline void sum_parts(const std::vector<float>& parts, std::int64_t batch, std::int64_t size,
                      float* out) {
    for (std::int64_t i = 0; i < size; ++i) {
        double sum = 0.0;
        for (std::int64_t b = 0; b < batch; ++b) sum += parts[b * size + i];
        out[i] = float(sum);
    }
}

// Exceptions stop at the C interface. Compiled without them, as for WebAssembly, the library aborts
// where memory runs out.
template <class Body>
int guarded(const Body& body) {
#if defined(__cpp_exceptions)
    try {
        body();
        return 0;
    } catch (const std::bad_alloc&) {
        return 2;
    }
#else
    body();
    return 0;
#endif
}

}  // namespace ipmdae

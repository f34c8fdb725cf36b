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

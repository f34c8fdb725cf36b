// Memory for weights and for working arrays. Rows of channels are padded to whole vectors, with
// zeros, so that no loop over channels has a remainder. What runs only when a network is opened is
// marked cold: that is to be small.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

#include "simd.hpp"

namespace {

inline int vectors_for(int channels) { return (channels + kWidth - 1) / kWidth; }
inline int padded(int channels) { return vectors_for(channels) * kWidth; }

constexpr std::size_t kAlignment = 64;

// Weights: zero until they are set.
class Floats {
public:
    Floats() = default;
    [[gnu::cold]] explicit Floats(std::size_t count)
        : data_(static_cast<float*>(
              ::operator new(count * sizeof(float), std::align_val_t(kAlignment)))) {
        std::memset(data_.get(), 0, count * sizeof(float));
    }
    // The values at `from`, padded to whole vectors.
    [[gnu::cold]] Floats(const float* from, int count) : Floats(padded(count)) {
        std::memcpy(data_.get(), from, count * sizeof(float));
    }
    float& operator[](std::size_t index) { return data_.get()[index]; }
    const float* data() const { return data_.get(); }
    const Vec* vectors() const { return reinterpret_cast<const Vec*>(data_.get()); }

private:
    struct Release {
        void operator()(float* data) const {
            ::operator delete(data, std::align_val_t(kAlignment));
        }
    };
    std::unique_ptr<float, Release> data_;
};

// Hands out aligned slices of a caller's memory one after the other. Without memory it only counts,
// in 64 bits everywhere. Pass a copy where what is taken is free again on return.
class Arena {
public:
    explicit Arena(float* start) : start_(start) {}

    float* take(std::uint64_t floats) {
        constexpr std::uint64_t kLine = kAlignment / sizeof(float);
        const std::uint64_t offset = used_;
        used_ += (floats + kLine - 1) / kLine * kLine;
        return start_ ? start_ + offset : nullptr;
    }
    std::uint64_t used() const { return used_; }

private:
    float* start_;
    std::uint64_t used_ = 0;
};

// The tensors of a network, in the order in which Python lists them.
class Tensors {
public:
    explicit Tensors(const float* const* first) : next_(first) {}
    const float* next() { return *next_++; }

private:
    const float* const* next_;
};

// A signal in time: rows of `width` channels, with `margin` rows of zeros before and after them,
// so that a convolution reads beyond its ends.
struct Signal {
    float* start;
    std::ptrdiff_t length;
    int width;

    Signal() = default;
    Signal(Arena& arena, std::ptrdiff_t samples, int channels, int margin)
        : length(samples), width(channels) {
        const std::uint64_t border = std::uint64_t(margin) * width;
        const std::uint64_t inside = std::uint64_t(length) * width;
        start = arena.take(inside + 2 * border);
        if (!start) return;
        std::memset(start, 0, border * sizeof(float));
        start += border;
        std::memset(start + inside, 0, border * sizeof(float));
    }
    float* row(std::ptrdiff_t t) const { return start + t * width; }
};

}  // namespace

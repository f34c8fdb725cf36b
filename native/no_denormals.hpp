// While one lives, its thread takes and gives zero for denormal numbers, then as before.
//
// States decay towards zero over a flat signal, and arithmetic on denormals is up to a hundred
// times slower on some processors. Only the thread's own mode is changed, never the process's.
#pragma once

#if defined(__SSE2__)
#include <xmmintrin.h>
#elif defined(__aarch64__)
#include <cstdint>
#endif

namespace ipmdae {

class NoDenormals {
public:
#if defined(__SSE2__)
    NoDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlushToZero | kDenormalsAreZero); }
    ~NoDenormals() { _mm_setcsr(before_); }

private:
    static constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
    unsigned before_;
#elif defined(__aarch64__)
    NoDenormals() {
        __asm__ volatile("mrs %0, fpcr" : "=r"(before_));
        __asm__ volatile("msr fpcr, %0" : : "r"(before_ | kFlushToZero));
    }
    ~NoDenormals() { __asm__ volatile("msr fpcr, %0" : : "r"(before_)); }

private:
    static constexpr std::uint64_t kFlushToZero = std::uint64_t{1} << 24;
    std::uint64_t before_;
#else
    NoDenormals() {}
#endif
public:
    NoDenormals(const NoDenormals&) = delete;
    NoDenormals& operator=(const NoDenormals&) = delete;
};

}  // namespace ipmdae

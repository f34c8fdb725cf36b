// Chooses the kernels for the processor that runs.
#include <cstdlib>
#include <cstring>

#include "kernels.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace ipmdae {

#if defined(__x86_64__)

extern const Kernels sse42;
extern const Kernels avx2;
extern const Kernels avx512;

namespace {

// Registers that the operating system saves at a task switch (XCR0).
unsigned saved_registers() {
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

struct Features {
    bool sse42 = false, avx2 = false, avx512 = false;

    Features() {
        unsigned a, b, c, d;
        if (!__get_cpuid(1, &a, &b, &c, &d)) return;
        sse42 = c & bit_SSE4_2;
        const bool fma = c & bit_FMA;
        if (!(c & bit_OSXSAVE) || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return;
        const unsigned saved = saved_registers();
        constexpr unsigned kYmm = 0x06, kZmm = 0xe6;
        constexpr unsigned k512 = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
        avx2 = fma && (b & bit_AVX2) && (saved & kYmm) == kYmm;
        avx512 = avx2 && (b & k512) == k512 && (saved & kZmm) == kZmm;
    }
};

}  // namespace

const Kernels* find_kernels(const char* name) {
    const Features features;
    const struct {
        const Kernels* kernels;
        bool runs;
    } widest_first[] = {{&avx512, features.avx512}, {&avx2, features.avx2}, {&sse42, features.sse42}};
    for (const auto& [kernels, runs] : widest_first)
        if (runs && (!name || std::strcmp(name, kernels->name) == 0)) return kernels;
    return nullptr;
}

#else

extern const Kernels generic;

const Kernels* find_kernels(const char* name) {
    return !name || std::strcmp(name, generic.name) == 0 ? &generic : nullptr;
}

#endif

}  // namespace ipmdae

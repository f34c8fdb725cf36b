// What the library takes from a C++ runtime and from threads elsewhere, in a few lines: WebAssembly
// gets neither exceptions nor threads, and no C++ library, which would be larger than the network.
#include <cstddef>
#include <cstdlib>
#include <new>

#include "../pool.hpp"

namespace ipmdae {

void parallel_for(std::int64_t tasks, int, const std::function<void(std::int64_t, int)>& task) {
    for (std::int64_t index = 0; index < tasks; ++index) task(index, 0);
}

}  // namespace ipmdae

namespace {

void* allocate(std::size_t size, std::size_t alignment) {
    void* memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (!memory) std::abort();
    return memory;
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size, alignof(std::max_align_t)); }
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return allocate(size, std::size_t(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }

// Called by libc++'s headers where they would throw.
_LIBCPP_BEGIN_NAMESPACE_STD
[[noreturn]] void __libcpp_verbose_abort(const char*, ...) noexcept { std::abort(); }
_LIBCPP_END_NAMESPACE_STD

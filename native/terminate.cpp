// A C++ library would print the name of an exception that nobody catches, and brings a demangler
// for that: 50 KB of GCC's, 150 KB of LLVM's. With this, linked before it, such an exception just
// ends the process.
#include <cstdlib>

#if defined(__GLIBCXX__)
namespace __gnu_cxx {

void __verbose_terminate_handler() { std::abort(); }

}  // namespace __gnu_cxx
#elif defined(_LIBCPP_VERSION)
extern "C" {

// The variables of libc++abi that hold its handlers.
extern void (*__cxa_terminate_handler)();
extern void (*__cxa_unexpected_handler)();
extern void (*__cxa_new_handler)();
void (*__cxa_terminate_handler)() = std::abort;
void (*__cxa_unexpected_handler)() = std::abort;
void (*__cxa_new_handler)() = nullptr;

}  // extern "C"
#endif

// GCC's C++ library would print the name of an exception that nobody catches, and brings 50 KB of
// a demangler for that. With this, linked before it, such an exception just ends the process.
#include <cstdlib>

#if defined(__GLIBCXX__)
namespace __gnu_cxx {

void __verbose_terminate_handler() { std::abort(); }

}  // namespace __gnu_cxx
#endif

// The one file that knows the folder of the build: all others are the same for each build, which a cache of
// the compiler needs.
#include "support/built_programs.hpp"

namespace tsock::test {

#if defined(TSOCK_EXAMPLES_DIRECTORY)
std::string built_example(const std::string& name) { return TSOCK_EXAMPLES_DIRECTORY "/" + name; }
#endif

#if defined(TSOCK_CAT_EXECUTABLE)
std::string built_tsock_cat() { return TSOCK_CAT_EXECUTABLE; }
#endif

}  // namespace tsock::test

#pragma once

#include <string>

/// The programs that the build makes beside the tests; for integration tests, which depend on them.
namespace tsock::test {

/// Path of an example of the guide. With TSOCK_WITH_EXAMPLES alone.
[[nodiscard]] std::string built_example(const std::string& name);

/// Path of tsock-cat. With TSOCK_WITH_TSOCK_CAT alone.
[[nodiscard]] std::string built_tsock_cat();

}  // namespace tsock::test

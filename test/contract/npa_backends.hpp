#pragma once

#include <vector>

#include "contract/backends.hpp"

namespace tsock::test {

/// NPA in byte mode. (In message mode a write is not longer than a message, and what is written together is
/// done together: test/unit/npa_message_test.cpp has that.)
[[nodiscard]] std::vector<Backend> npa_backends();

}  // namespace tsock::test

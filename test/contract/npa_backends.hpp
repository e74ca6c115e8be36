#pragma once

#include <vector>

#include "contract/backends.hpp"

namespace tsock::test {

/// NPA in both modes.
[[nodiscard]] std::vector<Backend> npa_backends();

}  // namespace tsock::test

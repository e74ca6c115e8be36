#pragma once

#include <vector>

#include "contract/backends.hpp"

namespace tsock::test {

/// TLS over different floors.
[[nodiscard]] std::vector<Backend> tls_backends();

}  // namespace tsock::test

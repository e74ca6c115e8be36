#pragma once

#include <vector>

#include "contract/backends.hpp"

namespace tsock::test {

/// The security layer of DIGEST-MD5 over different floors.
[[nodiscard]] std::vector<Backend> sasl_backends();

}  // namespace tsock::test

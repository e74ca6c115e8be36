#pragma once

#include <vector>

#include "contract/backends.hpp"

namespace tsock::test {

/// GSSAPI with Kerberos over different floors; none where no KDC can be started.
[[nodiscard]] std::vector<Backend> gssapi_backends();

}  // namespace tsock::test

#pragma once

#include <string>

namespace tsock::inline v0::sasl {

/// Loads the mechanisms of both sides, once in the process, which libsasl2 counts: whoever else uses it may
/// come and go. They are never unloaded, as nobody knows who the last user is. From any thread.
/// \return 0 or an errno value with `reason`
int load_library(std::string& reason);

}  // namespace tsock::inline v0::sasl

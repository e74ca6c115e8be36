#pragma once

#include <string>

#include "options.hpp"

namespace CLI {
class App;
}

namespace tsock_cat {

/// The options for TLS, NPA, GSSAPI and SASL.
void add_security_options(CLI::App& app, Options& options);

/// Checks them against the endpoints, and tells these of their layers. \return false with `error`, a sentence
/// for the user
[[nodiscard]] bool apply_security_options(const CLI::App& app, Options& options, std::string& error);

}  // namespace tsock_cat

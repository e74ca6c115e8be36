#pragma once

#include <string>

#include "options.hpp"

namespace tsock_cat {

/// Gives the layer to the last ADDRESS of streams that listens, or that connects. `option` is who wants it.
/// \return false with `error`, a sentence for the user
[[nodiscard]] bool put_layer(Options& options, bool listens, Endpoint::Layer layer, const char* option,
                             std::string& error);

}  // namespace tsock_cat

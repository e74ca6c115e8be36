#pragma once

#include <string>

namespace tsock::inline v0::npa {

/// Makes `np` in the directory if it is missing, and checks that nobody else can put a socket into it.
/// \return 0, or an errno value: see `npa::listen()`. Throws std::bad_alloc.
int prepare_pipe_directory(const std::string& directory, std::string& reason);

}  // namespace tsock::inline v0::npa

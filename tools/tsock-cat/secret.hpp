#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "failure.hpp"

namespace tsock_cat {

/// ExitCode::local_io for a file. \param text instead of the errno value's, or empty
[[nodiscard]] Failure file_failure(const std::string& path, const std::string& text, int err);

/// The content of a file with a secret. One that others can read or write is refused unless that is allowed.
[[nodiscard]] std::optional<std::string> read_secret(const std::string& path, bool allow_readable,
                                                     Failure& failure);

/// What can be read from a descriptor up to its end; it is closed then.
[[nodiscard]] std::optional<std::string> read_secret_from(int descriptor, Failure& failure);

[[nodiscard]] std::string first_line(std::string text);

/// Overwrites the text.
void wipe(std::string& text) noexcept;

}  // namespace tsock_cat

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tsock_cat {

/// Splits the text of exec: into the program and its arguments, as a shell would that knows only blanks,
/// quotes and backslashes: '...' is as it is, in "..." a backslash is one before " and \, elsewhere it takes
/// the meaning from what follows. On failure no value, and `error` says why.
[[nodiscard]] std::optional<std::vector<std::string>> split_program(std::string_view text,
                                                                    std::string& error);

}  // namespace tsock_cat

#pragma once

#include <cstdio>

/// Files with keys; posix_key_file.cpp, windows_key_file.cpp.
namespace tsock::inline v0::tls {

/// Opens a file for reading; programs that are started do not inherit it. \return nullptr with errno
[[nodiscard]] std::FILE* open_key_file(const char* path) noexcept;

/// Whether all users of the system may read or write the file. \return 0 or an errno value
int look_who_reads(std::FILE* file, bool& others) noexcept;

}  // namespace tsock::inline v0::tls

#pragma once

#include <cstdint>

namespace tsock {

/// How `open_file()` opens a file.
enum class FileMode : std::uint8_t {
  read,        ///< it must exist
  write,       ///< made when missing (mode 0666 less the umask), emptied otherwise
  append,      ///< made when missing; every write goes to the end of the file at that moment
  read_write,  ///< made when missing, kept otherwise; reads and writes share one place, at first the start
};

}  // namespace tsock

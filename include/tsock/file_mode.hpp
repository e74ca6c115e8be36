#pragma once

#include <cstdint>

namespace tsock::inline v0 {

/// How `open_file()` opens a file.
enum class FileMode : std::uint8_t {
  read,        ///< the file must exist
  write,       ///< created if missing (mode 0666 less the umask), emptied otherwise
  append,      ///< created if missing; every write goes to the current end of the file
  read_write,  ///< created if missing, kept otherwise; reads and writes share one position, initially the
               ///< start
};

}  // namespace tsock::inline v0

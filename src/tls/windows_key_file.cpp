#include "tls/key_file.hpp"

namespace tsock::inline v0::tls {

std::FILE* open_key_file(const char* path) noexcept { return std::fopen(path, "rbN"); }

// Who may read it is a matter of access control lists, which files have from their folder.
int look_who_reads(std::FILE* /*file*/, bool& others) noexcept {
  others = false;
  return 0;
}

}  // namespace tsock::inline v0::tls

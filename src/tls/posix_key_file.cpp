#include <sys/stat.h>

#include <cerrno>

#include "tls/key_file.hpp"

namespace tsock::inline v0::tls {

std::FILE* open_key_file(const char* path) noexcept { return std::fopen(path, "rbe"); }

int look_who_reads(std::FILE* file, bool& others) noexcept {
  struct stat status {};
  if (::fstat(::fileno(file), &status) != 0) return errno;
  others = (status.st_mode & (S_IROTH | S_IWOTH)) != 0;
  return 0;
}

}  // namespace tsock::inline v0::tls

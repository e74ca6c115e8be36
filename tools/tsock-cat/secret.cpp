#include "secret.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

namespace tsock_cat {
namespace {

struct SecretFileClose {
  void operator()(std::FILE* file) const noexcept { static_cast<void>(std::fclose(file)); }
};
using SecretFile = std::unique_ptr<std::FILE, SecretFileClose>;

std::optional<std::string> read_all(std::FILE* file, const std::string& name, Failure& failure) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), file))
    text.append(buffer.data(), got);
  if (std::ferror(file) == 0) return text;
  failure = file_failure(name, "", EIO);
  return std::nullopt;
}

}  // namespace

Failure file_failure(const std::string& path, const std::string& text, int err) {
  Failure failure;
  failure.code = ExitCode::local_io;
  failure.what = path;
  failure.text = text;
  failure.err = err;
  return failure;
}

std::optional<std::string> read_secret(const std::string& path, bool allow_readable, Failure& failure) {
  const SecretFile file(std::fopen(path.c_str(), "rbe"));
  struct stat status {};
  if (file == nullptr || ::fstat(::fileno(file.get()), &status) != 0) {
    failure = file_failure(path, "", errno);
    return std::nullopt;
  }
  if (!allow_readable && (status.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    failure = file_failure(path, "others may read or write this secret", EACCES);
    return std::nullopt;
  }
  return read_all(file.get(), path, failure);
}

std::optional<std::string> read_secret_from(int descriptor, Failure& failure) {
  const std::string name = "descriptor " + std::to_string(descriptor);
  const SecretFile file(::fdopen(descriptor, "rb"));
  if (file != nullptr) return read_all(file.get(), name, failure);
  failure = file_failure(name, "", errno);
  return std::nullopt;
}

std::string first_line(std::string text) {
  text.resize(std::min(text.find_first_of("\r\n"), text.size()));
  return text;
}

void wipe(std::string& text) noexcept {
  volatile char* const bytes = text.data();
  for (std::size_t i = 0; i < text.size(); ++i) bytes[i] = 0;
}

}  // namespace tsock_cat

#include "secret.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "system.hpp"

namespace tsock_cat {
namespace {

struct SecretFileClose {
  void operator()(std::FILE* file) const noexcept { static_cast<void>(std::fclose(file)); }
};
using SecretFile = std::unique_ptr<std::FILE, SecretFileClose>;

void wipe(char* characters, std::size_t count) noexcept {
  volatile char* const place = characters;
  for (std::size_t i = 0; i < count; ++i) place[i] = 0;
}

std::optional<Secret> read_all(std::FILE* file, const std::string& name, Failure& failure) {
  // A buffer of the file would not be wiped.
  static_cast<void>(std::setvbuf(file, nullptr, _IONBF, 0));
  std::optional<Secret> secret(std::in_place);
  std::vector<char> buffer(4096);
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), file))
    secret->append({buffer.data(), got});
  wipe(buffer.data(), buffer.size());
  if (std::ferror(file) == 0) return secret;
  failure = file_failure(name, "", EIO);
  return std::nullopt;
}

}  // namespace

Secret::~Secret() { wipe(characters_.data(), characters_.size()); }

void Secret::append(std::string_view more) {
  if (characters_.capacity() - characters_.size() < more.size()) {
    std::vector<char> grown;
    grown.reserve(std::max(2 * characters_.size(), characters_.size() + more.size()));
    grown.assign(characters_.begin(), characters_.end());
    wipe(characters_.data(), characters_.size());
    characters_.swap(grown);
  }
  characters_.insert(characters_.end(), more.begin(), more.end());
}

Secret Secret::first_line() const { return Secret(text().substr(0, text().find_first_of("\r\n"))); }

Failure file_failure(const std::string& path, const std::string& text, int err) {
  Failure failure;
  failure.code = ExitCode::local_io;
  failure.what = path;
  failure.text = text;
  failure.err = err;
  return failure;
}

std::optional<Secret> read_secret(const std::string& path, bool allow_readable, Failure& failure) {
  const SecretFile file(open_private(path.c_str()));
  bool others = false;
  const int err = file == nullptr ? errno : look_who_reads(file.get(), others);
  if (err != 0) {
    failure = file_failure(path, "", err);
    return std::nullopt;
  }
  if (!allow_readable && others) {
    failure = file_failure(path, "others may read or write this secret", EACCES);
    return std::nullopt;
  }
  return read_all(file.get(), path, failure);
}

std::optional<Secret> read_secret_from(int descriptor, Failure& failure) {
  const std::string name = "descriptor " + std::to_string(descriptor);
  const SecretFile file(::fdopen(descriptor, "rb"));
  if (file != nullptr) return read_all(file.get(), name, failure);
  failure = file_failure(name, "", errno);
  return std::nullopt;
}

std::optional<Secret> take_secret_variable(const char* name) {
  char* const value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  std::optional<Secret> secret(std::in_place, value);
  wipe(value, std::strlen(value));
  remove_variable(name);
  return secret;
}

}  // namespace tsock_cat

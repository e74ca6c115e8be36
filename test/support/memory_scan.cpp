#include "support/memory_scan.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>
#include <tsock/unique_fd.hpp>

#include "support/random.hpp"
#include "support/sanitizer.hpp"

namespace tsock::test {

namespace {

constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr const char* own_memory = "/proc/self/mem";
constexpr std::size_t sought_bytes = 14;
constexpr std::size_t scan_room = std::size_t{1} << 20;
constexpr auto mask = static_cast<unsigned char>(0xa5);

/// The end of a text, kept in a form that is not found itself. It takes no memory from the heap, where it
/// could get, and wipe, the block that is sought.
class Needle {
 public:
  void append(char character) noexcept {
    std::rotate(bytes_.begin(), bytes_.begin() + 1, bytes_.end());
    bytes_.back() = static_cast<unsigned char>(character) ^ mask;
  }
  /// The next place where its first byte is, which is sought much faster than the rest; null for none.
  [[nodiscard]] const unsigned char* next(const unsigned char* begin,
                                          const unsigned char* end) const noexcept {
    const void* const place = std::memchr(begin, bytes_[0] ^ mask, static_cast<std::size_t>(end - begin));
    return static_cast<const unsigned char*>(place);
  }
  [[nodiscard]] bool is_at(const unsigned char* place) const noexcept {
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
      if ((place[i] ^ mask) != bytes_[i]) return false;
    }
    return true;
  }

 private:
  std::array<unsigned char, sought_bytes> bytes_{};
};

/// Memory for the scan, which is not looked into.
class ScanRoom {
 public:
  ScanRoom()
      : room_(static_cast<unsigned char*>(
            ::mmap(nullptr, scan_room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    if (room_ == MAP_FAILED) std::abort();
  }
  ScanRoom(const ScanRoom&) = delete;
  ScanRoom& operator=(const ScanRoom&) = delete;
  ~ScanRoom() { ::munmap(room_, scan_room); }
  [[nodiscard]] unsigned char* get() const noexcept { return room_; }
  [[nodiscard]] bool holds(std::uintptr_t place) const noexcept {
    const auto begin = reinterpret_cast<std::uintptr_t>(room_);
    return place >= begin && place < begin + scan_room;
  }

 private:
  unsigned char* room_;
};

std::string find(const Needle& needle) {
  std::ostringstream found;
  const ScanRoom room;
  const UniqueFd memory(::open(own_memory, O_RDONLY | O_CLOEXEC));
  std::ifstream maps("/proc/self/maps");
  if (!memory || !maps) return "the memory cannot be read";
  std::string line;
  while (std::getline(maps, line)) {
    unsigned long begin = 0;
    unsigned long end = 0;
    std::array<char, 5> access{};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, access.data()) != 3) continue;
    if (access[1] != 'w' || line.find("[v") != std::string::npos) continue;
    for (std::uintptr_t place = begin; place + sought_bytes <= end;) {
      const std::size_t wanted = std::min<std::size_t>(end - place, scan_room);
      const ssize_t got = ::pread(memory.get(), room.get(), wanted, static_cast<off_t>(place));
      if (got < static_cast<ssize_t>(sought_bytes)) break;
      const std::size_t last = static_cast<std::size_t>(got) - sought_bytes;
      const unsigned char* const begins_end = room.get() + last + 1;
      for (const unsigned char* at = room.get(); (at = needle.next(at, begins_end)) != nullptr; ++at) {
        const std::uintptr_t address = place + static_cast<std::size_t>(at - room.get());
        if (needle.is_at(at) && !room.holds(address))
          found << std::hex << "\nat 0x" << address << " of " << line;
      }
      place += last + 1;
    }
  }
  std::string words = found.str();
  return words.empty() ? std::string(nowhere) : words;
}

}  // namespace

MarkedSecret::MarkedSecret(std::size_t size) : seed_(std::random_device()()), size_(size) {}

template <class Append>
void MarkedSecret::spell(Append append) const {
  Random random(seed_);
  for (std::size_t i = 0; i < size_; ++i) append(base64_digits[random.below(base64_digits.size() - 2)]);
}

std::string MarkedSecret::text() const {
  std::string text;
  text.reserve(size_);
  spell([&text](char character) { text += character; });
  return text;
}

std::string MarkedSecret::copies() const {
  Needle needle;
  spell([&needle](char character) { needle.append(character); });
  return find(needle);
}

std::string MarkedSecret::copies_in_base64(std::string_view prefix) const {
  Needle needle;
  unsigned group = 0;
  std::size_t count = 0;
  const auto append = [&](char character) {
    group = group << 8U | static_cast<unsigned char>(character);
    if (++count % 3 != 0) return;
    for (unsigned shift = 24; shift != 0; shift -= 6)
      needle.append(base64_digits[group >> (shift - 6) & 0x3fU]);
    group = 0;
  };
  for (const char character : prefix) append(character);
  spell(append);
  return find(needle);
}

void MarkedSecret::wipe(std::string& text) noexcept {
  volatile char* const bytes = text.data();
  for (std::size_t i = 0; i < text.size(); ++i) bytes[i] = 0;
}

boost::test_tools::assertion_result memory_can_be_scanned(boost::unit_test::test_unit_id /*id*/) {
  boost::test_tools::assertion_result can{TSOCK_TEST_ADDRESS_SANITIZER == 0 &&
                                          TSOCK_TEST_THREAD_SANITIZER == 0 &&
                                          ::access(own_memory, R_OK) == 0};
  can.message() << "no scan of memory under a sanitizer, nor without " << own_memory;
  return can;
}

}  // namespace tsock::test

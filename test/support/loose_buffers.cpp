#include "support/loose_buffers.hpp"

#include <algorithm>
#include <deque>

#include "support/sanitizer.hpp"

namespace tsock::test {

namespace {

constexpr bool keeps_buffers = TSOCK_TEST_ADDRESS_SANITIZER == 0;

constexpr std::byte mark{0xdb};
constexpr std::size_t kept_buffers = 64;

struct Kept {
  std::unique_ptr<std::byte[]> bytes;
  std::size_t size;
  [[nodiscard]] bool is_whole() const {
    return std::all_of(bytes.get(), bytes.get() + size, [](std::byte b) { return b == mark; });
  }
};

std::deque<Kept>& kept() {
  static std::deque<Kept> list;
  return list;
}

bool written_late = false;

}  // namespace

std::span<std::byte> LooseBuffers::add(std::size_t size) {
  parts_.push_back({std::make_unique<std::byte[]>(size), size});
  return {parts_.back().bytes.get(), size};
}

std::vector<iovec> LooseBuffers::vectors() const {
  std::vector<iovec> list;
  list.reserve(parts_.size());
  for (const Part& part : parts_) list.push_back(iovec{part.bytes.get(), part.size});
  return list;
}

void LooseBuffers::clear() noexcept {
  if (keeps_buffers) {
    for (Part& part : parts_) {
      std::fill_n(part.bytes.get(), part.size, mark);
      kept().push_back({std::move(part.bytes), part.size});
      if (kept().size() > kept_buffers) {
        written_late = written_late || !kept().front().is_whole();
        kept().pop_front();
      }
    }
  }
  parts_.clear();
}

bool LooseBuffers::was_written_late() noexcept {
  for (const Kept& buffer : kept()) written_late = written_late || !buffer.is_whole();
  kept().clear();
  return std::exchange(written_late, false);
}

}  // namespace tsock::test

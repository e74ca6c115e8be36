#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <tsock/buffer.hpp>
#include <utility>
#include <vector>

namespace tsock::test {

/// Buffers of a caller that are poisoned the moment they are let go. The address sanitizer does that by
/// itself; without it they are kept for a while, filled with a mark, to see whether anybody still writes
/// there.
class LooseBuffers {
 public:
  LooseBuffers() noexcept = default;
  LooseBuffers(LooseBuffers&&) noexcept = default;
  LooseBuffers& operator=(LooseBuffers&& other) noexcept {
    if (this != &other) {
      clear();
      parts_ = std::move(other.parts_);
    }
    return *this;
  }
  LooseBuffers(const LooseBuffers&) = delete;
  LooseBuffers& operator=(const LooseBuffers&) = delete;
  ~LooseBuffers() { clear(); }

  std::span<std::byte> add(std::size_t size);
  [[nodiscard]] std::vector<iovec> vectors() const;
  void clear() noexcept;
  /// Whether somebody wrote into buffers that were let go; looks at all that are kept.
  [[nodiscard]] static bool was_written_late() noexcept;

 private:
  struct Part {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t size = 0;
  };
  std::vector<Part> parts_;
};

}  // namespace tsock::test

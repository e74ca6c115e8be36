#pragma once

#include <cstddef>
#include <memory_resource>

namespace tsock::inline v0::detail {

class LoopCore;

/// The loop's pool as a memory resource, for containers and buffers.
class LoopMemory final : public std::pmr::memory_resource {
 public:
  explicit LoopMemory(LoopCore& core) noexcept : core_(&core) {}

 private:
  void* do_allocate(std::size_t size, std::size_t alignment) override;
  void do_deallocate(void* block, std::size_t size, std::size_t alignment) override;
  [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

  LoopCore* core_;
};

}  // namespace tsock::inline v0::detail

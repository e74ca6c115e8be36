#pragma once

#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <map>
#include <memory_resource>
#include <new>
#include <stdexcept>
#include <utility>

namespace tsock::test {

/// Notes what is out, and can have none.
class CountingMemory final : public std::pmr::memory_resource {
 public:
  std::map<void*, std::pair<std::size_t, std::size_t>> out;
  std::size_t taken = 0;
  bool is_exhausted = false;
  bool throws_another = false;

 private:
  void* do_allocate(std::size_t size, std::size_t alignment) override {
    if (throws_another) throw std::runtime_error("no memory, in other words");
    if (is_exhausted) throw std::bad_alloc();
    void* const block = std::pmr::new_delete_resource()->allocate(size, alignment);
    out[block] = {size, alignment};
    ++taken;
    return block;
  }
  void do_deallocate(void* block, std::size_t size, std::size_t alignment) override {
    const auto place = out.find(block);
    BOOST_TEST_REQUIRE((place != out.end()));
    BOOST_TEST(place->second.first == size);
    BOOST_TEST(place->second.second == alignment);
    out.erase(place);
    std::pmr::new_delete_resource()->deallocate(block, size, alignment);
  }
  [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }
};

}  // namespace tsock::test

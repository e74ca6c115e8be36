#include "core/loop/pool.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <cstring>
#include <random>
#include <set>
#include <vector>

using tsock::detail::is_poisoned;
using tsock::detail::Pool;

BOOST_AUTO_TEST_SUITE(pool)

BOOST_AUTO_TEST_CASE(blocks_of_every_size_are_aligned_apart_and_counted) {
  Pool pool;
  struct Block {
    unsigned char* memory;
    std::size_t size;
    unsigned char fill;
  };
  std::vector<Block> blocks;
  unsigned char fill = 0;
  for (const std::size_t size : {1U, 2U, 31U, 32U, 33U, 64U, 100U, 1000U, 1023U, 1024U, 1025U, 2047U, 2048U,
                                 2049U, 4096U, 65536U, 131072U, 131073U, 1000000U}) {
    for (int i = 0; i < 5; ++i) {
      auto* const memory = static_cast<unsigned char*>(pool.allocate(size));
      BOOST_TEST(reinterpret_cast<std::uintptr_t>(memory) % alignof(std::max_align_t) == 0U);
      BOOST_TEST(Pool::usable_size(size) >= size);
      std::memset(memory, ++fill, Pool::usable_size(size));
      blocks.push_back({memory, size, fill});
    }
  }
  BOOST_TEST(pool.live() == blocks.size());
  for (const Block& block : blocks) {
    for (std::size_t i = 0; i < Pool::usable_size(block.size); ++i) {
      if (block.memory[i] != block.fill) BOOST_FAIL("blocks of " << block.size << " bytes overlap");
    }
    pool.deallocate(block.memory, block.size);
  }
  BOOST_TEST(pool.live() == 0U);
}

BOOST_AUTO_TEST_CASE(trim_gives_back_what_has_no_block_out_and_nothing_else) {
  if (Pool::passes_through()) return;
  Pool pool;
  std::vector<std::pair<unsigned char*, std::size_t>> blocks;
  for (std::size_t i = 0; i < 6000; ++i) {
    const std::size_t size = 16 + i % 40 * 16;
    auto* const memory = static_cast<unsigned char*>(pool.allocate(size));
    std::memset(memory, static_cast<int>(i % 251), size);
    blocks.emplace_back(memory, size);
  }
  BOOST_TEST(pool.trim() < 41U * 16384U);  // at most a slab of each size has no block out
  // Those of the later half go, and every hundredth of the others.
  std::vector<bool> is_out(blocks.size(), true);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (i < 3000 && i % 100 != 0) continue;
    pool.deallocate(blocks[i].first, blocks[i].second);
    is_out[i] = false;
  }
  BOOST_TEST(pool.trim() > 400U * 1024U);
  BOOST_TEST(pool.trim() == 0U);
  for (std::size_t i = 0; i < 6000; ++i) {
    if (is_out[i]) continue;
    blocks[i].first = static_cast<unsigned char*>(pool.allocate(blocks[i].second));
    std::memset(blocks[i].first, static_cast<int>(i % 251), blocks[i].second);
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto [memory, size] = blocks[i];
    if (std::any_of(memory, memory + size, [i](unsigned char byte) { return byte != i % 251; }))
      BOOST_FAIL("block " << i << " was not left alone");
    pool.deallocate(memory, size);
  }
  BOOST_TEST(pool.trim() > 1024U * 1024U);
  BOOST_TEST(pool.live() == 0U);
}

BOOST_AUTO_TEST_CASE(a_peak_that_has_gone_leaves_the_pool_mostly_free_until_it_was_trimmed) {
  if (Pool::passes_through()) return;
  Pool pool;
  std::vector<void*> blocks(40'000);
  const auto take = [&] {
    for (void*& block : blocks) block = pool.allocate(100);
  };
  // All but one of each `kept`.
  const auto free_all_but = [&](std::size_t kept) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      if (kept == 0 || i % kept != 0) pool.deallocate(blocks[i], 100);
    }
  };
  BOOST_TEST(!pool.is_mostly_free());
  take();
  BOOST_TEST(!pool.is_mostly_free());
  free_all_but(100);
  BOOST_TEST(pool.is_mostly_free());
  // What is left has a block in each slab: asking again is of no use before some of them are free, too.
  BOOST_TEST(pool.trim() < 1024U * 1024U);
  BOOST_TEST(!pool.is_mostly_free());
  for (std::size_t i = 0; i < blocks.size() / 2 + 100; i += 100) pool.deallocate(blocks[i], 100);
  BOOST_TEST(pool.is_mostly_free());
  BOOST_TEST(pool.trim() > 1024U * 1024U);
  for (std::size_t i = blocks.size() / 2 + 100; i < blocks.size(); i += 100) pool.deallocate(blocks[i], 100);
  pool.trim();
  BOOST_TEST(pool.live() == 0U);
  BOOST_TEST(!pool.is_mostly_free());
  // A small pool is not worth it.
  blocks.resize(100);
  take();
  free_all_but(0);
  BOOST_TEST(!pool.is_mostly_free());
}

BOOST_AUTO_TEST_CASE(trim_gives_back_large_buffers) {
  if (Pool::passes_through()) return;
  Pool pool;
  pool.deallocate(pool.allocate(4096), 4096);
  pool.deallocate(pool.allocate(100000), 100000);
  BOOST_TEST(pool.trim() == 4096U + 131072U);
  BOOST_TEST(pool.trim() == 0U);
}

BOOST_AUTO_TEST_CASE(random_use_keeps_every_block_intact) {
  Pool pool;
  std::mt19937 random(3);
  struct Block {
    unsigned char* memory;
    std::size_t size;
    unsigned char fill;
  };
  std::vector<Block> blocks;
  for (int step = 0; step < 20000; ++step) {
    if (blocks.empty() || random() % 2 == 0) {
      const std::size_t size = random() % 8 == 0 ? 1 + random() % 200000 : 1 + random() % 1100;
      auto* const memory = static_cast<unsigned char*>(pool.allocate(size));
      const auto fill = static_cast<unsigned char>(random());
      memory[0] = memory[size - 1] = fill;
      blocks.push_back({memory, size, fill});
    } else {
      const std::size_t index = random() % blocks.size();
      const Block block = blocks[index];
      if (block.memory[0] != block.fill || block.memory[block.size - 1] != block.fill)
        BOOST_FAIL("overwritten");
      pool.deallocate(block.memory, block.size);
      blocks[index] = blocks.back();
      blocks.pop_back();
    }
  }
  BOOST_TEST(pool.live() == blocks.size());
  for (const Block& block : blocks) pool.deallocate(block.memory, block.size);
}

#if defined(TSOCK_ADDRESS_SANITIZER)
BOOST_AUTO_TEST_CASE(what_is_free_or_behind_a_block_is_poisoned) {
  if (Pool::passes_through()) return;
  Pool pool;
  for (const std::size_t size : {1U, 16U, 100U, 1024U, 2000U, 4096U, 100000U}) {
    for (int use = 0; use < 2; ++use) {  // from the heap, and again from the free list
      auto* const memory = static_cast<unsigned char*>(pool.allocate(size));
      BOOST_TEST(!is_poisoned(memory, size));
      if (size % 16 != 0) BOOST_TEST(is_poisoned(memory + std::max<std::size_t>(size, 8), 1));
      pool.deallocate(memory, size);
      BOOST_TEST(is_poisoned(memory, 1));
      BOOST_TEST(is_poisoned(memory + size - 1, 1));
    }
  }
}
#endif

BOOST_AUTO_TEST_CASE(a_block_that_came_back_is_used_again) {
  if (Pool::passes_through()) return;
  Pool pool;
  for (const std::size_t size : {100U, 1024U, 4000U, 100000U}) {
    void* const first = pool.allocate(size);
    pool.deallocate(first, size);
    BOOST_TEST(pool.allocate(size) == first);
    pool.deallocate(first, size);
  }
}

BOOST_AUTO_TEST_SUITE_END()

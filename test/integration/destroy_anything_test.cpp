// Any object may be destroyed in any callback. Random drivers try to prove the contrary, with a fixed list of
// seeds; TSOCK_SEED and TSOCK_STEPS run one seed alone, as a failure prints them.
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <string>

#include "support/destruction_world.hpp"
#include "support/seed.hpp"

using tsock::test::DestructionWorld;
using tsock::test::environment_number;
using tsock::test::SeedScope;

BOOST_AUTO_TEST_SUITE(destroy_anything)

BOOST_AUTO_TEST_CASE(no_order_of_destroying_moving_cancelling_and_throwing_breaks_the_rules) {
  constexpr std::uint64_t seeds = 400;
  constexpr std::uint64_t steps_of_a_seed = 2500;
  const std::uint64_t steps = environment_number("TSOCK_STEPS", steps_of_a_seed);
  const std::uint64_t only = environment_number("TSOCK_SEED", 0);
  for (std::uint64_t seed = only != 0 ? only : 1; seed <= (only != 0 ? only : seeds); ++seed) {
    const SeedScope scope("destroy_anything", seed, steps);
    DestructionWorld world(seed, steps);
    const std::string broken = world.run();
    BOOST_TEST_REQUIRE(broken.empty(), "TSOCK_SEED=" << seed << " TSOCK_STEPS=" << steps << ": " << broken);
  }
}

BOOST_AUTO_TEST_SUITE_END()

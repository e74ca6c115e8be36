// Any object may be destroyed in any callback. Random drivers try to prove the contrary, with a fixed list of
// seeds; TSOCK_SEED and TSOCK_STEPS run one seed alone, as a failure prints them.
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <string>

#include "support/destruction_world.hpp"
#ifdef TSOCK_WITH_GSSAPI
#include "support/kdc.hpp"
#endif
#include "support/seed.hpp"

using tsock::test::DestructionWorld;
using tsock::test::environment_number;
using tsock::test::SeedScope;

namespace {

void run_worlds(DestructionWorld::Layers layers, std::uint64_t first, std::uint64_t last) {
  constexpr std::uint64_t steps_of_a_seed = 2500;
  const std::uint64_t steps = environment_number("TSOCK_STEPS", steps_of_a_seed);
  const std::uint64_t only = environment_number("TSOCK_SEED", 0);
  for (std::uint64_t seed = only != 0 ? only : first; seed <= (only != 0 ? only : last); ++seed) {
    const SeedScope scope("destroy_anything", seed, steps);
    DestructionWorld world(seed, steps, layers);
    const std::string broken = world.run();
    BOOST_TEST_REQUIRE(broken.empty(), "TSOCK_SEED=" << seed << " TSOCK_STEPS=" << steps << ": " << broken);
  }
}

[[maybe_unused]] std::ptrdiff_t count_threads() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
}

}  // namespace

// No order of destroying, moving, cancelling and throwing breaks the rules. Each case is an entry of ctest.
BOOST_AUTO_TEST_SUITE(destroy_anything)

BOOST_AUTO_TEST_CASE(no_order_breaks_the_rules) { run_worlds(DestructionWorld::Layers::none, 1, 200); }

BOOST_AUTO_TEST_CASE(no_further_order_breaks_the_rules) {
  run_worlds(DestructionWorld::Layers::none, 201, 400);
}

BOOST_AUTO_TEST_CASE(no_order_breaks_the_rules_where_streams_have_layers) {
  run_worlds(DestructionWorld::Layers::toys, 1, 80);
}

#ifdef TSOCK_WITH_TLS
BOOST_AUTO_TEST_CASE(no_order_breaks_the_rules_where_streams_have_tls) {
  run_worlds(DestructionWorld::Layers::tls, 1, 60);
}
#endif

#ifdef TSOCK_WITH_GSSAPI
BOOST_AUTO_TEST_CASE(no_order_breaks_the_rules_where_streams_have_gssapi) {
  if (tsock::test::Kdc::get() != nullptr) run_worlds(DestructionWorld::Layers::gssapi, 1, 40);
}
#endif

#ifdef TSOCK_WITH_SASL
BOOST_AUTO_TEST_CASE(no_order_breaks_the_rules_where_streams_have_sasl) {
  run_worlds(DestructionWorld::Layers::sasl, 1, 40);
  // A step that was given up goes on in its thread, and exit(3) takes libcrypto away from it.
  while (count_threads() > 1) ::usleep(1000);
}
#endif

#ifdef TSOCK_WITH_NPA
BOOST_AUTO_TEST_CASE(no_order_breaks_the_rules_where_streams_have_npa) {
  run_worlds(DestructionWorld::Layers::npa, 1, 60);
}
#endif

BOOST_AUTO_TEST_SUITE_END()

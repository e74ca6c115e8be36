// What the author of a backend writes to run the contract over it: here a relay over a socket pair.
#include "conformance/relay.hpp"
#include "conformance/relay_pair.hpp"

namespace tsock::test {

BackendsUnderTest backends_under_test() {
  return {
      .both_ways = {{"relay", make_relays<Relay>, {.reset = false, .socket = false, .descriptor = false}}}};
}

}  // namespace tsock::test

// A backend with a fault, which the contract has to find: it swallows one byte of whatever it reads.
#include "conformance/relay.hpp"
#include "conformance/relay_pair.hpp"

namespace tsock::test {

namespace {

class ShortRelay final : public Relay {
 public:
  using Relay::Relay;
  ssize_t try_readv(std::span<const iovec> vectors, int& err) noexcept override {
    const ssize_t got = Relay::try_readv(vectors, err);
    return got > 1 ? got - 1 : got;
  }
};

}  // namespace

BackendsUnderTest backends_under_test() {
  return {
      .both_ways = {
          {"short relay", make_relays<ShortRelay>, {.reset = false, .socket = false, .descriptor = false}}}};
}

}  // namespace tsock::test

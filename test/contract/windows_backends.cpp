#include "contract/system_backends.hpp"

namespace tsock::test {

void add_backends_of_system(BackendsUnderTest& /*backends*/) {}

void add_datagrams_of_system(std::vector<DatagramKind>& /*kinds*/) {}

}  // namespace tsock::test

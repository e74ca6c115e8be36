#include <stdexcept>
#include <tsock/detail/checked_loop.hpp>

namespace tsock::detail {

void throw_without_loop() { throw std::logic_error("loop() of an empty tsock object, which has none"); }

}  // namespace tsock::detail

#include <stdexcept>
#include <tsock/detail/checked_loop.hpp>

namespace tsock::inline v0::detail {

void throw_without_loop() { throw std::logic_error("loop() of an empty tsock object, which has none"); }

}  // namespace tsock::inline v0::detail

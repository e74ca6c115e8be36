#pragma once

#include <boost/test/unit_test.hpp>

#include "uv/os/kernel_pipe.hpp"
#include "uv/pipe_store.hpp"

namespace tsock::test {

/// A precondition of tests of pumps that move bytes through pipes of the system. One without such pipes
/// copies; that is what the other tests of pumps see.
inline boost::test_tools::assertion_result has_kernel_pipes(boost::unit_test::test_unit_id /*id*/) {
  os::PipeEnds ends;
  return os::open_pipe(detail::PipeStore::pipe_size, ends) == 0;
}

}  // namespace tsock::test

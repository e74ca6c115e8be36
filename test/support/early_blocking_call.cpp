// ThreadSanitizer of LLVM 14 makes a thread's record of pending signals at the thread's first call that may
// block, and forgets a signal that comes in that moment. A program whose first such call is its loop's
// epoll_wait(), and that is told to end as soon as it says that it listens, would then never end. So one is
// made before main().
#include <poll.h>

namespace {

[[maybe_unused]] const int early_blocking_call = ::poll(nullptr, 0, 0);

}  // namespace

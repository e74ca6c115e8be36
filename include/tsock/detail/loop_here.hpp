#pragma once

#include <tsock/call_site.hpp>

namespace tsock::inline v0 {
class Loop;
}

namespace tsock::inline v0::detail {

/// A loop and the place in the caller's source from which it was named.
class LoopHere {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): made from a Loop& at the call of make_request()
  LoopHere(Loop& loop, CallSite site = CallSite::current()) noexcept : loop_(&loop), site_(site) {}
  [[nodiscard]] Loop& loop() const noexcept { return *loop_; }
  [[nodiscard]] CallSite site() const noexcept { return site_; }

 private:
  Loop* loop_;
  CallSite site_;
};

}  // namespace tsock::inline v0::detail

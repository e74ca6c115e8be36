#pragma once

#include <tsock/request.hpp>
#include <utility>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0::detail {

/// A request of the library's own that does not keep `Loop::run()` from returning. As a Request, it may be
/// destroyed anywhere, also in its own callback, and the Loop may go first.
template <class T>
class Background {
 public:
  Background() noexcept = default;
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background() { reset(); }

  /// Takes a request over; `function(Request<T>&)` is called when it is over. \pre none is in progress
  template <class F>
  void start(Request<T> request, F function) {
    request_ = std::move(request);
    if (!request_.is_in_progress()) return;  // the loop is gone
    core_ = &request_.state()->core();
    core_->begin_background();
    request_.set_callback([this, fn = std::move(function)](Request<T>& done) mutable {
      core_->end_background();
      fn(done);
    });
  }
  [[nodiscard]] bool is_in_progress() const noexcept { return request_.is_in_progress(); }
  [[nodiscard]] Request<T>& request() noexcept { return request_; }
  void reset() noexcept {
    if (!request_.is_in_progress()) {
      request_ = {};
      return;
    }
    core_->end_background();
    request_ = {};
  }

 private:
  Request<T> request_;
  LoopCore* core_ = nullptr;
};

}  // namespace tsock::inline v0::detail

#pragma once

#include <optional>
#include <tsock/operation.hpp>
#include <tsock/queue.hpp>
#include <tsock/request.hpp>
#include <type_traits>
#include <utility>

namespace tsock::inline v0::detail {

/// The operation behind `Queue::submit()`: waits for the head of the queue, then for the request that the
/// function makes.
template <class T, class F>
class SubmitOperation final : public Operation<T> {
 public:
  static constexpr const char* name = "queue_submit";

  SubmitOperation(Queue& queue, F make, CallSite site) : make_(std::move(make)), turn_(queue.wait(site)) {}
  ~SubmitOperation() override {
    if (destroyed_ != nullptr) *destroyed_ = true;
  }

  void start() override {
    turn_.set_callback([this](Request<QueueHold>& turn) {
      int err = 0;
      hold_ = turn.recv(err);
      if (this->error(err) || !make_inner()) return;
      inner_.set_callback([this](Request<T>& inner) {
        int inner_err = 0;
        this->progress(inner.transferred());
        if constexpr (std::is_void_v<T>) {
          inner.recv(inner_err);
          if (!this->error(inner_err, inner.reason())) this->done();
        } else {
          T value = inner.recv(inner_err);
          if (!this->error(inner_err, inner.reason())) this->done(std::move(value));
        }
      });
    });
  }

  void cancel() override {
    if (inner_) {
      inner_.cancel();
    } else {
      this->error(ECANCELED);
    }
  }

 private:
  // Runs code of the user, which may destroy this operation or end it. \return whether to wait for `inner_`.
  bool make_inner() {
    bool destroyed = false;
    destroyed_ = &destroyed;
    Request<T> inner;
    try {
      F make(std::move(make_));
      inner = make();
    } catch (...) {
      if (!destroyed) {
        destroyed_ = nullptr;
        this->error(EIO);
      }
      throw;
    }
    if (destroyed) return false;
    destroyed_ = nullptr;
    if (!this->is_in_progress()) return false;
    inner_ = std::move(inner);
    return !this->error(inner_ && inner_.state()->can_call_back() ? 0 : EINVAL);
  }

  F make_;
  QueueHold hold_;
  Request<QueueHold> turn_;
  Request<T> inner_;
  bool* destroyed_ = nullptr;
};

}  // namespace tsock::inline v0::detail

namespace tsock::inline v0 {

template <class F>
std::invoke_result_t<F&> Queue::submit(F make, CallSite site) {
  using Result = typename std::invoke_result_t<F&>::value_type;
  if (core_ == nullptr) return {};
  return make_request<detail::SubmitOperation<Result, F>>(detail::LoopHere(loop(), site), *this,
                                                          std::move(make), site);
}

}  // namespace tsock::inline v0

#pragma once

#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <tsock/detail/inline_function.hpp>
#include <tsock/detail/request_state.hpp>
#include <tsock/export.hpp>
#include <tsock/outcome.hpp>
#include <utility>

namespace tsock::inline v0::detail {

/// Makes an operation the parent of the requests that are made while this lives.
class ParentScope {
 public:
  TSOCK_EXPORT explicit ParentScope(RequestState& parent) noexcept;
  ParentScope(const ParentScope&) = delete;
  ParentScope& operator=(const ParentScope&) = delete;
  TSOCK_EXPORT ~ParentScope();

 private:
  LoopCore* core_;
  std::uint64_t previous_;
};

TSOCK_EXPORT LoopCore& core_of(Loop& loop) noexcept;

/// Whether the state whose `begin()` runs still exists. \pre the loop is still in that call
[[nodiscard]] TSOCK_EXPORT bool is_beginning(const LoopCore& core, const RequestState* state) noexcept;

/// The state of a user's operation; made by `make_request()` only.
template <class Op>
class OperationState : public ResultState<typename Op::result_type> {
 public:
  using ResultState<typename Op::result_type>::ResultState;

  /// `Op::name`, which must live as long as the operation, when there is one.
  [[nodiscard]] const char* name() const noexcept override {
    if constexpr (requires { static_cast<const char*>(Op::name); }) {
      return Op::name;
    } else {
      return "operation";
    }
  }

  template <class... Args>
  void begin_operation(Args&&... args) {
    if (!this->is_unfinished()) return;  // the loop is gone
    const ParentScope scope(*this);
    operation_.emplace(std::forward<Args>(args)...);
    operation_->state_ = this;
    operation_->start();
  }
  [[nodiscard]] std::unique_ptr<InlineFunction>* progress_function() noexcept override { return &progress_; }
  void on_deadline() override {
    if (!this->look_again()) this->interrupt(ETIMEDOUT);
  }
  void interrupt(int err) override {
    if (err == ECANCELED && operation_.has_value()) {
      const ParentScope scope(*this);
      operation_->cancel();
    } else {
      this->finish(err);
    }
  }

 private:
  // The function may destroy the request, set another function, anything.
  void begin() override {
    void* const handle = this->handle();
    if (!this->is_unfinished() || progress_ == nullptr || handle == static_cast<void*>(this)) return;
    const LoopCore& core = this->core();
    std::unique_ptr<InlineFunction> function = std::move(progress_);
    (*function)(handle);
    if (is_beginning(core, this) && this->is_unfinished() && progress_ == nullptr)
      progress_ = std::move(function);
  }
  void on_delivery() noexcept override {
    this->mark(this->in_delivery);
    end(this->error() == 0 ? Outcome::done : Outcome::failed);
    this->drop_call_of_closed_loop();
    this->unmark(this->in_delivery);
  }
  // Out of the loop's list first: code of the user may destroy the Loop, which ends what it lists.
  void on_abandon() noexcept override {
    if (this->is_linked()) this->unlink();
    end(Outcome::abandoned);
  }
  void on_abandon_in_delivery() noexcept override {
    if (operation_.has_value()) operation_->children_.clear();
    operation_.reset();
  }
  void end(Outcome outcome) noexcept {
    if (!operation_.has_value()) return;
    operation_->cleanup(outcome, outcome == Outcome::failed ? this->error() : 0);
    // Before the buffers that they may use, which are members of the operation. (cleanup() may have destroyed
    // it)
    if (operation_.has_value()) operation_->children_.clear();
    operation_.reset();
    progress_.reset();
  }

  std::optional<Op> operation_;
  std::unique_ptr<InlineFunction> progress_;
};

}  // namespace tsock::inline v0::detail

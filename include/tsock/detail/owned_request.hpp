#pragma once

#include <memory>
#include <new>
#include <tsock/detail/inline_function.hpp>
#include <tsock/detail/request_state.hpp>
#include <tsock/request.hpp>
#include <utility>

namespace tsock::inline v0::detail {

/// An entry of a list that owns requests.
class OwnedRequest {
 public:
  OwnedRequest(const OwnedRequest&) = delete;
  OwnedRequest& operator=(const OwnedRequest&) = delete;

  [[nodiscard]] OwnedRequest* next() const noexcept { return next_; }
  void link_at(OwnedRequest*& first) noexcept {
    next_ = first;
    place_ = &first;
    if (next_ != nullptr) next_->place_ = &next_;
    first = this;
  }
  void unlink() noexcept {
    *place_ = next_;
    if (next_ != nullptr) next_->place_ = place_;
  }
  virtual void cancel() = 0;
  /// Abandons the request. \pre it stands in no list
  virtual void destroy() noexcept = 0;

 protected:
  OwnedRequest() noexcept = default;
  ~OwnedRequest() = default;

 private:
  OwnedRequest* next_ = nullptr;
  OwnedRequest** place_ = nullptr;
};

/// Destroys an entry that stands in no list.
struct DestroyOwnedRequest {
  void operator()(OwnedRequest* entry) const noexcept { entry->destroy(); }
};

/// In a block of the loop's pool. When the request ends, the entry leaves its list, calls the function, and
/// is destroyed.
template <class T, class F>
class OwnedRequestOf final : public OwnedRequest {
 public:
  OwnedRequestOf(LoopCore& core, Request<T>&& request, F&& function)
      : core_(&core), request_(std::move(request)), function_(std::move(function)) {}

  void await_end() {
    request_.set_callback([this](Request<T>& request) {
      unlink();
      const std::unique_ptr<OwnedRequest, DestroyOwnedRequest> owner(this);
      function_(request);
    });
  }
  void cancel() override { request_.cancel(); }
  void destroy() noexcept override {
    LoopCore& core = *core_;
    this->~OwnedRequestOf();
    free_block(core, this, sizeof(OwnedRequestOf));
  }

 private:
  ~OwnedRequestOf() = default;

  LoopCore* core_;
  Request<T> request_;
  F function_;
};

/// Owns requests until they end. One pointer, as every Operation has one.
class RequestList {
 public:
  RequestList() noexcept = default;
  RequestList(const RequestList&) = delete;
  RequestList& operator=(const RequestList&) = delete;
  ~RequestList() { clear(); }

  [[nodiscard]] OwnedRequest*& first() noexcept { return first_; }
  [[nodiscard]] OwnedRequest* first() const noexcept { return first_; }
  /// \pre the request can complete
  template <class T, class F>
  void add(Request<T>&& request, F function) {
    using Entry = OwnedRequestOf<T, F>;
    LoopCore& core = request.state()->core();
    auto* const entry =
        ::new (allocate_block(core, sizeof(Entry))) Entry(core, std::move(request), std::move(function));
    entry->link_at(first_);
    entry->await_end();
  }
  /// Abandons all; what their callbacks have captured may add others, which then go, too.
  void clear() noexcept {
    while (first_ != nullptr) {
      OwnedRequest& entry = *first_;
      entry.unlink();
      entry.destroy();
    }
  }

 private:
  OwnedRequest* first_ = nullptr;
};

}  // namespace tsock::inline v0::detail

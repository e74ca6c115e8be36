#pragma once

#include <cstddef>
#include <tsock/detail/owned_request.hpp>
#include <tsock/request.hpp>
#include <type_traits>
#include <utility>

namespace tsock::inline v0 {

/// Owns any number of requests, of any type, and forgets each when it ends: the replies of a session, the
/// calls of a client. Destroying the set abandons those that are in progress, so declare their buffers before
/// it. Belongs to the thread of its requests' loops. (talloc: requests that hang on a context)
class RequestSet {
 public:
  RequestSet() noexcept = default;
  RequestSet(const RequestSet&) = delete;
  RequestSet& operator=(const RequestSet&) = delete;
  ~RequestSet() {
    if (gone_ != nullptr) *gone_ = true;
  }

  /// Takes a request over and calls `function(Request<T>&)` when it has ended, in place of a callback that it
  /// had. The set has forgotten the request by then, and the function may destroy the set. The entry lies in
  /// the pool of the request's loop; if there is no memory (std::bad_alloc), the request stays with the
  /// caller. An empty request, or one whose result was fetched, is dropped.
  template <class T, class F>
  void add(Request<T>&& request, F function) {
    static_assert(std::is_invocable_v<F&, Request<T>&>,
                  "tsock: RequestSet::add(request, function): the function takes the Request<T>& that ended");
    if (request && request.state()->can_call_back()) {
      requests_.add(std::move(request), std::move(function));
    } else {
      request = Request<T>();
    }
  }
  /// As above; the result is dropped.
  template <class T>
  void add(Request<T>&& request) {
    add(std::move(request), [](Request<T>&) {});
  }

  [[nodiscard]] bool empty() const noexcept { return requests_.first() == nullptr; }
  /// The number of requests in progress, counted one by one.
  [[nodiscard]] std::size_t size() const noexcept {
    std::size_t count = 0;
    for (const auto* entry = requests_.first(); entry != nullptr; entry = entry->next()) ++count;
    return count;
  }
  /// Abandons all requests.
  void clear() noexcept { requests_.clear(); }
  /// Cancels all requests that are in the set now; their functions are called later. The `cancel()` of an
  /// Operation among them may destroy the set.
  void cancel() {
    bool gone = false;
    bool* const outer = std::exchange(gone_, &gone);
    detail::RequestList rest;
    while (requests_.first() != nullptr) {
      detail::OwnedRequest& entry = *requests_.first();
      entry.unlink();
      entry.link_at(rest.first());
    }
    while (!gone && rest.first() != nullptr) {
      detail::OwnedRequest& entry = *rest.first();
      entry.unlink();
      entry.link_at(requests_.first());
      entry.cancel();
    }
    if (!gone) {
      gone_ = outer;
    } else if (outer != nullptr) {
      *outer = true;
    }
  }

 private:
  detail::RequestList requests_;
  bool* gone_ = nullptr;
};

}  // namespace tsock::inline v0

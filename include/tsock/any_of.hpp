#pragma once

#include <cerrno>
#include <cstddef>
#include <tsock/detail/loop_here.hpp>
#include <tsock/operation.hpp>
#include <tsock/request.hpp>
#include <type_traits>
#include <utility>
#include <vector>

namespace tsock::inline v0 {

namespace detail {

template <class T>
class AnyOf final : public Operation<T> {
 public:
  static constexpr const char* name = "any_of";
  explicit AnyOf(std::vector<Request<T>> requests)
      : requests_(std::move(requests)), waiting_(requests_.size()) {}

  void start() override {
    if (requests_.empty()) this->error(EINVAL);
    for (Request<T>& request : requests_) {
      if (request && request.state()->can_call_back()) {
        request.set_callback([this](Request<T>& ended) { take(ended); });
      } else if (--waiting_ == 0) {
        this->error(EIO);
      }
    }
  }

 private:
  void take(Request<T>& ended) {
    int err = 0;
    --waiting_;
    if constexpr (std::is_void_v<T>) {
      ended.recv(err);
      if (err == 0) this->done();
    } else {
      T value = ended.recv(err);
      if (err == 0) this->done(std::move(value));
    }
    if (err != 0 && waiting_ == 0) this->error(err, ended.reason());
  }

  std::vector<Request<T>> requests_;
  std::size_t waiting_;
};

}  // namespace detail

/// Waits until one of the requests has succeeded, and gives its value; the others are abandoned, as all are
/// by cancelling and destroying. If all fail, the result is the error and reason of the one that failed last.
/// An empty list gives EINVAL. `here` is a Loop, or `{loop, site}`.
template <class T>
Request<T> any_of(detail::LoopHere here, std::vector<Request<T>> requests) {
  return make_request<detail::AnyOf<T>>(here, std::move(requests));
}

}  // namespace tsock::inline v0

#pragma once

#include <cstddef>
#include <tsock/detail/loop_here.hpp>
#include <tsock/operation.hpp>
#include <tsock/request.hpp>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace tsock::inline v0 {

namespace detail {

/// The value of one request among others: std::monostate for one without a value.
template <class T>
using ValueAmongOthers = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

/// Waits for all of a list. The result of requests without a value is void.
template <class T>
class AllOfList final
    : public Operation<std::conditional_t<std::is_void_v<T>, void, std::vector<ValueAmongOthers<T>>>> {
 public:
  static constexpr const char* name = "all_of";
  explicit AllOfList(std::vector<Request<T>> requests)
      : requests_(std::move(requests)), values_(requests_.size()), waiting_(requests_.size()) {}

  void start() override {
    if (waiting_ == 0) return finish();
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      if constexpr (std::is_void_v<T>) {
        this->then(requests_[i], [this] { count(); });
      } else {
        this->then(requests_[i], [this, i](T value) {
          values_[i] = std::move(value);
          count();
        });
      }
    }
  }

 private:
  void count() {
    if (--waiting_ == 0) finish();
  }
  void finish() {
    if constexpr (std::is_void_v<T>) {
      this->done();
    } else {
      this->done(std::move(values_));
    }
  }

  std::vector<Request<T>> requests_;
  std::vector<ValueAmongOthers<T>> values_;
  std::size_t waiting_;
};

/// Waits for all of several types.
template <class... T>
class AllOfTypes final : public Operation<std::tuple<ValueAmongOthers<T>...>> {
 public:
  static constexpr const char* name = "all_of";
  explicit AllOfTypes(Request<T>&&... requests) : requests_(std::move(requests)...) {}

  void start() override { wait_for(std::index_sequence_for<T...>{}); }

 private:
  template <std::size_t... I>
  void wait_for(std::index_sequence<I...> /*indices*/) {
    (wait_for_one<I>(std::get<I>(requests_)), ...);
  }
  template <std::size_t I, class U>
  void wait_for_one(Request<U>& request) {
    if constexpr (std::is_void_v<U>) {
      this->then(request, [this] { count(); });
    } else {
      this->then(request, [this](U value) {
        std::get<I>(values_) = std::move(value);
        count();
      });
    }
  }
  void count() {
    if (--waiting_ == 0) this->done(std::move(values_));
  }

  std::tuple<Request<T>...> requests_;
  std::tuple<ValueAmongOthers<T>...> values_;
  std::size_t waiting_ = sizeof...(T);
};

}  // namespace detail

/// Waits until all requests have succeeded. The result has their values in the order of the list; it is void
/// for requests without a value. If one fails, the result is its error and reason at once, and the others are
/// abandoned, as they are by cancelling and destroying. An empty list succeeds; a request that cannot
/// complete gives EIO. `here` is a Loop, or `{loop, site}`.
template <class T>
auto all_of(detail::LoopHere here, std::vector<Request<T>> requests) {
  return make_request<detail::AllOfList<T>>(here, std::move(requests));
}

/// As above, for requests of several types: `all_of(loop, stream.read(head), loop.sleep(1s))`. The result is
/// a std::tuple of their values, with std::monostate for those without one.
template <class... T>
requires(sizeof...(T) !=
         0) Request<std::tuple<detail::ValueAmongOthers<T>...>> all_of(detail::LoopHere here,
                                                                       Request<T>&&... requests) {
  return make_request<detail::AllOfTypes<T...>>(here, std::move(requests)...);
}

/// Does not compile, and says why.
template <class... T>
requires(sizeof...(T) != 0) void all_of(detail::LoopHere /*here*/, Request<T>&... /*requests*/) {
  static_assert(detail::never<T...>,
                "tsock: all_of() takes the requests over: write all_of(loop, std::move(a), ...)");
}

}  // namespace tsock::inline v0

#pragma once

#include <memory>
#include <optional>
#include <utility>

namespace tsock_cat {

/// As std::optional, for what few have of many: without a value it takes the room of a pointer.
template <class T>
class Rare {
 public:
  Rare() noexcept = default;
  Rare(T value) : value_(std::make_unique<T>(std::move(value))) {}
  Rare(std::optional<T> value) {
    if (value) value_ = std::make_unique<T>(*std::move(value));
  }

  [[nodiscard]] bool has_value() const noexcept { return value_ != nullptr; }
  explicit operator bool() const noexcept { return has_value(); }
  [[nodiscard]] T& operator*() const noexcept { return *value_; }
  [[nodiscard]] T* operator->() const noexcept { return value_.get(); }

 private:
  std::unique_ptr<T> value_;
};

}  // namespace tsock_cat

#include <cerrno>
#include <string>
#include <tsock/error.hpp>
#include <tsock/error_code.hpp>

namespace tsock::inline v0 {

namespace {

class ErrorCategory final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "tsock"; }
  [[nodiscard]] std::string message(int err) const override { return error_text(err); }
  [[nodiscard]] std::error_condition default_error_condition(int err) const noexcept override {
    return {err, std::generic_category()};
  }
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const ErrorCategory category;
  return category;
}

int errno_of(const std::error_code& code) noexcept {
  if (!code) return 0;
  if (code.category() == error_category()) return code.value();
  const std::error_condition condition = code.default_error_condition();
  return condition.category() == std::generic_category() && condition.value() > 0 ? condition.value() : EIO;
}

}  // namespace tsock::inline v0

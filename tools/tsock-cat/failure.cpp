#include "failure.hpp"

#include <tsock/error.hpp>

namespace tsock_cat {

std::string sentence(const Failure& failure) {
  std::string out = failure.what;
  if (!failure.text.empty()) out += (out.empty() ? "" : ": ") + failure.text;
  if (failure.err != 0 && failure.text.empty())
    out += (out.empty() ? "" : ": ") + tsock::error_text(failure.err);
  return out;
}

}  // namespace tsock_cat

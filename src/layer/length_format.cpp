#include "layer/length_format.hpp"

#include <algorithm>
#include <cstdio>

namespace tsock::inline v0::layer {

std::string_view refuse_length(const LengthFormat& format, std::size_t length,
                               std::span<char> text) noexcept {
  const int size =
      std::snprintf(text.data(), text.size(), "a message of %zu bytes, where %zu to %zu are allowed", length,
                    format.least, format.most);
  return {text.data(), std::min(text.size() - 1, static_cast<std::size_t>(std::max(size, 0)))};
}

}  // namespace tsock::inline v0::layer

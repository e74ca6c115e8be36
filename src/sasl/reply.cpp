#include <tsock/sasl/reply.hpp>
#include <utility>

#include "layer/wiped_bytes.hpp"

namespace tsock::inline v0::sasl {

Reply& Reply::operator=(const Reply& other) {
  if (this != &other) *this = Reply(other);
  return *this;
}

Reply& Reply::operator=(Reply&& other) noexcept {
  bytes.swap(other.bytes);  // the other one wipes them
  is_done = other.is_done;
  return *this;
}

Reply::~Reply() {
  if (bytes) layer::wipe(*bytes);
}

}  // namespace tsock::inline v0::sasl

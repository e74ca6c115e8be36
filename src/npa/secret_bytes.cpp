#include <tsock/npa/secret_bytes.hpp>
#include <utility>

#include "layer/wiped_bytes.hpp"

namespace tsock::inline v0::npa {

SecretBytes& SecretBytes::operator=(const SecretBytes& other) {
  if (this != &other) *this = SecretBytes(other);
  return *this;
}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this == &other) return *this;
  clear();
  bytes_.swap(other.bytes_);
  return *this;
}

SecretBytes::~SecretBytes() { layer::wipe(bytes_); }

std::span<std::byte> SecretBytes::reset(std::size_t size) {
  std::vector<std::byte> bytes(size);
  layer::wipe(bytes_);
  bytes_ = std::move(bytes);
  return bytes_;
}

void SecretBytes::clear() noexcept {
  layer::wipe(bytes_);
  bytes_ = {};
}

bool SecretBytes::operator==(const SecretBytes& other) const noexcept {
  if (size() != other.size()) return false;
  std::byte difference{0};
  for (std::size_t i = 0; i < size(); ++i) difference |= bytes_[i] ^ other.bytes_[i];
  return difference == std::byte{0};
}

}  // namespace tsock::inline v0::npa

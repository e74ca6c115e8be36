#pragma once

#include <cstddef>
#include <span>
#include <tsock/export.hpp>
#include <vector>

namespace tsock::inline v0::npa {

/// Bytes that nobody else is to see, such as a session key: they are wiped before their memory is given back,
/// and print themselves nowhere.
class TSOCK_EXPORT SecretBytes {
 public:
  SecretBytes() noexcept = default;
  /// Copies the bytes. Throws std::bad_alloc, as the copies below.
  explicit SecretBytes(std::span<const std::byte> bytes) : bytes_(bytes.begin(), bytes.end()) {}
  SecretBytes(const SecretBytes&) = default;
  SecretBytes(SecretBytes&& other) noexcept = default;
  SecretBytes& operator=(const SecretBytes& other);
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  ~SecretBytes();

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
  [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
  /// Forgets the bytes there are and makes room for others, which are zero and may be written to the span.
  /// Throws std::bad_alloc with nothing changed.
  std::span<std::byte> reset(std::size_t size);
  void clear() noexcept;

  /// Takes as long wherever the bytes differ.
  [[nodiscard]] bool operator==(const SecretBytes& other) const noexcept;

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace tsock::inline v0::npa

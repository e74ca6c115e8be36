#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tsock/gssapi/accept.hpp>
#include <tsock/gssapi/connect.hpp>
#include <tsock/gssapi/peer.hpp>
#include <tsock/layer/byte_block.hpp>
#include <vector>

#include "layer/wiped_bytes.hpp"

namespace tsock::inline v0::gssapi {

/// A security context and what it takes to establish one: what streams and SecurityContext have in common.
/// The calls are those of MIT krb5, or on Windows of SSPI.
class Context {
 public:
  using Clock = std::chrono::steady_clock;

  // Of the library that is built in: throw std::bad_alloc.
  [[nodiscard]] static std::unique_ptr<Context> create(const ConnectOptions& options);
  [[nodiscard]] static std::unique_ptr<Context> create(const AcceptOptions& options);
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  virtual ~Context() = default;

  /// A stream has no other way to learn of a message that is missing: a peer that does not ask for it is
  /// refused.
  void demand_sequence() noexcept { demands_sequence_ = true; }
  [[nodiscard]] bool initiates() const noexcept { return initiates_; }
  [[nodiscard]] bool is_established() const noexcept { return is_established_; }
  [[nodiscard]] bool seals() const noexcept { return protection_ == Protection::confidentiality; }
  [[nodiscard]] std::string_view reason() const noexcept { return reason_; }
  [[nodiscard]] virtual Peer peer() const = 0;

  // Of all: throw std::bad_alloc; return 0 or an errno value with the reason.
  virtual int step(std::span<const std::byte> token, std::vector<std::byte>& answer, bool& answers) = 0;
  virtual int wrap(std::span<const std::byte> plain, bool seals, layer::ByteBlock& message) = 0;
  /// \param opened what the message holds, in its own bytes; valid as long as they are \param holder owns
  /// what does not fit there
  virtual int unwrap(std::span<std::byte> message, std::span<std::byte>& opened, layer::WipedBytes& holder,
                     bool& sealed) = 0;
  virtual int sign(std::span<const std::byte> message, std::vector<std::byte>& signature) = 0;
  virtual int verify(std::span<const std::byte> message, std::span<const std::byte> signature) = 0;
  [[nodiscard]] virtual std::size_t wrap_size_limit(std::size_t most, bool seals) const noexcept = 0;
  /// ETIME once the lifetime is over.
  int check_lifetime();
  int refuse(int err, std::string_view reason);

 protected:
  static constexpr std::string_view expired_ticket = "the ticket has expired";
  static constexpr std::string_view expired_context = "the security context has expired";

  explicit Context(const ConnectOptions& options);
  explicit Context(const AcceptOptions& options);

  [[nodiscard]] std::chrono::seconds lifetime() const;

  // Of the options.
  bool initiates_;
  std::string target_text_;
  std::string mechanism_text_;
  Credentials credentials_;
  Protection protection_;
  std::vector<std::byte> bindings_;
  bool wants_mutual_ = false;
  bool demands_sequence_ = false;

  bool is_prepared_ = false;
  bool is_established_ = false;
  std::string peer_name_;
  std::string own_name_;
  Clock::time_point expiry_ = Clock::time_point::max();
  std::string reason_;
};

}  // namespace tsock::inline v0::gssapi

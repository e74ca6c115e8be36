#pragma once

#include <gssapi/gssapi.h>

#include <array>
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

#include "gssapi/credentials_state.hpp"
#include "gssapi/handles.hpp"
#include "gssapi/mechanism_oid.hpp"

namespace tsock::inline v0::gssapi {

/// A security context and what it takes to establish one: what streams and SecurityContext have in common.
class Context {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Context(const ConnectOptions& options);
  explicit Context(const AcceptOptions& options);
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() = default;

  /// A stream has no other way to learn of a message that is missing: a peer that does not ask for it is
  /// refused.
  void demand_sequence() noexcept { demands_sequence_ = true; }
  [[nodiscard]] bool initiates() const noexcept { return initiates_; }
  [[nodiscard]] bool is_established() const noexcept { return is_established_; }
  [[nodiscard]] bool seals() const noexcept { return protection_ == Protection::confidentiality; }
  [[nodiscard]] std::string_view reason() const noexcept { return reason_; }
  [[nodiscard]] Peer peer() const;

  // Of all: throw std::bad_alloc; return 0 or an errno value with the reason.
  int step(std::span<const std::byte> token, std::vector<std::byte>& answer, bool& answers);
  int wrap(std::span<const std::byte> plain, bool seals, layer::ByteBlock& message);
  /// \param opened what the message holds, in its own bytes; valid as long as they are \param holder owns
  /// what does not fit there
  int unwrap(std::span<std::byte> message, std::span<std::byte>& opened, GssBuffer& holder, bool& sealed);
  int sign(std::span<const std::byte> message, std::vector<std::byte>& signature);
  int verify(std::span<const std::byte> message, std::span<const std::byte> signature);
  [[nodiscard]] std::size_t wrap_size_limit(std::size_t most, bool seals) const noexcept;
  /// ETIME once the lifetime is over.
  int check_lifetime();
  int refuse(int err, std::string_view reason);

 private:
  int refuse_status(OM_uint32 major, OM_uint32 minor);
  int prepare();
  void give_up() noexcept;
  int establish(OM_uint32 lifetime);
  int check_flags();
  int inquire_mechanism();
  int inquire_names();
  [[nodiscard]] bool is_ntlm() const;
  int fail_message(OM_uint32 major, OM_uint32 minor, std::string_view what);
  int check_order(OM_uint32 major);

  // Of the options.
  bool initiates_;
  std::string target_text_;
  std::string mechanism_text_;
  Credentials credentials_;
  OM_uint32 wanted_flags_ = 0;
  Protection protection_;
  std::vector<std::byte> bindings_;
  bool demands_sequence_ = false;

  MechanismOid mechanism_;
  GssName target_;
  std::shared_ptr<GssCredential> credential_;
  GssContext context_;
  bool is_prepared_ = false;
  bool is_established_ = false;
  bool has_iov_ = true;  // not all mechanisms work in place

  OM_uint32 flags_ = 0;
  gss_OID chosen_ = GSS_C_NO_OID;  // of the library, for ever
  std::string peer_name_;
  std::string own_name_;
  Clock::time_point expiry_ = Clock::time_point::max();
  Credentials delegated_;
  std::string reason_;
};

}  // namespace tsock::inline v0::gssapi

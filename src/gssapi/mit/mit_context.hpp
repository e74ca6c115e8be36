#pragma once

#include <gssapi/gssapi.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "gssapi/context.hpp"
#include "gssapi/mit/credentials_state.hpp"
#include "gssapi/mit/handles.hpp"
#include "gssapi/mit/mechanism_oid.hpp"

namespace tsock::inline v0::gssapi {

/// A context of GSSAPI.
class MitContext final : public Context {
 public:
  explicit MitContext(const ConnectOptions& options);
  explicit MitContext(const AcceptOptions& options);

  [[nodiscard]] Peer peer() const override;
  int step(std::span<const std::byte> token, std::vector<std::byte>& answer, bool& answers) override;
  int wrap(std::span<const std::byte> plain, bool seals, layer::ByteBlock& message) override;
  int unwrap(std::span<std::byte> message, std::span<std::byte>& opened, layer::WipedBytes& holder,
             bool& sealed) override;
  int sign(std::span<const std::byte> message, std::vector<std::byte>& signature) override;
  int verify(std::span<const std::byte> message, std::span<const std::byte> signature) override;
  [[nodiscard]] std::size_t wrap_size_limit(std::size_t most, bool seals) const noexcept override;

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

  OM_uint32 wanted_flags_;
  MechanismOid mechanism_;
  GssName target_;
  std::shared_ptr<GssCredential> credential_;
  GssContext context_;
  bool has_iov_ = true;  // not all mechanisms work in place

  OM_uint32 flags_ = 0;
  gss_OID chosen_ = GSS_C_NO_OID;  // of the library, for ever
  Credentials delegated_;
};

}  // namespace tsock::inline v0::gssapi

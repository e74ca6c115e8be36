#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gssapi/context.hpp"
#include "gssapi/sspi/handles.hpp"
#include "gssapi/sspi/package.hpp"

namespace tsock::inline v0::gssapi {

/// A context of SSPI, whose tokens and messages are those of GSSAPI: a message is what EncryptMessage() gives
/// as token, data and padding, one behind the other, and is opened as a stream.
class SspiContext final : public Context {
 public:
  explicit SspiContext(const ConnectOptions& options);
  explicit SspiContext(const AcceptOptions& options);

  [[nodiscard]] Peer peer() const override;
  int step(std::span<const std::byte> token, std::vector<std::byte>& answer, bool& answers) override;
  int wrap(std::span<const std::byte> plain, bool seals, layer::ByteBlock& message) override;
  int unwrap(std::span<std::byte> message, std::span<std::byte>& opened, layer::WipedBytes& holder,
             bool& sealed) override;
  int sign(std::span<const std::byte> message, std::vector<std::byte>& signature) override;
  int verify(std::span<const std::byte> message, std::span<const std::byte> signature) override;
  [[nodiscard]] std::size_t wrap_size_limit(std::size_t most, bool seals) const noexcept override;

 private:
  int refuse_status(SECURITY_STATUS status);
  int prepare();
  void give_up() noexcept;
  SECURITY_STATUS call(std::span<const std::byte> token, std::span<std::byte> room, std::size_t& size);
  int establish();
  int check_flags();
  void inquire_names();
  void inquire_mechanism();
  void inquire_lifetime();
  int fail_message(SECURITY_STATUS status, std::string_view what);
  template <class Value>
  bool query(unsigned long attribute, Value& value) const noexcept;

  unsigned long wanted_flags_;
  const Package* package_ = nullptr;
  std::wstring target_;
  std::vector<std::byte> bound_;  // the channel bindings as SSPI takes them
  SspiCredential credential_;
  SspiHandle context_;

  unsigned long flags_ = 0;
  std::string mechanism_;  // what SPNEGO has chosen
  SecPkgContext_Sizes sizes_{};
};

}  // namespace tsock::inline v0::gssapi

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tsock/tls/connect.hpp>
#include <tsock/tls/peer.hpp>

#include "layer/offloading_engine.hpp"
#include "tls/block_bio.hpp"
#include "tls/context_state.hpp"
#include "tls/early_data_transfer.hpp"
#include "tls/kernel_sender.hpp"
#include "tls/openssl.hpp"

namespace tsock::inline v0::tls {

/// TLS by OpenSSL. OpenSSL reads from and writes to the blocks that a call of the engine is given, through a
/// BIO that knows them for the length of the call.
class OpenSslEngine final : public layer::OffloadingEngine {
 public:
  explicit OpenSslEngine(std::shared_ptr<const ContextState> context) noexcept;
  ~OpenSslEngine() override;

  // One of them is called once, before anything else. \return 0, EINVAL or ENOMEM, with `reason()`
  int prepare_client(const ConnectOptions& options) noexcept;
  int prepare_server() noexcept;

  layer::Step handshake(layer::ByteBlock& in, bool at_end, layer::ByteBlock& out) noexcept override;
  layer::Step unwrap(layer::ByteBlock& in, bool at_end, std::span<const iovec> to, std::size_t& given,
                     layer::ByteBlock& out) noexcept override;
  [[nodiscard]] std::size_t ready() const noexcept override;
  layer::Step wrap(std::span<const iovec> from, std::size_t& taken, layer::ByteBlock& out) noexcept override;
  int end_writing(layer::ByteBlock& out) noexcept override;
  bool say_goodbye(layer::ByteBlock& out) noexcept override;
  [[nodiscard]] std::string_view reason() const noexcept override { return reason_; }

  [[nodiscard]] bool wants_offload() const noexcept override { return kernel_ != nullptr; }
  bool offload(SocketControl& below) noexcept override;
  [[nodiscard]] int write_error() const noexcept override;
  ssize_t send_own(SocketControl& below, std::span<const std::byte> out, int& err) noexcept override {
    return KernelSender::send(below, out, err);
  }

  // What is known of the peer.
  [[nodiscard]] SSL* ssl() const noexcept { return ssl_.get(); }
  [[nodiscard]] const ContextState& context() const noexcept { return *context_; }
  [[nodiscard]] std::string_view psk_identity() const noexcept;
  [[nodiscard]] EarlyData early_data() const noexcept;
  [[nodiscard]] bool is_resumed() const noexcept { return is_resumed_; }
  /// Null where the kernel was not asked to encrypt, or does not.
  [[nodiscard]] const KernelSender* kernel() const noexcept { return kernel_.get(); }
  /// The binding to the certificate that a server had shown when the session that is resumed was made.
  [[nodiscard]] std::span<const std::byte> resumed_binding() const noexcept;

  // What OpenSSL's callbacks tell.
  [[nodiscard]] static OpenSslEngine& of(const SSL* ssl) noexcept;
  /// The certificate of the peer is refused, which is told instead of OpenSSL's error.
  void refuse(std::string why) noexcept;
  /// \return as SSL_CTX_set_tlsext_status_cb(3) says for clients
  [[nodiscard]] int judge_ocsp_response() noexcept;
  void remember(OpenSslPointer<SSL_SESSION> session) noexcept;
  void note_psk_identity(std::string_view identity);
  void note_key_log(std::string_view line) noexcept {
    if (kernel_ != nullptr) kernel_->note_key_log(line, is_server());
  }
  /// A callback has no memory: the call of OpenSSL fails with ENOMEM.
  void note_shortage() noexcept { transfer_.out_of_memory = true; }
  /// Puts into a session, which becomes a ticket, what a server has to know when it is resumed. \return false
  /// without memory
  [[nodiscard]] bool annotate_session() noexcept;
  [[nodiscard]] bool needs_psk() const noexcept { return needs_psk_; }

 private:
  [[nodiscard]] bool is_server() const noexcept { return context_->side() == ContextState::Side::server; }
  int make_ssl() noexcept;
  int watch_for_kernel() noexcept;
  void on_written(int type, std::span<const std::byte> content) noexcept;
  void on_received(int type, std::span<const std::byte> content) noexcept;
  void say_by_kernel(std::span<const std::byte> alert) noexcept;
  int expect_peer(const std::string& name) noexcept;
  int offer_psk_only() noexcept;
  int ask_for(const std::string& server_name);
  int fail(int err, std::string_view why) noexcept;
  /// After a call of OpenSSL that gave no success. \return 0 when it wants more input
  int failure(int result) noexcept;
  /// The same after one that writes. \return an errno value
  int write_failure() noexcept;
  /// As `failure()`, after a call for data: others may have left errors in the queue before it.
  int uncleared_failure(int result) noexcept;
  /// To be called before data is read or written. To look into the queue costs 211 instructions of the 8,000
  /// that OpenSSL takes for a record of 64 bytes: then only where it may go on with a handshake.
  void clear_errors_in_handshake() noexcept {
    if (SSL_in_init(ssl_.get()) != 0) clear_errors();
  }
  [[nodiscard]] bool is_inside_record() const noexcept;
  void end_reading(int err) noexcept;

  /// Whether a server may still get early data.
  [[nodiscard]] bool awaits_early_data() const noexcept {
    return early_data_ != nullptr && is_server() && !early_data_->is_over();
  }
  [[nodiscard]] EarlyDataTransfer::Reading read_early_data() noexcept;
  void complete_handshake() noexcept;
  void find_out_resumption() noexcept;
  [[nodiscard]] const char* words_for_psk() const noexcept;
  [[nodiscard]] bool read_into(const iovec& vector, std::size_t skip, std::size_t& given,
                               const layer::ByteBlock& in) noexcept;
  [[nodiscard]] bool is_client_unfinished() const noexcept;
  int send_close_notify() noexcept;
  bool write(std::span<const std::byte> bytes, std::size_t& taken, const layer::ByteBlock& out) noexcept;

  std::shared_ptr<const ContextState> context_;
  OpenSslPointer<SSL> ssl_;
  BlockTransfer transfer_;
  int read_error_ = 0;
  int write_error_ = 0;
  std::size_t pending_ = 0;        // bytes of the user that OpenSSL has got ready
  std::uint32_t quiet_input_ = 0;  // bytes of the peer since it has last sent data
  std::uint32_t answers_ = 0;      // bytes of answers to the peer since it has last read all that was sent
  bool is_at_record_ : 1 = false;  // OpenSSL has read a record to its end, and nothing behind it
  bool is_done_ : 1 = false;       // the handshake
  bool has_said_goodbye_ : 1 = false;
  bool owes_goodbye_ : 1 = false;  // said by the user, not by OpenSSL yet
  bool needs_psk_ : 1 = false;
  bool knows_resumption_ : 1 = false;
  bool is_resumed_ : 1 = false;
  bool is_refused_ : 1 = false;
  std::string reason_;
  std::string session_name_;  // under which sessions are remembered
  // What few connections have.
  std::unique_ptr<EarlyDataTransfer> early_data_;
  std::unique_ptr<std::string> psk_identity_;
  std::unique_ptr<KernelSender> kernel_;
};

}  // namespace tsock::inline v0::tls

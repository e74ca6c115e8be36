#include "tls/openssl_engine.hpp"

#include <openssl/err.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "tls/session_note.hpp"

namespace tsock::inline v0::tls {

using layer::ByteBlock;
using layer::Step;

namespace {

constexpr std::string_view http_answer = "HTTP/";

}  // namespace

OpenSslEngine::OpenSslEngine(std::shared_ptr<const ContextState> context) noexcept
    : context_(std::move(context)) {}

OpenSslEngine::~OpenSslEngine() {
  // Without this OpenSSL forgets the session of a stream that had no goodbye, which TLS 1.1 has stopped
  // asking for (RFC 4346 section 7.2.1).
  if (ssl_ != nullptr && is_done_ && read_error_ != EPROTO)
    SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

OpenSslEngine& OpenSslEngine::of(const SSL* ssl) noexcept {
  return *static_cast<OpenSslEngine*>(SSL_get_app_data(ssl));
}

// ---- the handshake ----

Step OpenSslEngine::handshake(ByteBlock& in, bool at_end, ByteBlock& out) noexcept {
  if (is_done_) return {};
  if (read_error_ != 0) return {.err = read_error_};
  // Before the client has said something OpenSSL would only take its buffers.
  if (in.empty() && !at_end && is_server()) return {.input = 1};
  const TransferScope scope(transfer_, &in, at_end, &out);
  clear_errors();
  // OpenSSL knows requests alone. No record begins like this.
  const bool is_http = in.size() > http_answer.size() &&
                       std::memcmp(in.bytes().data(), http_answer.data(), http_answer.size()) == 0;
  if (awaits_early_data()) {
    const EarlyDataTransfer::Reading reading = read_early_data();
    if (reading == EarlyDataTransfer::Reading::data) {
      // The server's flight is in `out`; the client's last one follows its early data.
      is_done_ = true;
      find_out_resumption();
      return {};
    }
    if (reading != EarlyDataTransfer::Reading::over && read_error_ == 0) return {.input = 1};
  } else if (early_data_ != nullptr && !early_data_->is_over()) {
    if (!early_data_->send_early(*ssl_)) read_error_ = write_failure();
  }
  if (read_error_ == 0) {
    const int result = SSL_do_handshake(ssl_.get());
    if (result == 1) {
      complete_handshake();
    } else {
      if (is_http && SSL_get_error(ssl_.get(), result) == SSL_ERROR_SSL)
        static_cast<void>(fail(EPROTO, "the peer speaks HTTP, not TLS"));
      read_error_ = failure(result);
      if (read_error_ == 0) return {.input = 1};
    }
  }
  // A client that has sent its last message has got the server's; what a server of TLS 1.3 sends then are
  // tickets.
  const bool are_tickets = is_server() && SSL_version(ssl_.get()) >= TLS1_3_VERSION;
  if (read_error_ == 0) return {.output_may_wait = are_tickets};
  // A peer that says goodbye in the middle has not ended in order.
  if (read_error_ == EPIPE) read_error_ = fail(EPROTO, "the peer ends the stream during the handshake");
  write_error_ = read_error_;
  return {.err = read_error_};
}

void OpenSslEngine::complete_handshake() noexcept {
  is_done_ = true;
  find_out_resumption();
  if (is_server()) return;
  // TLS 1.2 resumes a session as often as one likes.
  if (SSL_session_reused(ssl_.get()) == 1 && SSL_version(ssl_.get()) < TLS1_3_VERSION)
    remember(OpenSslPointer<SSL_SESSION>(SSL_get1_session(ssl_.get())));
  if (early_data_ != nullptr && !early_data_->send_rest(*ssl_)) read_error_ = write_failure();
}

void OpenSslEngine::remember(OpenSslPointer<SSL_SESSION> session) noexcept {
  if (!session_name_.empty() && context_->sessions().is_on())
    context_->sessions().put(session_name_, std::move(session));
}

int OpenSslEngine::judge_ocsp_response() noexcept {
  if (SSL_session_reused(ssl_.get()) == 1) return 1;  // it has been judged
  ERR_clear_error();
  try {
    std::string refusal;
    if (context_->check().accepts_ocsp(*ssl_, refusal)) return 1;
    refuse(std::move(refusal));
    return 0;
  } catch (const std::bad_alloc&) {
    note_shortage();
    return -1;
  }
}

void OpenSslEngine::note_psk_identity(std::string_view identity) {
  psk_identity_ = std::make_unique<std::string>(identity);
}

std::string_view OpenSslEngine::psk_identity() const noexcept {
  if (const auto note = SessionNote::of(*ssl_); note.has_value()) return note->psk_identity;
  // One that was asked for did not come to be used when TLS 1.3 makes a new session.
  const bool is_used = SSL_version(ssl_.get()) < TLS1_3_VERSION || SSL_session_reused(ssl_.get()) == 1;
  return psk_identity_ != nullptr && is_used ? std::string_view(*psk_identity_) : std::string_view();
}

// To OpenSSL a session with a pre-shared key of TLS 1.3 is a resumed one.
void OpenSslEngine::find_out_resumption() noexcept {
  if (knows_resumption_) return;
  knows_resumption_ = true;
  if (SSL_session_reused(ssl_.get()) != 1) return;
  is_resumed_ = is_server() ? SessionNote::of(*ssl_).has_value()
                            : SSL_version(ssl_.get()) < TLS1_3_VERSION ||
                                  SSL_SESSION_has_ticket(SSL_get0_session(ssl_.get())) == 1;
}

std::span<const std::byte> OpenSslEngine::resumed_binding() const noexcept {
  const auto note = is_resumed_ ? SessionNote::of(*ssl_) : std::nullopt;
  return note.has_value() ? note->binding : std::span<const std::byte>();
}

bool OpenSslEngine::annotate_session() noexcept {
  find_out_resumption();
  if (SessionNote::of(*ssl_).has_value()) return true;  // it is resumed, and gets another ticket
  const std::string_view identity = psk_identity();
  const auto binding = identity.empty() ? context_->certificate_hash(*ssl_) : std::span<const std::byte>();
  if (!SessionNote{.binding = binding, .psk_identity = identity}.put(*ssl_)) note_shortage();
  return !transfer_.out_of_memory;
}

// ---- early data ----

EarlyData OpenSslEngine::early_data() const noexcept {
  // A server that refuses it does not get to see it.
  if (is_server() && SSL_get_early_data_status(ssl_.get()) == SSL_EARLY_DATA_REJECTED)
    return EarlyData::refused;
  return early_data_ != nullptr ? early_data_->outcome() : EarlyData::none;
}

EarlyDataTransfer::Reading OpenSslEngine::read_early_data() noexcept {
  const EarlyDataTransfer::Reading reading = early_data_->read(*ssl_);
  if (reading == EarlyDataTransfer::Reading::failed) read_error_ = failure(0);
  if (reading == EarlyDataTransfer::Reading::no_memory) read_error_ = ENOMEM;
  return reading;
}

// ---- the kernel sends ----

int OpenSslEngine::watch_for_kernel() noexcept {
  kernel_.reset(new (std::nothrow) KernelSender());
  if (kernel_ == nullptr) return ENOMEM;
  SSL_set_msg_callback(ssl_.get(), [](int is_written, int /*version*/, int type, const void* data,
                                      std::size_t size, SSL* ssl, void* /*argument*/) {
    const std::span content(static_cast<const std::byte*>(data), size);
    if (is_written == 1) {
      of(ssl).on_written(type, content);
    } else {
      of(ssl).on_received(type, content);
    }
  });
  return 0;
}

bool OpenSslEngine::offload(SocketControl& below) noexcept {
  // Between the messages of the client's last flight the keys are not those that stay.
  const bool is_settled =
      SSL_is_init_finished(ssl_.get()) == 1 && read_error_ == 0 && write_error_ == 0 && !has_said_goodbye_;
  if (is_settled && kernel_->take_over(*ssl_, below)) return true;
  SSL_set_msg_callback(ssl_.get(), nullptr);
  kernel_.reset();
  return false;
}

int OpenSslEngine::write_error() const noexcept {
  return write_error_ == 0 && has_said_goodbye_ ? EPIPE : write_error_;
}

// Told of each record by its header, and of alerts, which the kernel has to send once OpenSSL's records go to
// nobody.
void OpenSslEngine::on_written(int type, std::span<const std::byte> content) noexcept {
  if (type == SSL3_RT_HEADER) kernel_->note_record(std::to_integer<std::uint8_t>(content[0]));
  if (type == SSL3_RT_ALERT && kernel_->has_taken_over()) say_by_kernel(content);
}

// A key update that asks for another one, which OpenSSL would send in front of the next data. Most kernels
// take keys once.
void OpenSslEngine::on_received(int type, std::span<const std::byte> content) noexcept {
  constexpr std::size_t request = SSL3_HM_HEADER_LENGTH;  // the one byte of the message
  if (!kernel_->has_taken_over() || type != SSL3_RT_HANDSHAKE || content.size() <= request ||
      content[0] != std::byte{SSL3_MT_KEY_UPDATE} || content[request] != std::byte{SSL_KEY_UPDATE_REQUESTED})
    return;
  static constexpr std::array alert = {std::byte{SSL3_AL_FATAL}, std::byte{SSL_AD_INTERNAL_ERROR}};
  say_by_kernel(alert);
  if (read_error_ == 0)
    end_reading(fail(EPROTO, "the peer asks for new keys, and the kernel, which sends, is not given any"));
}

void OpenSslEngine::say_by_kernel(std::span<const std::byte> alert) noexcept {
  if (!KernelSender::put(SSL3_RT_ALERT, alert, *transfer_.out)) end_reading(ENOMEM);
}

}  // namespace tsock::inline v0::tls

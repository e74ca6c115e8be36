#include "tls/openssl_engine.hpp"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "tls/peer_name.hpp"
#include "tls/session_note.hpp"

namespace tsock::inline v0::tls {

using layer::ByteBlock;
using layer::Step;

namespace {

constexpr std::size_t largest_record = SSL3_RT_MAX_PLAIN_LENGTH;
constexpr std::size_t record_overhead = 64;
// Key updates, tickets and empty records of a peer that sends no data: above it is an attack on the
// processor.
constexpr std::uint32_t most_quiet_input = 64U * 1024U;
// Refusals of renegotiation for a peer that does not read them: above it is an attack on the memory.
constexpr std::uint32_t most_answers = 16U * 1024U;
constexpr std::string_view http_answer = "HTTP/";

// To be called before OpenSSL is: it would take what others have left there for the reason why it fails, or
// gives nothing. OpenSSL 3.0 goes through all 16 places of the queue to clear it. Data is read and written
// without this, see uncleared_failure().
void clear_errors() noexcept {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

// OpenSSL 3.2 and later put this behind the cause.
bool hides_cause([[maybe_unused]] unsigned long code) noexcept {
#ifdef SSL_R_RECORD_LAYER_FAILURE
  return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_RECORD_LAYER_FAILURE;
#else
  return false;
#endif
}

bool is_one_record(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() < SSL3_RT_HEADER_LENGTH) return false;
  const std::size_t length =
      std::to_integer<std::size_t>(bytes[3]) << 8U | std::to_integer<std::size_t>(bytes[4]);
  return bytes.size() == SSL3_RT_HEADER_LENGTH + length;
}

}  // namespace

/// Shows the blocks of a call to the BIO.
class OpenSslEngine::CallScope {
 public:
  CallScope(OpenSslEngine& engine, ByteBlock* in, bool at_end, ByteBlock* out) noexcept
      : transfer_(engine.transfer_) {
    transfer_ = {.in = in, .out = out, .at_end = at_end};
  }
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;
  ~CallScope() { transfer_ = {}; }

 private:
  BlockTransfer& transfer_;
};

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

// ---- before the handshake ----

int OpenSslEngine::make_ssl() noexcept {
  ERR_clear_error();
  ssl_.reset(SSL_new(context_->context()));
  OpenSslPointer<BIO> bio = make_block_bio(transfer_);
  if (ssl_ == nullptr || bio == nullptr || SSL_set_app_data(ssl_.get(), this) != 1) return ENOMEM;
  BIO* const both = bio.release();
  SSL_set_bio(ssl_.get(), both, both);
  return context_->protocol().kernel_tls ? watch_for_kernel() : 0;
}

int OpenSslEngine::prepare_server() noexcept {
  if (const int err = make_ssl(); err != 0) return err;
  SSL_set_accept_state(ssl_.get());
  if (!context_->takes_early_data()) return 0;
  early_data_.reset(new (std::nothrow) EarlyDataTransfer());
  return early_data_ != nullptr ? 0 : ENOMEM;
}

int OpenSslEngine::prepare_client(const ConnectOptions& options) noexcept {
  if (const int err = make_ssl(); err != 0) return err;
  SSL_set_connect_state(ssl_.get());
  try {
    if (const int err = expect_peer(options.peer_name); err != 0) return err;
    if (const int err = ask_for(options.server_name); err != 0) return err;
    if (options.resume && !session_name_.empty()) {
      if (const auto session = context_->sessions().take(session_name_); session != nullptr)
        SSL_set_session(ssl_.get(), session.get());
    }
    const std::span<const std::byte> early_data = options.early_data.bytes();
    if (!early_data.empty()) early_data_ = std::make_unique<EarlyDataTransfer>(early_data);
    return 0;
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
}

int OpenSslEngine::expect_peer(const std::string& peer_name) noexcept {
  const VerifyLevel level = context_->check().level();
  PeerName name;
  try {
    name = PeerName::parse(peer_name);
    session_name_ = name.text;
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
  if (name.kind == PeerName::Kind::invalid)
    return fail(EINVAL, "the peer's name is neither an IP address nor a DNS name in ASCII");
  if (name.kind == PeerName::Kind::none) {
    needs_psk_ = level >= VerifyLevel::ca_and_name;
    if (needs_psk_ && !context_->has_psk())
      return fail(EINVAL, "the peer's name is needed to verify its certificate");
    return needs_psk_ ? offer_psk_only() : 0;
  }
  const bool is_dns = name.kind == PeerName::Kind::dns;
  if (is_dns && SSL_set_tlsext_host_name(ssl_.get(), name.text.c_str()) != 1) return ENOMEM;
  if (level < VerifyLevel::ca_and_name_if_available) return 0;
  X509_VERIFY_PARAM* const expected = SSL_get0_param(ssl_.get());
  X509_VERIFY_PARAM_set_hostflags(expected,
                                  X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  const int done = is_dns ? X509_VERIFY_PARAM_set1_host(expected, name.text.c_str(), name.text.size())
                          : X509_VERIFY_PARAM_set1_ip_asc(expected, name.text.c_str());
  return done == 1 ? 0 : ENOMEM;
}

// A server that has certificates, too, would prefer them, and be refused.
int OpenSslEngine::offer_psk_only() noexcept {
  try {
    const std::string& ciphers = context_->protocol().ciphers;
    const std::string without = (ciphers.empty() ? "DEFAULT" : ciphers) + ":!aRSA:!aECDSA:!aDSS";
    // Without any for TLS 1.2 those of TLS 1.3 are left.
    if (SSL_set_cipher_list(ssl_.get(), without.c_str()) != 1) ERR_clear_error();
    return 0;
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
}

// A session belongs to both names: a server may have others for another SNI.
int OpenSslEngine::ask_for(const std::string& server_name) {
  if (server_name.empty()) return 0;
  const PeerName name = PeerName::parse(server_name);
  if (name.kind != PeerName::Kind::dns)
    return fail(EINVAL, "the server's name (SNI) is no DNS name in ASCII");
  if (!session_name_.empty() && session_name_ != name.text) session_name_ += ' ' + name.text;
  return SSL_set_tlsext_host_name(ssl_.get(), name.text.c_str()) == 1 ? 0 : ENOMEM;
}

// ---- what went wrong ----

// The first fault is the cause of all others.
int OpenSslEngine::fail(int err, std::string_view why) noexcept {
  try {
    if (reason_.empty()) reason_ = why;
    return err;
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
}

void OpenSslEngine::refuse(std::string why) noexcept {
  is_refused_ = true;
  reason_ = std::move(why);
}

// Where close_notify may be missing, OpenSSL takes any end for one in order. It reads no byte beyond the
// record, so what it has then is a part of one: of the header, or all of the header ("read body").
bool OpenSslEngine::is_inside_record() const noexcept {
  return transfer_.at_end &&
         (SSL_has_pending(ssl_.get()) == 1 || std::string_view(SSL_rstate_string(ssl_.get())) == "RB");
}

int OpenSslEngine::failure(int result) noexcept {
  const int kind = SSL_get_error(ssl_.get(), result);
  if (transfer_.out_of_memory) {
    ERR_clear_error();
    return ENOMEM;
  }
  if (kind == SSL_ERROR_WANT_READ) return 0;
  if (kind == SSL_ERROR_ZERO_RETURN)
    return is_inside_record() ? fail(EPROTO, "the peer has ended the connection inside a record") : EPIPE;
  const char* const words = words_for_psk();
  OpenSslError error = take_error(EPROTO);
  if (error.err == ENOMEM || SSL_get_verify_result(ssl_.get()) == X509_V_ERR_OUT_OF_MEM) return ENOMEM;
  if (is_refused_) return EACCES;
  return fail(error.err, words != nullptr ? std::string_view(words) : error.reason);
}

// As failure(), of a call for data before which the queue was not cleared: the newest of its errors alone can
// be of this call. Without any, SSL_get_error() takes a fatal alert of the peer for a close_notify, while
// OpenSSL is in its handshake again, and a shortage of memory for what the call before has waited for.
int OpenSslEngine::uncleared_failure(int result) noexcept {
  unsigned long newest = 0;
  while (const unsigned long code = ERR_get_error()) {
    if (!hides_cause(code)) newest = code;
  }
  if (transfer_.is_starved && !transfer_.out_of_memory) return 0;
  const bool is_end =
      SSL_get_error(ssl_.get(), result) == SSL_ERROR_ZERO_RETURN && SSL_in_init(ssl_.get()) == 0;
  if (!is_end && newest != 0) ERR_raise(ERR_GET_LIB(newest), ERR_GET_REASON(newest));
  return failure(result);
}

// To be called before data is read or written. To look into the queue costs 211 instructions of the 8,000
// that OpenSSL takes for a record of 64 bytes: then only where it may go on with a handshake.
void OpenSslEngine::clear_errors_in_handshake() noexcept {
  if (SSL_in_init(ssl_.get()) != 0) clear_errors();
}

// A write never waits for input here.
int OpenSslEngine::write_failure() noexcept {
  const int err = failure(-1);
  return err != 0 ? err : EPROTO;
}

// What OpenSSL finds wrong is sometimes only what follows from it.
const char* OpenSslEngine::words_for_psk() const noexcept {
  const unsigned long first = ERR_peek_error();
  if (ERR_GET_LIB(first) != ERR_LIB_SSL || is_done_) return nullptr;
  switch (ERR_GET_REASON(first)) {
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_CIPHER:
      return is_server() && !context_->has_identity() ? "no pre-shared key that both sides have" : nullptr;
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
      return psk_identity().empty() ? nullptr : "the peer has another pre-shared key";
    default:
      return nullptr;
  }
}

void OpenSslEngine::end_reading(int err) noexcept {
  read_error_ = err;
  // After an alert, sent or received, OpenSSL writes nothing more either.
  if (err != EPIPE && write_error_ == 0) write_error_ = err;
}

// ---- the handshake ----

Step OpenSslEngine::handshake(ByteBlock& in, bool at_end, ByteBlock& out) noexcept {
  if (is_done_) return {};
  if (read_error_ != 0) return {.err = read_error_};
  // Before the client has said something OpenSSL would only take its buffers.
  if (in.empty() && !at_end && is_server()) return {.input = 1};
  const CallScope scope(*this, &in, at_end, &out);
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

// ---- reading ----

// \return whether the vector is full
bool OpenSslEngine::read_into(const iovec& vector, std::size_t skip, std::size_t& given,
                              const ByteBlock& in) noexcept {
  while (skip < vector.iov_len) {
    std::size_t got = 0;
    const int result =
        SSL_read_ex(ssl_.get(), static_cast<std::byte*>(vector.iov_base) + skip, vector.iov_len - skip, &got);
    if (result != 1) {
      if (const int err = uncleared_failure(result); err != 0) end_reading(err);
      return false;
    }
    skip += got;
    given += got;
    // Another call would only say that it wants input.
    if (in.empty() && !transfer_.at_end && SSL_pending(ssl_.get()) == 0) {
      is_at_record_ = true;
      return skip == vector.iov_len;
    }
  }
  return true;
}

Step OpenSslEngine::unwrap(ByteBlock& in, bool at_end, std::span<const iovec> to, std::size_t& given,
                           ByteBlock& out) noexcept {
  const CallScope scope(*this, &in, at_end, &out);
  const std::size_t before = given;
  const std::size_t input = in.size();
  const std::size_t output = out.size();
  clear_errors_in_handshake();
  while (awaits_early_data() && read_error_ == 0) {
    const EarlyDataTransfer::Reading reading = read_early_data();
    if (reading == EarlyDataTransfer::Reading::failed && read_error_ == 0) return {.input = 1};
    if (reading == EarlyDataTransfer::Reading::data) early_data_->give(to, given);
    if (early_data_->ready() != 0) return {};
  }
  // Without input, as behind a handshake, SSL_read() would only fail, for 11,700 instructions.
  const bool has_input = at_end || !in.empty() || SSL_has_pending(ssl_.get()) == 1;
  if (has_input) {
    // OpenSSL takes the header of a record, and then the rest: all at once where nothing is behind it.
    SSL_set_read_ahead(ssl_.get(), is_at_record_ && is_one_record(in.bytes()) ? 1 : 0);
    is_at_record_ = false;
  }
  if (has_input && read_error_ == 0 && to.empty()) {
    std::byte next{};
    std::size_t seen = 0;
    const int result = SSL_peek_ex(ssl_.get(), &next, 1, &seen);
    if (result == 1) {
      pending_ = static_cast<std::size_t>(SSL_pending(ssl_.get()));
      return {};
    }
    if (const int err = uncleared_failure(result); err != 0) end_reading(err);
  }
  std::size_t skip = given;
  bool is_full = has_input;
  for (const iovec& vector : to) {
    if (read_error_ != 0 || !is_full) break;
    const std::size_t begin = std::min(skip, vector.iov_len);
    skip -= begin;
    if (begin < vector.iov_len) is_full = read_into(vector, begin, given, in);
  }
  if (owes_goodbye_ && read_error_ == 0 && SSL_in_init(ssl_.get()) == 0) {
    owes_goodbye_ = false;
    clear_errors();
    send_close_notify();
  }
  pending_ = is_at_record_ ? 0 : static_cast<std::size_t>(SSL_pending(ssl_.get()));
  quiet_input_ = given != before ? 0 : quiet_input_ + static_cast<std::uint32_t>(input - in.size());
  if (quiet_input_ > most_quiet_input && read_error_ == 0)
    end_reading(fail(EPROTO, "the peer sends messages of the protocol, and no data"));
  answers_ = static_cast<std::uint32_t>((output != 0 ? answers_ : 0) + (out.size() - output));
  if (answers_ > most_answers && read_error_ == 0)
    end_reading(fail(EPROTO, "the peer asks for answers, and does not read them"));
  // What came before an error is given first.
  if (read_error_ != 0) return {.err = given == before ? read_error_ : 0};
  return {.input = is_full && !to.empty() ? 0U : 1U};
}

std::size_t OpenSslEngine::ready() const noexcept {
  const std::size_t early = awaits_early_data() ? early_data_->ready() : 0;
  return early != 0 ? early : pending_;
}

// ---- writing ----

// A client with early data is served before its last flight has come.
bool OpenSslEngine::is_client_unfinished() const noexcept {
  return context_->takes_early_data() && SSL_is_init_finished(ssl_.get()) == 0;
}

// Takes as much as `out` is to hold, in whole records. \return whether that is all
bool OpenSslEngine::write(std::span<const std::byte> bytes, std::size_t& taken,
                          const ByteBlock& out) noexcept {
  while (!bytes.empty() && out.size() < most_output) {
    const std::size_t records = std::max<std::size_t>(1, (most_output - out.size()) / largest_record);
    const std::size_t step = std::min(bytes.size(), records * largest_record);
    std::size_t written = 0;
    const int result = is_client_unfinished() ? SSL_write_early_data(ssl_.get(), bytes.data(), step, &written)
                                              : SSL_write_ex(ssl_.get(), bytes.data(), step, &written);
    if (result != 1) {
      write_error_ = uncleared_failure(result);
      // No write waits for input, and the end is that of reading alone.
      if (write_error_ == 0 || write_error_ == EPIPE) write_error_ = EPROTO;
      return false;
    }
    bytes = bytes.subspan(written);
    taken += written;
  }
  return bytes.empty();
}

Step OpenSslEngine::wrap(std::span<const iovec> from, std::size_t& taken, ByteBlock& out) noexcept {
  const CallScope scope(*this, nullptr, false, &out);
  if (write_error_ != 0) return {.err = write_error_};
  clear_errors_in_handshake();
  const std::size_t before = taken;
  std::size_t left = 0;
  for (const iovec& vector : from) left += vector.iov_len;
  left -= taken;
  // The block gets its size once, not in steps that copy what is there.
  if (left > largest_record)
    static_cast<void>(
        out.room(std::min(left, most_output) + (most_output / largest_record + 1) * record_overhead));
  // Whole records, across the borders of vectors: the end of one is copied together with the beginning of the
  // next, which costs less than one record more. What comes in whole records is not copied.
  std::array<std::byte, largest_record> together;
  std::size_t filled = 0;
  std::size_t skip = taken;
  bool goes_on = true;
  for (const iovec& vector : from) {
    const std::size_t begin = std::min(skip, vector.iov_len);
    skip -= begin;
    std::span bytes(static_cast<const std::byte*>(vector.iov_base) + begin, vector.iov_len - begin);
    while (goes_on && !bytes.empty()) {
      std::size_t step = bytes.size();
      if (filled == 0 && (step >= largest_record || &vector == &from.back())) {
        if (&vector != &from.back()) step -= step % largest_record;
        goes_on = write(bytes.first(step), taken, out);
      } else {
        step = std::min(step, together.size() - filled);
        std::memcpy(together.data() + filled, bytes.data(), step);
        filled += step;
        if (filled == together.size())
          goes_on = write(std::span(together).first(std::exchange(filled, 0)), taken, out);
      }
      bytes = bytes.subspan(step);
    }
    if (!goes_on) break;
  }
  if (goes_on && filled != 0) write(std::span(together).first(filled), taken, out);
  return {.err = taken == before ? write_error_ : 0};
}

// ---- the end ----

int OpenSslEngine::end_writing(ByteBlock& out) noexcept {
  if (has_said_goodbye_) return 0;
  if (write_error_ != 0) return write_error_;
  const CallScope scope(*this, nullptr, false, &out);
  clear_errors();
  has_said_goodbye_ = true;
  // Between the messages of the client's last flight OpenSSL does not say it; then it follows them.
  owes_goodbye_ = SSL_in_init(ssl_.get()) != 0;
  return owes_goodbye_ ? 0 : send_close_notify();
}

int OpenSslEngine::send_close_notify() noexcept {
  if (SSL_shutdown(ssl_.get()) >= 0) return write_error_;
  return write_error_ = write_failure();
}

bool OpenSslEngine::say_goodbye(ByteBlock& out) noexcept { return end_writing(out) == 0 && read_error_ == 0; }

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

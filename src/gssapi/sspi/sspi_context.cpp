#include "gssapi/sspi/sspi_context.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <ratio>
#include <utility>

#include "gssapi/sspi/credentials_state.hpp"
#include "gssapi/sspi/status.hpp"
#include "gssapi/sspi/wide_text.hpp"

namespace tsock::inline v0::gssapi {

namespace {

// A ticket with many groups in it is longer than some packages say.
constexpr std::size_t least_token_room = std::size_t{64} * 1024;
constexpr std::size_t most_message = std::numeric_limits<std::int32_t>::max();

// For these flags the two sides have one value each; for the others they have one.
static_assert(ISC_RET_MUTUAL_AUTH == ASC_RET_MUTUAL_AUTH && ISC_RET_REPLAY_DETECT == ASC_RET_REPLAY_DETECT &&
              ISC_RET_SEQUENCE_DETECT == ASC_RET_SEQUENCE_DETECT &&
              ISC_RET_CONFIDENTIALITY == ASC_RET_CONFIDENTIALITY);
constexpr unsigned long order_flags = ISC_RET_REPLAY_DETECT | ISC_RET_SEQUENCE_DETECT;

// SSPI does not change what it only reads.
SecBuffer buffer_of(unsigned long type, std::span<const std::byte> bytes) noexcept {
  return {static_cast<unsigned long>(bytes.size()), type,
          const_cast<std::byte*>(bytes.data())};  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

template <std::size_t Count>
SecBufferDesc all_of(std::array<SecBuffer, Count>& buffers) noexcept {
  return {SECBUFFER_VERSION, static_cast<unsigned long>(buffers.size()), buffers.data()};
}

// The bytes behind the structure that tells where they are.
std::vector<std::byte> bindings_of(std::span<const std::byte> data) {
  if (data.empty()) return {};
  SEC_CHANNEL_BINDINGS header{};
  header.cbApplicationDataLength = static_cast<unsigned long>(data.size());
  header.dwApplicationDataOffset = sizeof header;
  std::vector<std::byte> bound(sizeof header + data.size());
  std::memcpy(bound.data(), &header, sizeof header);
  std::ranges::copy(data, bound.begin() + sizeof header);
  return bound;
}

// "service@host" is a name of GSSAPI alone; a principal is the same for both.
std::string spn_of(std::string target) {
  if (target.find('/') == std::string::npos) {
    if (const std::size_t at = target.find('@'); at != std::string::npos) target[at] = '/';
  }
  return target;
}

}  // namespace

std::unique_ptr<Context> Context::create(const ConnectOptions& options) {
  return std::make_unique<SspiContext>(options);
}

std::unique_ptr<Context> Context::create(const AcceptOptions& options) {
  return std::make_unique<SspiContext>(options);
}

SspiContext::SspiContext(const ConnectOptions& options)
    : Context(options),
      wanted_flags_(ISC_REQ_INTEGRITY | ISC_REQ_REPLAY_DETECT | ISC_REQ_SEQUENCE_DETECT),
      bound_(bindings_of(bindings_)) {
  if (wants_mutual_) wanted_flags_ |= ISC_REQ_MUTUAL_AUTH;
  // Kerberos delegates only where the server proves who it is.
  if (options.delegate) wanted_flags_ |= ISC_REQ_DELEGATE | ISC_REQ_MUTUAL_AUTH;
  if (seals()) wanted_flags_ |= ISC_REQ_CONFIDENTIALITY;
}

SspiContext::SspiContext(const AcceptOptions& options)
    : Context(options),
      wanted_flags_(ASC_REQ_INTEGRITY | ASC_REQ_REPLAY_DETECT | ASC_REQ_SEQUENCE_DETECT),
      bound_(bindings_of(bindings_)) {
  if (seals()) wanted_flags_ |= ASC_REQ_CONFIDENTIALITY;
}

int SspiContext::refuse_status(SECURITY_STATUS status) {
  return refuse(handshake_errno(status), status_text(status));
}

int SspiContext::prepare() {
  package_ = initiates_ && mechanism_text_.empty() ? nullptr : find_package(mechanism_text_);
  if (package_ == nullptr)
    return refuse(EINVAL, "'" + mechanism_text_ + "' is no mechanism of SSPI: kerberos, spnego or ntlm is");
  if (initiates_) {
    if (target_text_.empty() || target_text_.find('\0') != std::string::npos)
      return refuse(EINVAL, "there is no name of the service");
    if (!widen(spn_of(target_text_), target_)) return refuse(EINVAL, "the name of the service is no UTF-8");
  }
  const auto use = initiates_ ? CredentialsState::Use::initiate : CredentialsState::Use::accept;
  return CredentialsState::acquire(credentials_.state(), use, package_->name, credential_, reason_);
}

// \param size of the token that is in the room afterwards
SECURITY_STATUS SspiContext::call(std::span<const std::byte> token, std::span<std::byte> room,
                                  std::size_t& size) {
  std::array<SecBuffer, 2> in{};
  unsigned long count = 0;
  if (!token.empty()) in[count++] = buffer_of(SECBUFFER_TOKEN, token);
  if (!bound_.empty()) in[count++] = buffer_of(SECBUFFER_CHANNEL_BINDINGS, bound_);
  SecBufferDesc input{SECBUFFER_VERSION, count, in.data()};
  std::array<SecBuffer, 1> out{buffer_of(SECBUFFER_TOKEN, room)};
  SecBufferDesc output = all_of(out);
  SecHandle* const before = context_ ? context_.get() : nullptr;
  SecHandle made = *context_.get();
  TimeStamp expiry{};
  SecBufferDesc* const given = count != 0 ? &input : nullptr;
  SECURITY_STATUS status = 0;
  if (initiates_) {
    status =
        sspi().InitializeSecurityContextW(credential_.get(), before, target_.data(), wanted_flags_, 0,
                                          SECURITY_NATIVE_DREP, given, 0, &made, &output, &flags_, &expiry);
  } else {
    status = sspi().AcceptSecurityContext(credential_.get(), before, given, wanted_flags_,
                                          SECURITY_NATIVE_DREP, &made, &output, &flags_, &expiry);
  }
  size = 0;
  if (has_failed(status)) return status;
  context_.set(made);
  if (status == SEC_I_COMPLETE_NEEDED || status == SEC_I_COMPLETE_AND_CONTINUE) {
    const SECURITY_STATUS completed = sspi().CompleteAuthToken(context_.get(), &output);
    if (has_failed(completed)) return completed;
    status = status == SEC_I_COMPLETE_NEEDED ? SEC_E_OK : SEC_I_CONTINUE_NEEDED;
  }
  size = std::min<std::size_t>(out[0].cbBuffer, room.size());
  return status;
}

int SspiContext::step(std::span<const std::byte> token, std::vector<std::byte>& answer, bool& answers) {
  if (is_established_) return refuse(EINVAL, "the context is established");
  if (!std::exchange(is_prepared_, true)) {
    if (const int err = prepare(); err != 0) return err;
  }
  if (!credential_) return refuse(EINVAL, "the context cannot be established any more");
  if (token.empty() && (context_ || !initiates_)) {
    give_up();
    return refuse(EPROTO, "a token of the peer is empty");
  }
  std::vector<std::byte> room(least_token_room);
  std::size_t size = 0;
  const SECURITY_STATUS status = call(token, room, size);
  if (size != 0) {
    room.resize(size);
    answer = std::move(room);
    answers = true;
  }
  if (status == SEC_I_CONTINUE_NEEDED) return EAGAIN;
  const int err = has_failed(status) ? refuse_status(status) : establish();
  if (err != 0) {
    give_up();
  } else {
    credential_.reset();
  }
  return err;
}

void SspiContext::give_up() noexcept {
  credential_.reset();
  context_.reset();
}

template <class Value>
bool SspiContext::query(unsigned long attribute, Value& value) const noexcept {
  return !has_failed(sspi().QueryContextAttributesW(context_.get(), attribute, &value));
}

int SspiContext::establish() {
  if (!query(SECPKG_ATTR_SIZES, sizes_)) return refuse(EACCES, "the mechanism does not protect messages");
  inquire_mechanism();
  if (const int err = check_flags(); err != 0) return err;
  inquire_names();
  inquire_lifetime();
  is_established_ = true;
  return 0;
}

int SspiContext::check_flags() {
  const unsigned long integrity = initiates_ ? ISC_RET_INTEGRITY : ASC_RET_INTEGRITY;
  if ((flags_ & integrity) == 0) return refuse(EACCES, "the mechanism does not protect messages");
  if (seals() && (flags_ & ISC_RET_CONFIDENTIALITY) == 0)
    return refuse(EACCES, "the mechanism does not seal messages");
  if (initiates_ && wants_mutual_ && (flags_ & ISC_RET_MUTUAL_AUTH) == 0)
    return refuse(EACCES, "the server has not proved who it is");
  // NTLM has no flags for it on the server's side, and numbers its messages always.
  if (demands_sequence_ && (flags_ & order_flags) != order_flags && mechanism_ != "ntlm")
    return refuse(EACCES, initiates_ ? "the mechanism does not detect messages that are repeated or missing"
                                     : "the client does not detect messages that are repeated or missing");
  return 0;
}

// Negotiate tells what it has chosen in the one way, the others what they are in the other.
void SspiContext::inquire_mechanism() {
  mechanism_ = package_->mechanism;
  SecPkgContext_NegotiationInfoW negotiated{};
  SecPkgContext_PackageInfoW used{};
  const SecPkgInfoW* info = nullptr;
  if (query(SECPKG_ATTR_NEGOTIATION_INFO, negotiated)) info = negotiated.PackageInfo;
  if (info == nullptr && query(SECPKG_ATTR_PACKAGE_INFO, used)) info = used.PackageInfo;
  const SspiMemory first(negotiated.PackageInfo);
  const SspiMemory second(used.PackageInfo);
  if (info != nullptr && info->Name != nullptr) mechanism_ = mechanism_of(info->Name);
}

// A server whose package does not tell the names has a client without one.
void SspiContext::inquire_names() {
  SecPkgContext_NativeNamesW native{};
  if (query(SECPKG_ATTR_NATIVE_NAMES, native)) {
    const SspiMemory client(native.sClientName);
    const SspiMemory server(native.sServerName);
    peer_name_ = narrow(initiates_ ? server.get() : client.get());
    own_name_ = narrow(initiates_ ? client.get() : server.get());
  } else if (SecPkgContext_NamesW names{}; query(SECPKG_ATTR_NAMES, names)) {
    const SspiMemory client(names.sUserName);
    (initiates_ ? own_name_ : peer_name_) = narrow(client.get());
  }
  if (initiates_ && peer_name_.empty()) peer_name_ = narrow(target_.c_str());
}

// In local time, as all times of SSPI.
void SspiContext::inquire_lifetime() {
  SecPkgContext_Lifespan lifespan{};
  if (!query(SECPKG_ATTR_LIFESPAN, lifespan)) return;
  const FILETIME local{lifespan.tsExpiry.u.LowPart, static_cast<DWORD>(lifespan.tsExpiry.u.HighPart)};
  FILETIME end{};
  FILETIME now{};
  if (!::LocalFileTimeToFileTime(&local, &end)) return;
  ::GetSystemTimeAsFileTime(&now);
  const auto ticks_of = [](const FILETIME& time) {
    return static_cast<std::int64_t>(std::uint64_t{time.dwHighDateTime} << 32U | time.dwLowDateTime);
  };
  using Ticks = std::chrono::duration<std::int64_t, std::ratio<1, 10'000'000>>;
  const auto left = std::chrono::floor<std::chrono::seconds>(Ticks(ticks_of(end) - ticks_of(now)));
  // "Never" is a time in some thousands of years.
  constexpr std::chrono::seconds most = std::chrono::hours(24 * 365 * 10);
  if (left < most) expiry_ = Clock::now() + left;
}

Peer SspiContext::peer() const {
  Peer peer;
  if (!is_established_) return peer;
  peer.name = peer_name_;
  peer.own_name = own_name_;
  peer.mechanism = mechanism_;
  peer.is_mutual = (flags_ & ISC_RET_MUTUAL_AUTH) != 0;
  peer.is_anonymous = !initiates_ && (flags_ & ASC_RET_NULL_SESSION) != 0;
  peer.is_sealed = seals();
  // SSPI refuses a client that has shown none or others.
  peer.is_bound = !initiates_ && !bindings_.empty();
  peer.lifetime = lifetime();
  if (SecPkgContext_KeyInfoW key{}; query(SECPKG_ATTR_KEY_INFO, key)) {
    const SspiMemory signing(key.sSignatureAlgorithmName);
    const SspiMemory sealing(key.sEncryptAlgorithmName);
    peer.strength = key.KeySize;
  }
  return peer;
}

int SspiContext::fail_message(SECURITY_STATUS status, std::string_view what) {
  if (status == SEC_E_CONTEXT_EXPIRED) return refuse(ETIME, expired_context);
  if (status == SEC_E_OUT_OF_SEQUENCE)
    return refuse(EBADMSG,
                  "a message was repeated, came behind a later one, or one is missing in front of it");
  reason_ = what;
  reason_ += ": " + status_text(status);
  return EBADMSG;
}

int SspiContext::wrap(std::span<const std::byte> plain, bool seals, layer::ByteBlock& message) {
  if (seals && (flags_ & ISC_RET_CONFIDENTIALITY) == 0)
    return refuse(EACCES, "the mechanism does not seal messages");
  if (plain.size() > most_message) return refuse(EMSGSIZE, "a message is too long");
  const std::size_t most = sizes_.cbSecurityTrailer + plain.size() + sizes_.cbBlockSize;
  std::span<std::byte> room = message.room(most);
  if (room.empty()) return refuse(ENOMEM, {});
  room = room.first(most);
  const std::span data = room.subspan(sizes_.cbSecurityTrailer, plain.size());
  if (!plain.empty()) std::memcpy(data.data(), plain.data(), plain.size());
  std::array buffers{buffer_of(SECBUFFER_TOKEN, room.first(sizes_.cbSecurityTrailer)),
                     buffer_of(SECBUFFER_DATA, data),
                     buffer_of(SECBUFFER_PADDING, room.last(sizes_.cbBlockSize))};
  SecBufferDesc all = all_of(buffers);
  const SECURITY_STATUS status =
      sspi().EncryptMessage(context_.get(), seals ? 0 : SECQOP_WRAP_NO_ENCRYPT, &all, 0);
  if (has_failed(status)) {
    layer::wipe(data);
    const int err = fail_message(status, "a message cannot be made");
    return err == EBADMSG ? EIO : err;
  }
  // What is shorter than its room leaves a gap.
  std::size_t size = 0;
  for (const SecBuffer& part : buffers) {
    if (part.cbBuffer != 0) std::memmove(room.data() + size, part.pvBuffer, part.cbBuffer);
    size += part.cbBuffer;
  }
  message.put(size);
  return 0;
}

int SspiContext::unwrap(std::span<std::byte> message, std::span<std::byte>& opened,
                        layer::WipedBytes& /*holder*/, bool& sealed) {
  constexpr std::string_view bad = "a message was changed or is none of this context";
  if (message.size() > most_message) return refuse(EBADMSG, bad);
  std::array buffers{buffer_of(SECBUFFER_STREAM, message), buffer_of(SECBUFFER_DATA, {})};
  SecBufferDesc all = all_of(buffers);
  unsigned long quality = 0;
  const SECURITY_STATUS status = sspi().DecryptMessage(context_.get(), &all, 0, &quality);
  if (status != SEC_E_OK) return fail_message(status, bad);
  opened = {static_cast<std::byte*>(buffers[1].pvBuffer),
            buffers[1].pvBuffer != nullptr ? buffers[1].cbBuffer : 0};
  sealed = quality != SECQOP_WRAP_NO_ENCRYPT;
  return 0;
}

int SspiContext::sign(std::span<const std::byte> message, std::vector<std::byte>& signature) {
  std::vector<std::byte> room(sizes_.cbMaxSignature);
  std::array buffers{buffer_of(SECBUFFER_DATA, message), buffer_of(SECBUFFER_TOKEN, room)};
  SecBufferDesc all = all_of(buffers);
  const SECURITY_STATUS status = sspi().MakeSignature(context_.get(), 0, &all, 0);
  if (has_failed(status)) {
    const int err = fail_message(status, "a signature cannot be made");
    return err == EBADMSG ? EIO : err;
  }
  const auto made = std::span(room).first(std::min<std::size_t>(buffers[1].cbBuffer, room.size()));
  signature.insert(signature.end(), made.begin(), made.end());
  return 0;
}

int SspiContext::verify(std::span<const std::byte> message, std::span<const std::byte> signature) {
  std::array buffers{buffer_of(SECBUFFER_DATA, message), buffer_of(SECBUFFER_TOKEN, signature)};
  SecBufferDesc all = all_of(buffers);
  unsigned long quality = 0;
  const SECURITY_STATUS status = sspi().VerifySignature(context_.get(), &all, 0, &quality);
  return status == SEC_E_OK ? 0 : fail_message(status, "a signature does not fit");
}

std::size_t SspiContext::wrap_size_limit(std::size_t most, bool /*seals*/) const noexcept {
  const std::size_t around = std::size_t{sizes_.cbSecurityTrailer} + sizes_.cbBlockSize;
  return most > around ? std::min(most, most_message) - around : 0;
}

}  // namespace tsock::inline v0::gssapi

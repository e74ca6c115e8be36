#include "gssapi/mit/mit_context.hpp"

#include <gssapi/gssapi_ext.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "gssapi/mit/status.hpp"

namespace tsock::inline v0::gssapi {

namespace {

constexpr OM_uint32 order_flags = GSS_C_REPLAY_FLAG | GSS_C_SEQUENCE_FLAG;

std::string text_of_name(gss_name_t name) {
  if (name == GSS_C_NO_NAME) return {};
  OM_uint32 minor = 0;
  GssBuffer text;
  if (GSS_ERROR(gss_display_name(&minor, name, text.place(), nullptr))) return {};
  std::span<const std::byte> bytes = text.bytes();
  // gss-ntlmssp counts the NUL behind it.
  if (!bytes.empty() && bytes.back() == std::byte{0}) bytes = bytes.first(bytes.size() - 1);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

gss_iov_buffer_desc iov_of(OM_uint32 type, std::span<std::byte> bytes) noexcept {
  return {type, {bytes.size(), bytes.data()}};
}

}  // namespace

std::unique_ptr<Context> Context::create(const ConnectOptions& options) {
  return std::make_unique<MitContext>(options);
}

std::unique_ptr<Context> Context::create(const AcceptOptions& options) {
  return std::make_unique<MitContext>(options);
}

MitContext::MitContext(const ConnectOptions& options)
    : Context(options), wanted_flags_(order_flags | GSS_C_INTEG_FLAG) {
  if (wants_mutual_) wanted_flags_ |= GSS_C_MUTUAL_FLAG;
  if (options.delegate) wanted_flags_ |= GSS_C_DELEG_FLAG;
  if (seals()) wanted_flags_ |= GSS_C_CONF_FLAG;
}

MitContext::MitContext(const AcceptOptions& options) : Context(options), wanted_flags_(GSS_C_INTEG_FLAG) {
  if (seals()) wanted_flags_ |= GSS_C_CONF_FLAG;
}

// The clock decides which call of a handshake meets the end of a ticket: it has one text.
int MitContext::refuse_status(OM_uint32 major, OM_uint32 minor) {
  const int err = handshake_errno(major, minor);
  if (GSS_ROUTINE_ERROR(major) == GSS_S_CONTEXT_EXPIRED) return refuse(err, expired_ticket);
  return refuse(err, status_text(major, minor, chosen_ != GSS_C_NO_OID ? chosen_ : mechanism_.get()));
}

int MitContext::prepare() {
  if ((initiates_ || !mechanism_text_.empty()) && !mechanism_.parse(mechanism_text_))
    return refuse(EINVAL, "'" + mechanism_text_ + "' is no mechanism: kerberos, spnego, ntlm or an OID is");
  if (initiates_) {
    if (const int err = import_target(target_text_, target_, reason_); err != 0) return err;
  }
  const auto use = initiates_ ? CredentialsState::Use::initiate : CredentialsState::Use::accept;
  return CredentialsState::acquire(credentials_.state(), use, mechanism_, credential_, reason_);
}

int MitContext::step(std::span<const std::byte> token, std::vector<std::byte>& answer, bool& answers) {
  if (is_established_) return refuse(EINVAL, "the context is established");
  if (!std::exchange(is_prepared_, true)) {
    if (const int err = prepare(); err != 0) return err;
  }
  if (credential_ == nullptr) return refuse(EINVAL, "the context cannot be established any more");
  // MIT's SPNEGO would read through a null pointer.
  if (token.empty() && (context_ || !initiates_)) {
    give_up();
    return refuse(EPROTO, "a token of the peer is empty");
  }
  gss_channel_bindings_struct bindings{};
  bindings.initiator_addrtype = GSS_C_AF_UNSPEC;
  bindings.acceptor_addrtype = GSS_C_AF_UNSPEC;
  bindings.application_data = buffer_of(bindings_);
  gss_channel_bindings_t bound = bindings_.empty() ? GSS_C_NO_CHANNEL_BINDINGS : &bindings;
  gss_buffer_desc input = buffer_of(token);
  GssBuffer output;
  OM_uint32 minor = 0;
  OM_uint32 major = 0;
  OM_uint32 lifetime = 0;
  if (initiates_) {
    major = gss_init_sec_context(
        &minor, credential_->get(), context_.place(), target_.get(), mechanism_.get(), wanted_flags_, 0,
        bound, token.empty() ? GSS_C_NO_BUFFER : &input, &chosen_, output.place(), &flags_, &lifetime);
  } else {
    GssCredential delegated;
    major = gss_accept_sec_context(&minor, context_.place(), credential_->get(), &input, bound, nullptr,
                                   &chosen_, output.place(), &flags_, &lifetime, delegated.place());
    if (delegated) delegated_ = Credentials(std::make_shared<CredentialsState>(std::move(delegated)));
  }
  if (!output.bytes().empty()) {
    answer.assign(output.bytes().begin(), output.bytes().end());
    answers = true;
  }
  int err = 0;
  if (GSS_ERROR(major)) {
    err = refuse_status(major, minor);
  } else if ((major & GSS_S_CONTINUE_NEEDED) != 0) {
    return EAGAIN;
  } else {
    err = establish(lifetime);
  }
  if (err != 0) {
    give_up();
  } else {
    credential_.reset();
    target_.reset();
  }
  return err;
}

void MitContext::give_up() noexcept {
  credential_.reset();
  target_.reset();
  context_.reset();
}

int MitContext::establish(OM_uint32 lifetime) {
  // MIT loses the names of an expired context when it is asked for them.
  if (lifetime == 0) return refuse(ETIME, expired_ticket);
  if (const int err = inquire_mechanism(); err != 0) return err;
  if (const int err = check_flags(); err != 0) return err;
  if (const int err = inquire_names(); err != 0) return err;
  if (lifetime != GSS_C_INDEFINITE) expiry_ = Clock::now() + std::chrono::seconds(lifetime);
  is_established_ = true;
  return 0;
}

int MitContext::check_flags() {
  if ((flags_ & GSS_C_INTEG_FLAG) == 0) return refuse(EACCES, "the mechanism does not protect messages");
  if (seals() && (flags_ & GSS_C_CONF_FLAG) == 0)
    return refuse(EACCES, "the mechanism does not seal messages");
  if ((wanted_flags_ & GSS_C_MUTUAL_FLAG) != 0 && (flags_ & GSS_C_MUTUAL_FLAG) == 0)
    return refuse(EACCES, "the server has not proved who it is");
  // NTLM has no flags for it on the server's side, and numbers its messages always.
  if (demands_sequence_ && (flags_ & order_flags) != order_flags && !is_ntlm())
    return refuse(EACCES, initiates_ ? "the mechanism does not detect messages that are repeated or missing"
                                     : "the client does not detect messages that are repeated or missing");
  if (!initiates_ && !bindings_.empty() && (flags_ & GSS_C_CHANNEL_BOUND_FLAG) == 0)
    return refuse(EACCES, "the client has shown no channel bindings");
  return 0;
}

bool MitContext::is_ntlm() const { return MechanismOid::text_of(chosen_) == "ntlm"; }

// What SPNEGO has chosen.
int MitContext::inquire_mechanism() {
  OM_uint32 minor = 0;
  gss_OID mechanism = GSS_C_NO_OID;
  const OM_uint32 major = gss_inquire_context(&minor, context_.get(), nullptr, nullptr, nullptr, &mechanism,
                                              nullptr, nullptr, nullptr);
  if (GSS_ERROR(major)) return refuse_status(major, minor);
  if (mechanism != GSS_C_NO_OID) chosen_ = mechanism;
  return 0;
}

int MitContext::inquire_names() {
  OM_uint32 minor = 0;
  GssName source;
  GssName target;
  // gss-ntlmssp falls over a server that has given itself no name.
  const bool has_target = initiates_ || !is_ntlm();
  const OM_uint32 major =
      gss_inquire_context(&minor, context_.get(), source.place(), has_target ? target.place() : nullptr,
                          nullptr, nullptr, nullptr, nullptr, nullptr);
  if (GSS_ERROR(major)) return refuse_status(major, minor);
  peer_name_ = text_of_name(initiates_ ? target.get() : source.get());
  own_name_ = text_of_name(initiates_ ? source.get() : target.get());
  return 0;
}

Peer MitContext::peer() const {
  Peer peer;
  if (!is_established_) return peer;
  peer.name = peer_name_;
  peer.own_name = own_name_;
  peer.mechanism = MechanismOid::text_of(chosen_);
  peer.is_mutual = (flags_ & GSS_C_MUTUAL_FLAG) != 0;
  peer.is_anonymous = (flags_ & GSS_C_ANON_FLAG) != 0;
  peer.is_sealed = seals();
  peer.is_bound = (flags_ & GSS_C_CHANNEL_BOUND_FLAG) != 0;
  peer.delegated = delegated_;
  peer.lifetime = lifetime();
  OM_uint32 minor = 0;
  gss_buffer_set_t set = GSS_C_NO_BUFFER_SET;
  const OM_uint32 major =
      gss_inquire_sec_context_by_oid(&minor, context_.get(), GSS_C_SEC_CONTEXT_SASL_SSF, &set);
  if (!GSS_ERROR(major) && set != GSS_C_NO_BUFFER_SET && set->count == 1 && set->elements[0].length == 4) {
    for (std::size_t i = 0; i < 4; ++i)
      peer.strength = peer.strength << 8U | static_cast<const unsigned char*>(set->elements[0].value)[i];
  }
  gss_release_buffer_set(&minor, &set);
  return peer;
}

int MitContext::fail_message(OM_uint32 major, OM_uint32 minor, std::string_view what) {
  const OM_uint32 error = GSS_ROUTINE_ERROR(major);
  if (error == GSS_S_CONTEXT_EXPIRED) return refuse(ETIME, expired_context);
  reason_ = what;
  reason_ += ": " + status_text(major, minor, chosen_);
  return error == GSS_S_CREDENTIALS_EXPIRED ? ETIME : EBADMSG;
}

// Told beside a success.
int MitContext::check_order(OM_uint32 major) {
  if ((major & GSS_S_DUPLICATE_TOKEN) != 0) return refuse(EBADMSG, "a message was repeated");
  if ((major & GSS_S_OLD_TOKEN) != 0) return refuse(EBADMSG, "a message is too old");
  if ((major & GSS_S_UNSEQ_TOKEN) != 0) return refuse(EBADMSG, "a message came behind a later one");
  if ((major & GSS_S_GAP_TOKEN) != 0) return refuse(EBADMSG, "a message is missing in front of this one");
  return 0;
}

int MitContext::wrap(std::span<const std::byte> plain, bool seals, layer::ByteBlock& message) {
  OM_uint32 minor = 0;
  OM_uint32 major = GSS_S_UNAVAILABLE;
  int sealed = 0;
  if (has_iov_) {
    std::array iov{iov_of(GSS_IOV_BUFFER_TYPE_HEADER, {}), iov_of(GSS_IOV_BUFFER_TYPE_DATA, {}),
                   iov_of(GSS_IOV_BUFFER_TYPE_PADDING, {}), iov_of(GSS_IOV_BUFFER_TYPE_TRAILER, {})};
    iov[1].buffer = buffer_of(plain);
    major = gss_wrap_iov_length(&minor, context_.get(), seals ? 1 : 0, GSS_C_QOP_DEFAULT, &sealed, iov.data(),
                                static_cast<int>(iov.size()));
    if (!GSS_ERROR(major)) {
      std::size_t size = 0;
      for (const gss_iov_buffer_desc& part : iov) size += part.buffer.length;
      std::span<std::byte> room = message.room(size);
      if (room.empty()) return refuse(ENOMEM, {});
      for (gss_iov_buffer_desc& part : iov) {
        part.buffer.value = room.data();
        room = room.subspan(part.buffer.length);
      }
      if (!plain.empty()) std::memcpy(iov[1].buffer.value, plain.data(), plain.size());
      major = gss_wrap_iov(&minor, context_.get(), seals ? 1 : 0, GSS_C_QOP_DEFAULT, &sealed, iov.data(),
                           static_cast<int>(iov.size()));
      if (!GSS_ERROR(major)) message.put(size);
    }
    has_iov_ = GSS_ROUTINE_ERROR(major) != GSS_S_UNAVAILABLE;
  }
  if (!has_iov_) {
    gss_buffer_desc input = buffer_of(plain);
    GssBuffer output;
    major =
        gss_wrap(&minor, context_.get(), seals ? 1 : 0, GSS_C_QOP_DEFAULT, &input, &sealed, output.place());
    if (!GSS_ERROR(major) && (sealed != 0 || !seals) && !message.append(output.bytes()))
      return refuse(ENOMEM, {});
  }
  if (GSS_ERROR(major)) {
    const int err = fail_message(major, minor, "a message cannot be made");
    return err == EBADMSG ? EIO : err;
  }
  if (seals && sealed == 0) return refuse(EACCES, "the mechanism does not seal messages");
  return 0;
}

int MitContext::unwrap(std::span<std::byte> message, std::span<std::byte>& opened, layer::WipedBytes& holder,
                       bool& sealed) {
  constexpr std::string_view bad = "a message was changed or is none of this context";
  OM_uint32 minor = 0;
  OM_uint32 major = GSS_S_UNAVAILABLE;
  int is_sealed = 0;
  if (has_iov_) {
    std::array iov{iov_of(GSS_IOV_BUFFER_TYPE_STREAM, message), iov_of(GSS_IOV_BUFFER_TYPE_DATA, {})};
    major =
        gss_unwrap_iov(&minor, context_.get(), &is_sealed, nullptr, iov.data(), static_cast<int>(iov.size()));
    has_iov_ = GSS_ROUTINE_ERROR(major) != GSS_S_UNAVAILABLE;
    if (!GSS_ERROR(major))
      opened = {static_cast<std::byte*>(iov[1].buffer.value),
                iov[1].buffer.value != nullptr ? iov[1].buffer.length : 0};
  }
  if (!has_iov_) {
    gss_buffer_desc input = buffer_of(message);
    GssBuffer output;
    major = gss_unwrap(&minor, context_.get(), &input, output.place(), &is_sealed, nullptr);
    holder.resize(output.bytes().size());
    std::ranges::copy(output.bytes(), holder.bytes().begin());
    opened = holder.bytes();
  }
  if (GSS_ERROR(major)) return fail_message(major, minor, bad);
  sealed = is_sealed != 0;
  return check_order(major);
}

int MitContext::sign(std::span<const std::byte> message, std::vector<std::byte>& signature) {
  OM_uint32 minor = 0;
  gss_buffer_desc input = buffer_of(message);
  GssBuffer output;
  const OM_uint32 major = gss_get_mic(&minor, context_.get(), GSS_C_QOP_DEFAULT, &input, output.place());
  if (GSS_ERROR(major)) {
    const int err = fail_message(major, minor, "a signature cannot be made");
    return err == EBADMSG ? EIO : err;
  }
  signature.insert(signature.end(), output.bytes().begin(), output.bytes().end());
  return 0;
}

int MitContext::verify(std::span<const std::byte> message, std::span<const std::byte> signature) {
  OM_uint32 minor = 0;
  gss_buffer_desc input = buffer_of(message);
  gss_buffer_desc mic = buffer_of(signature);
  const OM_uint32 major = gss_verify_mic(&minor, context_.get(), &input, &mic, nullptr);
  if (GSS_ERROR(major)) return fail_message(major, minor, "a signature does not fit");
  return check_order(major);
}

std::size_t MitContext::wrap_size_limit(std::size_t most, bool seals) const noexcept {
  OM_uint32 minor = 0;
  OM_uint32 limit = 0;
  const auto wanted = static_cast<OM_uint32>(std::min<std::size_t>(most, 0xffffffU));
  if (GSS_ERROR(
          gss_wrap_size_limit(&minor, context_.get(), seals ? 1 : 0, GSS_C_QOP_DEFAULT, wanted, &limit)))
    return 0;
  return limit;
}

}  // namespace tsock::inline v0::gssapi

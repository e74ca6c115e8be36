#include "sasl/session_state.hpp"

#include <strings.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "sasl/errors.hpp"
#include "sasl/library.hpp"

namespace tsock::inline v0::sasl {

namespace {

constexpr std::uint32_t most_message = 0xffffff;

/// The form that libsasl2 wants: "127.0.0.1;80"; empty for what is no IP address.
std::string address_text(const Address& address) {
  if (!address.is_inet()) return {};
  int err = 0;
  const std::string host = address.ip_string(err);
  return err == 0 ? host + ';' + std::to_string(address.port().value_or(0)) : std::string();
}

bool is_same_name(std::string_view left, std::string_view right) noexcept {
  return left.size() == right.size() && ::strncasecmp(left.data(), right.data(), left.size()) == 0;
}

const char* pointer_or_null(const std::string& text) noexcept {
  return text.empty() ? nullptr : text.c_str();
}

}  // namespace

bool contains_mechanism(std::span<const std::string> names, std::string_view name) noexcept {
  return std::ranges::any_of(names, [&](const std::string& other) { return is_same_name(other, name); });
}

bool has_plus(std::string_view name) noexcept {
  return name.size() > plus.size() && is_same_name(name.substr(name.size() - plus.size()), plus);
}

std::vector<std::string> split_mechanisms(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end != 0) names.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return names;
}

std::string text_property(sasl_conn_t* connection, int property) {
  const void* value = nullptr;
  if (sasl_getprop(connection, property, &value) != SASL_OK || value == nullptr) return {};
  return static_cast<const char*>(value);
}

SessionState::~SessionState() {
  if (connection_ != nullptr) sasl_dispose(&connection_);
}

void SessionState::set_addresses(const Address& local, const Address& remote) {
  if (security_.local_address.is_empty()) security_.local_address = local;
  if (security_.remote_address.is_empty()) security_.remote_address = remote;
}

const sasl_callback_t* SessionState::callbacks() {
  callbacks_.push_back(no_callback);
  return callbacks_.data();
}

int SessionState::fail(int err, std::string reason) {
  phase_ = Phase::failed;
  forget_secrets();
  reason_ = std::move(reason);
  return err;
}

int SessionState::fail_with(int result) {
  if (std::exchange(is_short_of_memory_, false)) return fail(ENOMEM, {});
  return fail(errno_of(result), printable(connection_ != nullptr ? sasl_errdetail(connection_)
                                                                 : sasl_errstring(result, nullptr, nullptr)));
}

int SessionState::wrong_turn() {
  if (phase_ == Phase::failed) return EINVAL;  // with the words that were there
  reason_ = phase_ == Phase::done          ? "the session is done"
            : phase_ == Phase::new_session ? "the session has not started"
                                           : "the session has started already";
  return EINVAL;
}

int SessionState::open() {
  if (security_.longest_message > most_message)
    return fail(EINVAL, "the longest message is more than 0xffffff bytes");
  if (security_.lowest_strength > security_.highest_strength &&
      security_.lowest_strength > security_.external_strength)
    return fail(EINVAL, "the lowest strength is above the highest one");
  if (const int err = load_library(reason_); err != 0) return err;
  const int result = open_connection();
  return result == SASL_OK ? 0 : fail_with(result);
}

int SessionState::open_connection() {
  if (connection_ != nullptr) sasl_dispose(&connection_);
  callbacks_.clear();
  const std::string local = address_text(security_.local_address);
  const std::string remote = address_text(security_.remote_address);
  const int result = make_connection(pointer_or_null(local), pointer_or_null(remote));
  return result == SASL_OK ? apply_options() : result;
}

sasl_security_properties_t SessionState::properties(unsigned flags) const noexcept {
  if (security_.mutual_authentication) flags |= SASL_SEC_MUTUAL_AUTH;
  return {.min_ssf = security_.lowest_strength,
          .max_ssf = security_.longest_message != 0 ? security_.highest_strength : 0,
          .maxbufsize = security_.longest_message,
          .security_flags = flags,
          .property_names = nullptr,
          .property_values = nullptr};
}

int SessionState::apply_options() {
  const sasl_ssf_t external = security_.external_strength;
  int result = sasl_setprop(connection_, SASL_SSF_EXTERNAL, &external);
  if (result == SASL_OK && !security_.external_name.empty())
    result = sasl_setprop(connection_, SASL_AUTH_EXTERNAL, security_.external_name.c_str());
  if (result == SASL_OK && !security_.channel_binding.type.empty()) {
    const ChannelBinding& binding = security_.channel_binding;
    binding_ = {.name = binding.type.c_str(),
                .critical = binding.is_required ? 1 : 0,
                .len = binding.bytes.size(),
                .data = reinterpret_cast<const unsigned char*>(binding.bytes.data())};
    result = sasl_setprop(connection_, SASL_CHANNEL_BINDING, &binding_);
  }
  if (result == SASL_OK && security_.gss_credentials != nullptr)
    result = sasl_setprop(connection_, SASL_GSS_CREDS, security_.gss_credentials);
  return result;
}

int SessionState::list(unsigned flags, std::vector<std::string>& names) {
  const sasl_security_properties_t wanted = properties(flags);
  int result = sasl_setprop(connection_, SASL_SEC_PROPS, &wanted);
  const char* text = nullptr;
  if (result == SASL_OK)
    result = sasl_listmech(connection_, nullptr, nullptr, " ", nullptr, &text, nullptr, nullptr);
  if (result == SASL_OK) names = split_mechanisms(text);
  return result == SASL_NOMECH ? SASL_OK : result;
}

// Those that are safe, and of the others those that are allowed by name.
int SessionState::list_mechanisms(std::vector<std::string>& names) {
  const unsigned plain_text = security_.external_strength > 1 ? 0U : SASL_SEC_NOPLAINTEXT;
  int result = list(plain_text | SASL_SEC_NOANONYMOUS, names);
  if (result == SASL_OK && !security_.allow_by_name.empty()) {
    std::vector<std::string> all;
    result = list(0, all);
    std::erase_if(all, [&](const std::string& name) {
      return !contains_mechanism(names, name) && !contains_mechanism(security_.allow_by_name, name);
    });
    names = std::move(all);
  }
  return result;
}

void SessionState::keep_wanted(std::vector<std::string>& names) const {
  if (!wanted_.empty())
    std::erase_if(names, [&](const std::string& name) { return !contains_mechanism(wanted_, name); });
}

Reply SessionState::end_step(int result, const char* output, unsigned length, int& err) {
  Reply reply;
  if (result != SASL_OK && result != SASL_CONTINUE) {
    err = fail_with(result);
    return reply;
  }
  if (output != nullptr) {
    const auto bytes = std::as_bytes(std::span(output, length));
    reply.bytes.emplace(bytes.begin(), bytes.end());
  }
  phase_ = Phase::started;
  if (result == SASL_OK) {
    err = finish();
    reply.is_done = err == 0;
    if (err != 0) reply.bytes.reset();
    return reply;
  }
  err = 0;
  return reply;
}

int SessionState::finish() {
  const void* value = nullptr;
  if (sasl_getprop(connection_, SASL_SSF, &value) == SASL_OK && value != nullptr)
    peer_.strength = *static_cast<const sasl_ssf_t*>(value);
  if (has_layer() && sasl_getprop(connection_, SASL_MAXOUTBUF, &value) == SASL_OK && value != nullptr)
    peer_.most_plain = *static_cast<const unsigned*>(value);
  if (has_layer() && peer_.most_plain == 0)
    return fail(EPROTO, "the peer takes no messages of a security layer that it has agreed on");
  if (std::max(peer_.strength, security_.external_strength) < security_.lowest_strength)
    return fail(EACCES, "the security layer is weaker than the lowest strength that is allowed");
  fill_names(peer_);
  phase_ = Phase::done;
  forget_secrets();
  return 0;
}

int SessionState::encode(std::span<const std::byte> plain, std::span<const std::byte>& message) noexcept {
  const char* output = nullptr;
  unsigned length = 0;
  const int result = sasl_encode(connection_, reinterpret_cast<const char*>(plain.data()),
                                 static_cast<unsigned>(plain.size()), &output, &length);
  if (result != SASL_OK) return result == SASL_NOMEM ? ENOMEM : EIO;
  message = std::as_bytes(std::span(output, length));
  return 0;
}

int SessionState::decode(std::span<const std::byte> piece, std::span<const std::byte>& plain) noexcept {
  const char* output = nullptr;
  unsigned length = 0;
  const int result = sasl_decode(connection_, reinterpret_cast<const char*>(piece.data()),
                                 static_cast<unsigned>(piece.size()), &output, &length);
  if (result != SASL_OK) return result == SASL_NOMEM ? ENOMEM : EBADMSG;
  plain = length != 0 ? std::as_bytes(std::span(output, length)) : std::span<const std::byte>();
  return 0;
}

}  // namespace tsock::inline v0::sasl

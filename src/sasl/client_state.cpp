#include "sasl/client_state.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

namespace tsock::inline v0::sasl {

namespace {

int drop_log(void* /*context*/, int /*level*/, const char* /*message*/) { return SASL_OK; }

std::string join(std::span<const std::string> names) {
  std::string text;
  for (const std::string& name : names) {
    if (!text.empty()) text += ' ';
    text += name;
  }
  return text;
}

// The list of a client has no "-PLUS": such a mechanism is the other one with a channel binding.
std::string_view without_plus(std::string_view name) noexcept {
  if (has_plus(name)) name.remove_suffix(plus.size());
  return name;
}

/// Has a variant with "-PLUS" for channel bindings; others carry them without a word, or not at all.
bool has_variant(std::string_view name) noexcept {
  return name.starts_with("SCRAM-") || name.starts_with("GS2-");
}

}  // namespace

void ClientState::Free::operator()(sasl_secret_t* secret) const noexcept {
  layer::wipe(std::as_writable_bytes(std::span(secret->data, secret->len)));
  std::free(secret);
}

int ClientState::make_connection(const char* local, const char* remote) {
  add_callback(SASL_CB_LOG, &drop_log, nullptr);
  add_callback(SASL_CB_USER, &give_name, this);
  add_callback(SASL_CB_GETREALM, &give_realm, this);
  if (options_.user) add_callback(SASL_CB_AUTHNAME, &give_name, this);
  if (options_.password) add_callback(SASL_CB_PASS, &give_password, this);
  return sasl_client_new(options_.service.c_str(), options_.host.c_str(), local, remote, callbacks(),
                         security_.success_carries_bytes ? SASL_SUCCESS_DATA : 0, &connection_);
}

Reply ClientState::start(std::string_view offered, int& err) {
  if (phase_ != Phase::new_session) {
    err = wrong_turn();
    return {};
  }
  std::vector<std::string> usable;
  if (const int result = list_mechanisms(usable); result != SASL_OK) {
    err = fail_with(result);
    return {};
  }
  std::vector<std::string> names = split_mechanisms(offered);
  const bool needs_plus = security_.channel_binding.is_required;
  std::erase_if(names, [&](const std::string& name) {
    return !contains_mechanism(usable, without_plus(name)) ||
           (needs_plus && has_variant(name) && !has_plus(name));
  });
  keep_wanted(names);
  if (names.empty()) {
    err = fail(ENOTSUP, "none of the server's mechanisms is possible and allowed");
    return {};
  }
  const char* output = nullptr;
  unsigned length = 0;
  const char* chosen = nullptr;
  sasl_interact_t* needed = nullptr;
  int result = sasl_client_start(connection_, join(names).c_str(), &needed, &output, &length, &chosen);
  layer::wipe_stack();
  if (chosen != nullptr) {
    std::string name(chosen);
    // The library binds when it can, but does not say so.
    if (!security_.channel_binding.type.empty() && contains_mechanism(names, name + std::string(plus)))
      name += plus;
    if (name == "DIGEST-MD5" && output != nullptr) result = begin_digest(output, length);
    set_mechanism(std::move(name));
  }
  return end_turn(result, output, length, err);
}

// A message with the password lies in memory that the library keeps until its connection goes. That of LOGIN
// is the password itself.
Reply ClientState::end_turn(int result, const char* output, unsigned length, int& err) {
  Reply reply = end_step(result, output, length, err);
  if (output != nullptr && peer().mechanism == "PLAIN") {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
    layer::wipe(std::as_writable_bytes(std::span(const_cast<char*>(output), length)));
  }
  return reply;
}

// Its server begins. The library gives a message without bytes, or one that takes up an earlier session,
// whose keys it then mixes with those of a layer of another strength. A second start on one connection would
// leave the memory of the first one behind.
int ClientState::begin_digest(const char*& output, unsigned length) {
  output = nullptr;
  if (length == 0) return SASL_CONTINUE;
  int result = open_connection();
  std::vector<std::string> names;
  if (result == SASL_OK) result = list_mechanisms(names);
  sasl_interact_t* needed = nullptr;
  return result == SASL_OK ? sasl_client_start(connection_, "DIGEST-MD5", &needed, nullptr, nullptr, nullptr)
                           : result;
}

Reply ClientState::step(std::span<const std::byte> challenge, int& err) {
  if (phase_ != Phase::started) {
    err = wrong_turn();
    return {};
  }
  // libsasl2 wants a NUL behind it.
  const layer::WipedText text(challenge);
  const char* output = nullptr;
  unsigned length = 0;
  sasl_interact_t* needed = nullptr;
  const int result = sasl_client_step(connection_, text.text().c_str(),
                                      static_cast<unsigned>(text.text().size()), &needed, &output, &length);
  layer::wipe_stack();
  return end_turn(result, output, length, err);
}

void ClientState::fill_names(Peer& peer) {
  peer.user = text_property(connection_, SASL_USERNAME);
  peer.authentication_name = text_property(connection_, SASL_AUTHUSER);
}

int ClientState::give_name(void* context, int id, const char** result, unsigned* length) {
  auto& self = *static_cast<ClientState*>(context);
  try {
    const bool is_user = id == SASL_CB_AUTHNAME;
    const auto& function = is_user ? self.options_.user : self.options_.authorization_name;
    std::string& name = is_user ? self.user_ : self.authorization_name_;
    name = function ? function() : std::string();
    *result = name.c_str();
    if (length != nullptr) *length = static_cast<unsigned>(name.size());
    return SASL_OK;
  } catch (const std::bad_alloc&) {
    self.note_shortage();
    return SASL_NOMEM;
  } catch (...) {
    return SASL_FAIL;
  }
}

int ClientState::make_password(sasl_secret_t*& result) {
  const layer::WipedText password(options_.password());
  const std::size_t size = password.text().size();
  auto* const secret = static_cast<sasl_secret_t*>(std::malloc(sizeof(sasl_secret_t) + size));
  if (secret == nullptr) return SASL_NOMEM;
  secret->len = size;
  std::memcpy(secret->data, password.text().c_str(), size + 1);
  password_.reset(secret);
  result = secret;
  return SASL_OK;
}

int ClientState::give_password(sasl_conn_t* /*connection*/, void* context, int /*id*/,
                               sasl_secret_t** result) {
  auto& self = *static_cast<ClientState*>(context);
  try {
    return self.make_password(*result);
  } catch (const std::bad_alloc&) {
    self.note_shortage();
    return SASL_NOMEM;
  } catch (...) {
    return SASL_FAIL;
  }
}

int ClientState::give_realm(void* context, int /*id*/, const char** offered, const char** result) {
  auto& self = *static_cast<ClientState*>(context);
  try {
    std::vector<std::string> realms;
    for (const char** realm = offered; realm != nullptr && *realm != nullptr; ++realm)
      realms.emplace_back(*realm);
    self.realm_ = self.options_.realm ? self.options_.realm(realms)
                  : realms.empty()    ? std::string()
                                      : realms.front();
    *result = self.realm_.c_str();
    return SASL_OK;
  } catch (const std::bad_alloc&) {
    self.note_shortage();
    return SASL_NOMEM;
  } catch (...) {
    return SASL_FAIL;
  }
}

}  // namespace tsock::inline v0::sasl

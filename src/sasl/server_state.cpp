#include "sasl/server_state.hpp"

#include <sasl/prop.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "sasl/secret_lookup.hpp"

namespace tsock::inline v0::sasl {

namespace {

int drop_server_log(void* /*context*/, int /*level*/, const char* /*message*/) { return SASL_OK; }

int keep_name(sasl_conn_t* /*connection*/, void* /*context*/, const char* name, unsigned length,
              unsigned /*flags*/, const char* /*realm*/, char* out, unsigned room, unsigned* out_length) {
  if (length >= room) return SASL_BUFOVER;
  std::memmove(out, name, length);
  out[length] = '\0';
  *out_length = length;
  return SASL_OK;
}

// An entry that is only found, not called.
int no_call() { return SASL_FAIL; }

}  // namespace

int ServerState::make_connection(const char* local, const char* remote) {
  add_callback(SASL_CB_LOG, &drop_server_log, nullptr);
  add_callback(SASL_CB_GETOPT, &give_option, this);
  if (options_.check_password) add_callback(SASL_CB_SERVER_USERDB_CHECKPASS, &check_password, this);
  // Where one is missing, the words of the next error are about that.
  add_callback(SASL_CB_PROXY_POLICY, &decide, this);
  add_callback(SASL_CB_CANON_USER, &keep_name, nullptr);
  add_callback(server_state_id, &no_call, this);
  return sasl_server_new(options_.service.c_str(), options_.host.empty() ? nullptr : options_.host.c_str(),
                         options_.realm.empty() ? nullptr : options_.realm.c_str(), local, remote,
                         callbacks(), security_.success_carries_bytes ? SASL_SUCCESS_DATA : 0, &connection_);
}

int ServerState::offer(std::vector<std::string>& names) {
  const int result = list_mechanisms(names);
  keep_wanted(names);
  return result == SASL_OK ? 0 : fail_with(result);
}

Reply ServerState::start(std::string_view mechanism, std::optional<std::span<const std::byte>> initial,
                         int& err) {
  if (phase_ != Phase::new_session) {
    err = wrong_turn();
    return {};
  }
  std::vector<std::string> offered;
  err = offer(offered);
  if (err != 0) return {};
  if (!contains_mechanism(offered, mechanism)) {
    err = fail(ENOTSUP, "the client has chosen a mechanism that is not offered");
    return {};
  }
  std::string name(mechanism);
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  set_mechanism(name);
  const layer::WipedText text(initial.value_or(std::span<const std::byte>()));
  const char* output = nullptr;
  unsigned length = 0;
  const int result = sasl_server_start(connection_, name.c_str(), initial ? text.text().c_str() : nullptr,
                                       static_cast<unsigned>(text.text().size()), &output, &length);
  layer::wipe_stack();
  return end_step(result, output, length, err);
}

Reply ServerState::step(std::span<const std::byte> response, int& err) {
  if (phase_ != Phase::started) {
    err = wrong_turn();
    return {};
  }
  const layer::WipedText text(response);
  const char* output = nullptr;  // libsasl2 leaves it as it was when there is none
  unsigned length = 0;
  const int result = sasl_server_step(connection_, text.text().c_str(),
                                      static_cast<unsigned>(text.text().size()), &output, &length);
  layer::wipe_stack();
  return end_step(result, output, length, err);
}

void ServerState::fill_names(Peer& peer) {
  peer.user = text_property(connection_, SASL_USERNAME);
  peer.authentication_name = text_property(connection_, SASL_AUTHUSER);
}

// Mechanisms that compare it leave it with the connection.
void ServerState::forget_secrets() noexcept {
  propctx* const properties = connection_ != nullptr ? sasl_auxprop_getctx(connection_) : nullptr;
  if (properties != nullptr) prop_erase(properties, SASL_AUX_PASSWORD);
}

int ServerState::find_password(std::string_view user, std::optional<std::string>& password) const noexcept {
  if (!options_.password_of) return SASL_NOUSER;
  try {
    password = options_.password_of(user);
    return password ? SASL_OK : SASL_NOUSER;
  } catch (const std::bad_alloc&) {
    return SASL_NOMEM;
  } catch (...) {
    return SASL_FAIL;
  }
}

// Without an answer libsasl2 takes its own default; the files of the system are not read.
int ServerState::give_option(void* context, const char* plugin, const char* option, const char** result,
                             unsigned* length) {
  const auto& self = *static_cast<const ServerState*>(context);
  const char* value = nullptr;
  if (plugin != nullptr) return SASL_FAIL;
  const bool has_file = !self.options_.sasldb_file.empty() && !self.options_.password_of;
  if (std::strcmp(option, "auxprop_plugin") == 0) value = has_file ? "sasldb" : secret_lookup_name;
  if (std::strcmp(option, "pwcheck_method") == 0) value = "auxprop";
  if (std::strcmp(option, "sasldb_path") == 0 && has_file) value = self.options_.sasldb_file.c_str();
  if (value == nullptr) return SASL_FAIL;
  *result = value;
  if (length != nullptr) *length = static_cast<unsigned>(std::strlen(value));
  return SASL_OK;
}

int ServerState::check_password(sasl_conn_t* /*connection*/, void* context, const char* user,
                                const char* password, unsigned length, propctx* /*properties*/) {
  const auto& self = *static_cast<const ServerState*>(context);
  try {
    return self.options_.check_password(user, {password, length}) ? SASL_OK : SASL_BADAUTH;
  } catch (const std::bad_alloc&) {
    return SASL_NOMEM;
  } catch (...) {
    return SASL_FAIL;
  }
}

int ServerState::decide(sasl_conn_t* /*connection*/, void* context, const char* wanted,
                        unsigned wanted_length, const char* user, unsigned user_length, const char* /*realm*/,
                        unsigned /*realm_length*/, propctx* /*properties*/) {
  const auto& self = *static_cast<const ServerState*>(context);
  const std::string_view name(user, user_length);
  const std::string_view other(wanted, wanted_length);
  try {
    const bool may = name == other || (self.options_.may_act_as && self.options_.may_act_as(name, other));
    return may ? SASL_OK : SASL_NOAUTHZ;
  } catch (const std::bad_alloc&) {
    return SASL_NOMEM;
  } catch (...) {
    return SASL_FAIL;
  }
}

}  // namespace tsock::inline v0::sasl

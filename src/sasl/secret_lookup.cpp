#include "sasl/secret_lookup.hpp"

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include <optional>
#include <string>

#include "layer/wiped_text.hpp"
#include "sasl/server_state.hpp"

namespace tsock::inline v0::sasl {

namespace {

const ServerState* state_of(const sasl_utils_t& utils) noexcept {
  const void* list = nullptr;
  if (utils.getprop(utils.conn, SASL_CALLBACK, &list) != SASL_OK || list == nullptr) return nullptr;
  for (const auto* entry = static_cast<const sasl_callback_t*>(list); entry->id != SASL_CB_LIST_END;
       ++entry) {
    if (entry->id == server_state_id) return static_cast<const ServerState*>(entry->context);
  }
  return nullptr;
}

int look_up(void* /*global*/, sasl_server_params_t* parameters, unsigned flags, const char* user,
            unsigned length) {
  const sasl_utils_t& utils = *parameters->utils;
  const ServerState* const state = state_of(utils);
  if (state == nullptr) return SASL_NOUSER;
  // Nothing is known, or asked, of the user to act as.
  if ((flags & SASL_AUXPROP_AUTHZID) != 0) return SASL_OK;
  std::optional<std::string> password;
  const int result = state->find_password({user, length}, password);
  // Mechanisms that need no password ask, too, and those that do say what is missing.
  if (result != SASL_OK) return result == SASL_NOUSER ? SASL_OK : result;
  const int set = utils.prop_set(parameters->propctx, SASL_AUX_PASSWORD, password->c_str(),
                                 static_cast<int>(password->size()));
  layer::wipe(*password);
  return set == SASL_BADPARAM ? SASL_OK : set;  // the mechanism has not asked for it
}

int describe_lookup(const sasl_utils_t* /*utils*/, int /*highest_version*/, int* version,
                    sasl_auxprop_plug_t** plugin, const char* /*name*/) {
  static char name[] = "tsock";
  static sasl_auxprop_plug_t lookup = {.features = 0,
                                       .spare_int1 = 0,
                                       .glob_context = nullptr,
                                       .auxprop_free = nullptr,
                                       .auxprop_lookup = &look_up,
                                       .name = name,
                                       .auxprop_store = nullptr};
  *version = SASL_AUXPROP_PLUG_VERSION;
  *plugin = &lookup;
  return SASL_OK;
}

}  // namespace

int add_secret_lookup() noexcept { return sasl_auxprop_add_plugin(secret_lookup_name, &describe_lookup); }

}  // namespace tsock::inline v0::sasl

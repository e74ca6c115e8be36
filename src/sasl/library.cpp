#include "sasl/library.hpp"

#include <sasl/sasl.h>

#include <cstring>
#include <mutex>
#include <new>
#include <string_view>

#include "sasl/callback.hpp"
#include "sasl/errors.hpp"
#include "sasl/secret_lookup.hpp"

namespace tsock::inline v0::sasl {

namespace {

// libsasl2 locks nothing of its own accord.
void* make_mutex() { return new (std::nothrow) std::mutex; }
int lock_mutex(void* mutex) {
  static_cast<std::mutex*>(mutex)->lock();
  return SASL_OK;
}
int unlock_mutex(void* mutex) {
  static_cast<std::mutex*>(mutex)->unlock();
  return SASL_OK;
}
void free_mutex(void* mutex) { delete static_cast<std::mutex*>(mutex); }

// DIGEST-MD5 would remember secrets to save a round trip, and so accept a password that has changed.
int library_option(void* /*context*/, const char* plugin, const char* option, const char** result,
                   unsigned* length) {
  constexpr std::string_view none = "0";
  if (plugin == nullptr || std::strcmp(option, "reauth_timeout") != 0) return SASL_FAIL;
  *result = none.data();
  if (length != nullptr) *length = static_cast<unsigned>(none.size());
  return SASL_OK;
}

int load_once(std::string& reason) {
  // libsasl2 keeps the pointer.
  static const sasl_callback_t callbacks[] = {callback(SASL_CB_GETOPT, &library_option, nullptr),
                                              no_callback};
  // Without effect when the library is in use already, like the callbacks.
  sasl_set_mutex(&make_mutex, &lock_mutex, &unlock_mutex, &free_mutex);
  int result = sasl_client_init(callbacks);
  if (result == SASL_OK) result = sasl_server_init(callbacks, nullptr);
  if (result == SASL_OK) result = add_secret_lookup();
  if (result == SASL_OK) return 0;
  reason = std::string("libsasl2 cannot load its mechanisms: ") + sasl_errstring(result, nullptr, nullptr);
  return errno_of(result);
}

}  // namespace

int load_library(std::string& reason) {
  static std::mutex mutex;
  static bool is_loaded = false;
  const std::scoped_lock lock(mutex);
  if (is_loaded) return 0;
  const int err = load_once(reason);
  is_loaded = err == 0;
  return err;
}

}  // namespace tsock::inline v0::sasl

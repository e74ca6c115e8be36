#pragma once

#include <optional>
#include <tsock/sasl/server_options.hpp>

#include "sasl/session_state.hpp"

struct propctx;

namespace tsock::inline v0::sasl {

/// A server of libsasl2.
class ServerState final : public SessionState {
 public:
  explicit ServerState(const ServerOptions& options)
      : SessionState(options.security, options.mechanisms), options_(options) {}

  /// What may be offered. \return 0 or an errno value
  int offer(std::vector<std::string>& names);
  Reply start(std::string_view mechanism, std::optional<std::span<const std::byte>> initial, int& err);
  Reply step(std::span<const std::byte> response, int& err);

  /// For the lookup of passwords: SASL_OK or SASL_NOUSER, and so on.
  int find_password(std::string_view user, std::optional<std::string>& password) const noexcept;

 private:
  int make_connection(const char* local, const char* remote) override;
  void fill_names(Peer& peer) override;
  void forget_secrets() noexcept override;

  static int give_option(void* context, const char* plugin, const char* option, const char** result,
                         unsigned* length);
  static int check_password(sasl_conn_t* connection, void* context, const char* user, const char* password,
                            unsigned length, propctx* properties);
  static int decide(sasl_conn_t* connection, void* context, const char* wanted, unsigned wanted_length,
                    const char* user, unsigned user_length, const char* realm, unsigned realm_length,
                    propctx* properties);

  ServerOptions options_;
};

}  // namespace tsock::inline v0::sasl

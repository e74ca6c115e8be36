#pragma once

#include <memory>
#include <tsock/sasl/client_options.hpp>
#include <tsock/sasl/session.hpp>

#include "sasl/session_state.hpp"

namespace tsock::inline v0::sasl {

/// A client of libsasl2.
class ClientState final : public SessionState {
 public:
  explicit ClientState(const ClientOptions& options)
      : SessionState(options.security, options.mechanisms), options_(options) {}

  Reply start(std::string_view offered, int& err);
  Reply step(std::span<const std::byte> challenge, int& err);

 private:
  struct Free {
    void operator()(sasl_secret_t* secret) const noexcept;
  };

  int make_connection(const char* local, const char* remote) override;
  void fill_names(Peer& peer) override;
  void forget_secrets() noexcept override { password_.reset(); }

  static int give_name(void* context, int id, const char** result, unsigned* length);
  static int give_password(sasl_conn_t* connection, void* context, int id, sasl_secret_t** result);
  static int give_realm(void* context, int id, const char** offered, const char** result);
  int begin_digest(const char*& output, unsigned length);
  int make_password(sasl_secret_t*& result);
  Reply end_turn(int result, const char* output, unsigned length, int& err);

  ClientOptions options_;
  std::string user_;
  std::string authorization_name_;
  std::string realm_;
  std::unique_ptr<sasl_secret_t, Free> password_;
};

}  // namespace tsock::inline v0::sasl

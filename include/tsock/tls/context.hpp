#pragma once

#include <memory>
#include <string>
#include <tsock/export.hpp>
#include <tsock/tls/client_options.hpp>
#include <tsock/tls/server_options.hpp>

namespace tsock::inline v0::tls {

class ContextState;

/// What many TLS streams share: certificates, keys, whom to trust, which versions and ciphers, and sessions
/// to be resumed. A value that is cheap to copy; streams of any loop and thread may use one at the same time.
///
/// To reload certificates make another one; `listen()` takes a function that gives it. Streams keep the one
/// that they were made with.
class TSOCK_EXPORT Context {
 public:
  /// None: `connect()` and `accept()` fail with EINVAL.
  Context() noexcept;
  Context(const Context&) noexcept;
  Context(Context&&) noexcept;
  Context& operator=(const Context&) noexcept;
  Context& operator=(Context&&) noexcept;
  ~Context();

  /// Reads all files at once, and blocks for it. \return an empty one on failure, with `err` and the `reason`
  /// in words. Errors:
  ///  - EINVAL: versions, ciphers or protocols that do not go together, a certificate without its key or with
  ///    another one, PEM that cannot be read, a wrong password
  ///  - EACCES: a key file that others can read
  ///  - ENOENT and others: what opening a file gave
  ///  - ENOMEM
  [[nodiscard]] static Context client(const ClientOptions& options, int& err, std::string& reason);
  /// The same for a server, which needs an identity or `find_psk` (EINVAL).
  [[nodiscard]] static Context server(const ServerOptions& options, int& err, std::string& reason);

  explicit operator bool() const noexcept { return state_ != nullptr; }
  /// For implementers.
  [[nodiscard]] const std::shared_ptr<const ContextState>& state() const noexcept { return state_; }

 private:
  explicit Context(std::shared_ptr<const ContextState> state) noexcept;

  std::shared_ptr<const ContextState> state_;
};

}  // namespace tsock::inline v0::tls

#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <tsock/unique_socket.hpp>
#include <vector>

#include "support/process.hpp"

/// Other programs as peers over TLS, as child processes on ports of 127.0.0.1 that nobody else gets.
namespace tsock::test {

enum class TlsProgram : std::uint8_t { openssl, gnutls, socat, ncat, curl, nginx, haproxy };

/// What is sent over the connection.
enum class TlsConversation : std::uint8_t {
  text,  ///< the standard input and output of the program
  echo,  ///< lines come back
  http   ///< a server answers a request with the body "answer"; a client prints the body that it gets
};

/// Certificates and keys are PEM.
struct TlsPeerOptions {
  std::string chain = {};  ///< a server needs one; a client shows it when asked (ncat only the first of it)
  std::string key = {};
  /// A server requires a certificate of its client that goes back to one of these; a client verifies its
  /// server. If empty, nothing is asked for and nothing verified.
  std::string trusted = {};
  std::string name = "www.example.com";  ///< of the server, for clients
  std::string version = {};              ///< the only one: "1.2" or "1.3"; empty: the default of the program
  std::vector<std::string> alpn = {};
  std::vector<std::string> more = {};  ///< words for the program's command line; not for nginx and haproxy
};

/// Those that may be servers and clients at all.
[[nodiscard]] std::vector<TlsProgram> tls_servers();
[[nodiscard]] std::vector<TlsProgram> tls_clients();
/// Whether a program is installed, which is said if not, and knows what is asked of it.
[[nodiscard]] bool can_serve(TlsProgram program, const TlsPeerOptions& options);
[[nodiscard]] bool can_connect(TlsProgram program, const TlsPeerOptions& options);

std::ostream& operator<<(std::ostream& out, TlsProgram program);

/// A server, which listens when its constructor is over. It is killed at the end. ncat and socat serve one
/// connection and end with it; the others go on.
class TlsServer {
 public:
  TlsServer(TlsProgram program, const TlsPeerOptions& options);

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] TlsConversation conversation() const noexcept;
  /// Its standard input and output, and what it says. `openssl s_server` prints more than what it is sent,
  /// and takes what is written to it as a command if it begins with one of `BKPQRSckqr`.
  [[nodiscard]] Process& process() noexcept { return *process_; }

 private:
  TlsProgram program_;
  TemporaryFolder folder_;
  UniqueSocket reservation_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Process> process_;
};

/// A client, which has begun to connect. It is killed at the end.
class TlsClient {
 public:
  TlsClient(TlsProgram program, std::uint16_t port, const TlsPeerOptions& options);

  [[nodiscard]] TlsConversation conversation() const noexcept;
  /// Its standard output is what the server sent. gnutls-cli keeps what it says on standard error until it
  /// ends.
  [[nodiscard]] Process& process() noexcept { return *process_; }

 private:
  TlsProgram program_;
  TemporaryFolder folder_;
  std::unique_ptr<Process> process_;
};

}  // namespace tsock::test

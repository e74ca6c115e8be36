#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "tls/openssl.hpp"

namespace tsock::inline v0::tls {

/// Sessions that a client may resume, by the name of the server; shared by threads. A session is given once,
/// as a ticket that is used twice tells an observer who one is (RFC 8446 appendix C.4); those of TLS 1.2 come
/// back when the handshake is done.
class SessionCache {
 public:
  /// To be called before the first session comes. \param most_servers the one that was used least recently is
  /// forgotten first
  void remember(std::size_t most_servers) noexcept { most_servers_ = most_servers; }
  [[nodiscard]] bool is_on() const noexcept { return most_servers_ != 0; }
  /// Without memory the session is forgotten.
  void put(const std::string& name, OpenSslPointer<SSL_SESSION> session) noexcept;
  /// The newest one that still lives; null if there is none.
  [[nodiscard]] OpenSslPointer<SSL_SESSION> take(const std::string& name) noexcept;

 private:
  struct Server {
    std::string name;
    std::vector<OpenSslPointer<SSL_SESSION>> sessions = {};  // the oldest first
  };

  std::mutex mutex_;
  std::size_t most_servers_ = 0;
  std::list<Server> servers_;  // the one that was used last is the last
  std::unordered_map<std::string, std::list<Server>::iterator> by_name_;
};

}  // namespace tsock::inline v0::tls

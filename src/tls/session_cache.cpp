#include "tls/session_cache.hpp"

#include <ctime>
#include <iterator>
#include <new>
#include <utility>

namespace tsock::inline v0::tls {

namespace {

// As many connections may be made to a server at once, each with a ticket of its own.
constexpr std::size_t most_sessions = 8;

std::time_t start_of(const SSL_SESSION& session) noexcept {
#if OPENSSL_VERSION_NUMBER >= 0x30300000L
  return SSL_SESSION_get_time_ex(&session);
#else
  return SSL_SESSION_get_time(&session);  // 32 bits on some systems; deprecated since 3.4
#endif
}

bool is_alive(const SSL_SESSION& session) noexcept {
  return SSL_SESSION_is_resumable(&session) == 1 &&
         start_of(session) + SSL_SESSION_get_timeout(&session) > std::time(nullptr);
}

}  // namespace

void SessionCache::put(const std::string& name, OpenSslPointer<SSL_SESSION> session) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    auto found = by_name_.find(name);
    if (found == by_name_.end()) {
      if (servers_.size() >= most_servers_) {
        by_name_.erase(servers_.front().name);
        servers_.pop_front();
      }
      std::list<Server> added;
      added.push_back({.name = name});
      found = by_name_.emplace(name, added.begin()).first;
      servers_.splice(servers_.end(), added);
    } else {
      servers_.splice(servers_.end(), servers_, found->second);
    }
    auto& sessions = found->second->sessions;
    if (sessions.size() >= most_sessions) sessions.erase(sessions.begin());
    sessions.push_back(std::move(session));
  } catch (const std::bad_alloc&) {
    // The next handshake is a full one.
  }
}

OpenSslPointer<SSL_SESSION> SessionCache::take(const std::string& name) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return nullptr;
  auto& sessions = found->second->sessions;
  OpenSslPointer<SSL_SESSION> session;
  while (!sessions.empty() && session == nullptr) {
    session = std::move(sessions.back());
    sessions.pop_back();
    if (!is_alive(*session)) session.reset();
  }
  if (sessions.empty()) {
    servers_.erase(found->second);
    by_name_.erase(found);
  } else {
    servers_.splice(servers_.end(), servers_, found->second);
  }
  return session;
}

}  // namespace tsock::inline v0::tls

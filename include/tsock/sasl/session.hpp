#pragma once

#include <memory>
#include <string>
#include <tsock/export.hpp>
#include <tsock/sasl/peer.hpp>
#include <utility>

namespace tsock::inline v0::sasl {

class SessionState;

/// What sessions of both sides have in common. One is bound to no loop and no thread, but is used by one
/// thread at a time: while a request works on it, its other functions give EBUSY or what was known before.
class TSOCK_EXPORT Session {
 public:
  /// No session: every step gives EINVAL.
  Session() noexcept;
  Session(Session&& other) noexcept;
  Session& operator=(Session&& other) noexcept;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  /// True if there is a session.
  explicit operator bool() const noexcept { return state_ != nullptr; }
  /// This side has authenticated the other, or been authenticated by it, with all that was asked for.
  [[nodiscard]] bool is_done() const noexcept;
  /// What has been agreed on; before `is_done()` only the mechanism, once it is chosen.
  [[nodiscard]] Peer peer() const;
  /// Why the last step failed, in words; without any secret.
  [[nodiscard]] std::string reason() const;

  /// For implementers.
  [[nodiscard]] const std::shared_ptr<SessionState>& state() const noexcept { return state_; }

 protected:
  explicit Session(std::shared_ptr<SessionState> state) noexcept;

 private:
  std::shared_ptr<SessionState> state_;
};

}  // namespace tsock::inline v0::sasl

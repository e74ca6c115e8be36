#pragma once

#include <sasl/sasl.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tsock/sasl/peer.hpp>
#include <tsock/sasl/reply.hpp>
#include <tsock/sasl/security_options.hpp>
#include <utility>
#include <vector>

#include "layer/wiped_text.hpp"
#include "sasl/callback.hpp"

namespace tsock::inline v0::sasl {

/// A connection of libsasl2, and what its callbacks need. Used by one thread at a time.
class SessionState {
 public:
  SessionState(const SessionState&) = delete;
  SessionState& operator=(const SessionState&) = delete;
  virtual ~SessionState();

  [[nodiscard]] bool is_done() const noexcept { return phase_ == Phase::done; }
  [[nodiscard]] bool has_layer() const noexcept { return peer_.strength != 0; }
  [[nodiscard]] const Peer& peer() const noexcept { return peer_; }
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
  [[nodiscard]] std::uint32_t longest_message() const noexcept { return security_.longest_message; }
  /// Addresses of the stream, where the options have none; before `open()`.
  void set_addresses(const Address& local, const Address& remote);
  /// Makes the connection. \return 0 or an errno value, with `reason()`
  int open();

  /// Makes messages out of bytes, at most `Peer::most_plain` of them. The result, with its length in front,
  /// is valid until the next call. \return 0 or an errno value, with `reason()`
  int encode(std::span<const std::byte> plain, std::span<const std::byte>& message) noexcept;
  /// Takes the next piece of a message. \param plain what it has completed; valid until the next call
  int decode(std::span<const std::byte> piece, std::span<const std::byte>& plain) noexcept;

  /// Whether the session works for somebody else.
  [[nodiscard]] bool try_occupy() noexcept { return !is_busy_.exchange(true, std::memory_order_acquire); }
  void leave() noexcept { is_busy_.store(false, std::memory_order_release); }
  [[nodiscard]] bool is_busy() const noexcept { return is_busy_.load(std::memory_order_acquire); }

 protected:
  enum class Phase : std::uint8_t { new_session, started, done, failed };

  explicit SessionState(const SecurityOptions& options, std::vector<std::string> mechanisms)
      : security_(options), wanted_(std::move(mechanisms)) {}

  /// Makes the connection of libsasl2, again if there is one, and applies the options. \return a result of
  /// libsasl2
  int open_connection();
  /// sasl_client_new() or sasl_server_new(). \return a result of libsasl2
  virtual int make_connection(const char* local, const char* remote) = 0;
  template <class Function>
  void add_callback(unsigned long id, Function* function, void* context) {
    callbacks_.push_back(callback(id, function, context));
  }
  /// The list for libsasl2, which keeps the pointer.
  [[nodiscard]] const sasl_callback_t* callbacks();

  /// What may be used, strongest first: what the library has, within the options.
  [[nodiscard]] int list_mechanisms(std::vector<std::string>& names);
  /// Removes all but those that the options name.
  void keep_wanted(std::vector<std::string>& names) const;
  void set_mechanism(std::string name) noexcept { peer_.mechanism = std::move(name); }
  /// The end of a step. \param result of libsasl2 \param output of libsasl2, null if there is none
  Reply end_step(int result, const char* output, unsigned length, int& err);
  int fail(int err, std::string reason);
  int fail_with(int result);
  [[nodiscard]] int wrong_turn();
  /// A callback has failed by exception: the step gives ENOMEM.
  void note_shortage() noexcept { is_short_of_memory_ = true; }

  sasl_conn_t* connection_ = nullptr;
  SecurityOptions security_;
  std::vector<std::string> wanted_;  // the only mechanisms; empty: all
  Phase phase_ = Phase::new_session;

 private:
  int apply_options();
  int list(unsigned flags, std::vector<std::string>& names);
  [[nodiscard]] sasl_security_properties_t properties(unsigned flags) const noexcept;
  int finish();
  virtual void fill_names(Peer& peer) = 0;
  /// The session is done or has failed: nobody asks for a password any more.
  virtual void forget_secrets() noexcept {}

  std::vector<sasl_callback_t> callbacks_;
  sasl_channel_binding_t binding_{};
  Peer peer_;
  std::string reason_;
  bool is_short_of_memory_ = false;
  std::atomic<bool> is_busy_ = false;
};

/// Is one of the names, in any case.
[[nodiscard]] bool contains_mechanism(std::span<const std::string> names, std::string_view name) noexcept;
/// "-PLUS", in any case, at the end of a name: the mechanism with a channel binding.
[[nodiscard]] bool has_plus(std::string_view name) noexcept;
inline constexpr std::string_view plus = "-PLUS";
/// Divides at spaces.
[[nodiscard]] std::vector<std::string> split_mechanisms(std::string_view text);
/// A text of libsasl2's connection, empty where it has none.
[[nodiscard]] std::string text_property(sasl_conn_t* connection, int property);

}  // namespace tsock::inline v0::sasl

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "layer/mechanism.hpp"
#include "sasl/client_state.hpp"
#include "sasl/server_state.hpp"

namespace tsock::inline v0::sasl {

/// What a frame of a server begins with, behind the list of its mechanisms.
enum class FrameKind : char {
  challenge = 'C',
  success = 'S',             ///< and nothing more
  success_with_bytes = 'B',  ///< for the mechanism of the client
  failure = 'F',             ///< with words
};

/// What both sides of `sasl::connect()` and `sasl::accept()` have in common.
class SaslMechanism : public layer::Mechanism {
 public:
  /// Functions of the options, and what mechanisms ask, may wait.
  [[nodiscard]] bool may_block() const noexcept override { return true; }
  int step(std::span<const std::byte> token, std::vector<std::byte>& answer, bool& answers) noexcept override;
  [[nodiscard]] std::string_view reason() const noexcept override { return reason_; }
  std::unique_ptr<layer::Codec> codec(layer::RecordEngine::Format& format) override;
  std::unique_ptr<layer::Engine> engine() override;

 protected:
  virtual int take_step(std::span<const std::byte> token, std::vector<std::byte>& answer, bool& answers) = 0;
  [[nodiscard]] virtual const std::shared_ptr<SessionState>& session() const noexcept = 0;
  int fail(int err, std::string_view reason);

 private:
  std::string reason_;
};

class SaslClientMechanism final : public SaslMechanism {
 public:
  explicit SaslClientMechanism(std::shared_ptr<ClientState> state) noexcept
      : state_(std::move(state)), session_(state_) {}
  [[nodiscard]] bool begins() const noexcept override { return false; }

 private:
  int take_step(std::span<const std::byte> token, std::vector<std::byte>& answer, bool& answers) override;
  [[nodiscard]] const std::shared_ptr<SessionState>& session() const noexcept override { return session_; }
  int choose(std::span<const std::byte> list, std::vector<std::byte>& answer, bool& answers);
  int end(bool is_done);

  std::shared_ptr<ClientState> state_;
  std::shared_ptr<SessionState> session_;
  bool has_chosen_ = false;
};

class SaslServerMechanism final : public SaslMechanism {
 public:
  explicit SaslServerMechanism(std::shared_ptr<ServerState> state) noexcept
      : state_(std::move(state)), session_(state_) {}
  [[nodiscard]] bool begins() const noexcept override { return true; }

 private:
  enum class Turn : std::uint8_t { offer, choice, response };

  int take_step(std::span<const std::byte> token, std::vector<std::byte>& answer, bool& answers) override;
  [[nodiscard]] const std::shared_ptr<SessionState>& session() const noexcept override { return session_; }
  int offer(std::vector<std::byte>& answer, bool& answers);
  Reply start(std::span<const std::byte> choice, int& err);

  std::shared_ptr<ServerState> state_;
  std::shared_ptr<SessionState> session_;
  Turn turn_ = Turn::offer;
};

}  // namespace tsock::inline v0::sasl

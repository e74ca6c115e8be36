#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "layer/codec.hpp"
#include "layer/record_engine.hpp"

namespace tsock::inline v0::layer {

/// An authentication by tokens, such as GSSAPI's and SASL's: the peer's last one in, the next one for the
/// peer out. It does no I/O with the peer. `authenticate()` carries the tokens.
///
/// Used by one thread at a time; a step that is stuck on a worker thread may outlive the request, and the
/// mechanism is destroyed there then.
class Mechanism {
 public:
  Mechanism() = default;
  Mechanism(const Mechanism&) = delete;
  Mechanism& operator=(const Mechanism&) = delete;
  virtual ~Mechanism() = default;

  /// Whether this side sends the first token; its first step is given none.
  [[nodiscard]] virtual bool begins() const noexcept = 0;
  /// Whether the next step may wait for something, a server or a file say. It runs on a worker thread then.
  [[nodiscard]] virtual bool may_block() const noexcept { return false; }
  /// Takes the peer's token. When there is a token for the peer, which may be empty, `answer` is it and
  /// `answers` becomes true. \return 0 when this side is done, EAGAIN when it needs another token, or an
  /// errno value; the answer is sent in each case. Must not destroy the request when it runs in the loop.
  virtual int step(std::span<const std::byte> token, std::vector<std::byte>& answer,
                   bool& answers) noexcept = 0;
  /// Why the last step failed, in words.
  [[nodiscard]] virtual std::string_view reason() const noexcept { return {}; }

  /// What protects the bytes behind the tokens; null when nothing does, and the stream stays as it is. Called
  /// once, after success and from the loop. `format` is the one that `authenticate()` was given; what the two
  /// sides have agreed on may change it. May throw std::bad_alloc.
  virtual std::unique_ptr<Codec> codec(RecordEngine::Format& format) = 0;
  /// Where there is no codec: a layer all the same, one that remembers the peer say, whose handshake is done
  /// at once. Null: the stream stays as it is.
  virtual std::unique_ptr<Engine> engine() { return nullptr; }
};

}  // namespace tsock::inline v0::layer

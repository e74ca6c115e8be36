// What the fuzzers of TLS share: an engine of each side, bytes that are split and harmed on their way, and
// what has to hold whatever a peer sends.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <tsock/buffer.hpp>
#include <tsock/tls/connect.hpp>
#include <tsock/tls/context.hpp>
#include <utility>
#include <vector>

#include "tls/openssl_engine.hpp"

namespace tsock::fuzz {

using layer::ByteBlock;
using layer::Step;

/// The numbers that a fuzzer chooses with.
class Choices {
 public:
  explicit Choices(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}
  std::size_t next() noexcept {
    if (bytes_.empty()) return 0;
    const auto value = std::to_integer<std::size_t>(bytes_.front());
    bytes_ = bytes_.subspan(1);
    return value;
  }
  [[nodiscard]] bool are_over() const noexcept { return bytes_.empty(); }
  [[nodiscard]] std::span<const std::byte> rest() const noexcept { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

inline tls::PreSharedKey shared_key() { return {"fuzz", std::vector<std::byte>(32, std::byte{7})}; }

inline tls::ProtocolOptions protocol_of(tls::Version version) {
  return {.lowest = version, .highest = version, .alpn = {"one", "two"}};
}

inline tls::Context client_context(tls::Version version) {
  int err = 0;
  std::string reason;
  tls::Context context = tls::Context::client({.trust = {},
                                               .verify = tls::VerifyLevel::no_check,
                                               .psk = shared_key(),
                                               .protocol = protocol_of(version)},
                                              err, reason);
  if (!context) std::abort();
  return context;
}

inline tls::Context server_context(tls::Version version) {
  int err = 0;
  std::string reason;
  tls::ServerOptions options{.find_psk = [](std::string_view) { return shared_key(); },
                             .protocol = protocol_of(version)};
  tls::Context context = tls::Context::server(options, err, reason);
  if (!context) std::abort();
  return context;
}

/// An engine with the blocks that a layer has.
class Side {
 public:
  explicit Side(bool is_client, tls::Version version)
      : engine_(is_client ? client(version).state() : server(version).state()) {
    const int err = is_client ? engine_.prepare_client({.peer_name = "fuzz.example", .resume = false})
                              : engine_.prepare_server();
    if (err != 0) std::abort();
  }

  void give(std::span<const std::byte> bytes) {
    if (!in_.append(bytes)) std::abort();
  }
  void end() noexcept { at_end_ = true; }
  /// What it has for its peer.
  std::vector<std::byte> take() {
    std::vector<std::byte> bytes(out_.bytes().begin(), out_.bytes().end());
    out_.clear();
    return bytes;
  }
  /// Handshake, then reading, as far as the input goes.
  void run() {
    if (err_ == 0 && !is_shaken_) {
      const Step step = engine_.handshake(in_, at_end_, out_);
      note(step);
      is_shaken_ = step.err == 0 && step.input == 0;
    }
    std::array<std::byte, 100> room{};
    const iovec vector = make_vector(std::span<std::byte>(room));
    for (std::size_t given = 1; err_ == 0 && is_shaken_ && given != 0;) {
      given = 0;
      const Step step = engine_.unwrap(in_, at_end_, {&vector, 1}, given, out_);
      if (given > room.size()) std::abort();
      note(step);
      plain_.insert(plain_.end(), room.begin(), room.begin() + static_cast<std::ptrdiff_t>(given));
    }
    if (out_.size() > std::size_t{256} * 1024) std::abort();  // an answer to everything
  }
  void write(std::span<const std::byte> bytes) {
    const iovec vector = make_vector(bytes);
    std::size_t taken = 0;
    const Step step = engine_.wrap({&vector, 1}, taken, out_);
    if (taken > bytes.size() || (step.err == 0 && taken == 0)) std::abort();
  }
  void say_goodbye() { engine_.say_goodbye(out_); }

  [[nodiscard]] bool is_shaken() const noexcept { return is_shaken_; }
  [[nodiscard]] int err() const noexcept { return err_; }
  [[nodiscard]] const std::vector<std::byte>& plain() const noexcept { return plain_; }

 private:
  static const tls::Context& client(tls::Version version) {
    static const tls::Context tls1_2 = client_context(tls::Version::tls1_2);
    static const tls::Context tls1_3 = client_context(tls::Version::tls1_3);
    return version == tls::Version::tls1_2 ? tls1_2 : tls1_3;
  }
  static const tls::Context& server(tls::Version version) {
    static const tls::Context tls1_2 = server_context(tls::Version::tls1_2);
    static const tls::Context tls1_3 = server_context(tls::Version::tls1_3);
    return version == tls::Version::tls1_2 ? tls1_2 : tls1_3;
  }
  void note(const Step& step) {
    err_ = step.err;
    if (err_ != 0 && err_ != EPIPE && err_ != EPROTO && err_ != EACCES) std::abort();
    if ((err_ == EPROTO || err_ == EACCES) && engine_.reason().empty()) std::abort();
    // With the end of the input there is nothing to wait for.
    if (err_ == 0 && at_end_ && step.input != 0) std::abort();
  }

  std::pmr::memory_resource& memory_ = *std::pmr::new_delete_resource();
  tls::OpenSslEngine engine_;
  ByteBlock in_{memory_};
  ByteBlock out_{memory_};
  std::vector<std::byte> plain_;
  int err_ = 0;
  bool at_end_ = false;
  bool is_shaken_ = false;
};

/// The input as the first bytes of the peer, in pieces of a chosen size.
inline void speak_raw(Side& side, Choices choices) {
  const std::size_t piece = choices.next() + 1;
  for (std::span<const std::byte> rest = choices.rest(); !rest.empty();) {
    const auto bytes = rest.first(std::min(piece, rest.size()));
    rest = rest.subspan(bytes.size());
    side.give(bytes);
    side.run();
    side.take();
  }
  side.end();
  side.run();
  if (side.err() == 0 || side.err() == EPIPE) std::abort();  // nobody gets through without the key
}

/// A session with an honest peer, whose bytes are harmed: each harm is three bytes of the input, how many
/// bytes later it comes (256 times 4), what is done, and a byte for it.
inline void speak_harmed(Side& side, Side& peer, Choices choices) {
  constexpr std::size_t message = 60;
  const std::vector<std::byte> sent(message, std::byte{'x'});
  const std::size_t piece = choices.next() + 1;
  std::size_t until = choices.next() * 4;
  bool is_harmed = false;
  bool has_written = false;
  for (unsigned turns = 0; turns < 200; ++turns) {
    side.run();
    peer.give(side.take());
    peer.run();
    if (peer.is_shaken() && peer.err() == 0 && !std::exchange(has_written, true)) {
      peer.write(sent);
      peer.say_goodbye();
    }
    std::vector<std::byte> bytes = peer.take();
    if (bytes.empty()) break;
    while (until < bytes.size() && !choices.are_over()) {
      const std::size_t what = choices.next();
      const auto byte = static_cast<std::byte>(choices.next());
      const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(until);
      is_harmed = true;
      if (what % 3 == 0) {
        *at ^= byte;
      } else if (what % 3 == 1) {
        bytes.insert(at, byte);
      } else {
        bytes.erase(at);
      }
      until += choices.next() * 4;
    }
    until -= std::min(until, bytes.size());
    for (std::span<const std::byte> rest(bytes); !rest.empty();) {
      const auto part = rest.first(std::min(piece, rest.size()));
      rest = rest.subspan(part.size());
      side.give(part);
      side.run();
    }
  }
  side.end();
  side.run();
  if (side.err() == 0) std::abort();
  // What is given is what was sent, and only all of it ends in order.
  if (side.plain().size() > message || !std::equal(side.plain().begin(), side.plain().end(), sent.begin()))
    std::abort();
  if (side.err() == EPIPE && side.plain() != sent) std::abort();
  if (!is_harmed && side.err() != EPIPE) std::abort();
}

/// The first byte is the version, and whether the peer is honest.
inline void fuzz_side(bool is_client, std::span<const std::byte> input) {
  Choices choices(input);
  const std::size_t mode = choices.next();
  const tls::Version version = (mode & 1U) != 0 ? tls::Version::tls1_3 : tls::Version::tls1_2;
  Side side(is_client, version);
  if ((mode & 2U) == 0) {
    speak_raw(side, choices);
  } else {
    Side peer(!is_client, version);
    speak_harmed(side, peer, choices);
  }
}

}  // namespace tsock::fuzz

#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <tsock/layer/engine.hpp>
#include <utility>

namespace tsock::test {

/// A security layer that secures nothing: a handshake of three messages, records of at most 100 bytes behind
/// a length of two, whose bytes are inverted, and an empty record as the goodbye.
class ToyEngine final : public layer::Engine {
 public:
  enum class Side : std::uint8_t { client, server };
  static constexpr std::size_t longest_record = 100;

  /// What differs between the toys.
  struct Kind {
    bool may_be_cut = false;  ///< a stream that ends without a goodbye has ended in order, too
    bool half_close = true;
    std::shared_ptr<void> held = nullptr;  ///< what goes with the engine
  };
  explicit ToyEngine(Side side) noexcept : ToyEngine(side, Kind()) {}
  ToyEngine(Side side, Kind kind) noexcept : side_(side), kind_(std::move(kind)) {}

  layer::Step handshake(layer::ByteBlock& in, bool at_end, layer::ByteBlock& out) noexcept override;
  layer::Step unwrap(layer::ByteBlock& in, bool at_end, std::span<const iovec> to, std::size_t& given,
                     layer::ByteBlock& out) noexcept override;
  [[nodiscard]] std::size_t ready() const noexcept override { return ready_; }
  layer::Step wrap(std::span<const iovec> from, std::size_t& taken, layer::ByteBlock& out) noexcept override;
  int end_writing(layer::ByteBlock& out) noexcept override {
    return kind_.half_close ? put_goodbye(out) : ENOTSUP;
  }
  bool say_goodbye(layer::ByteBlock& out) noexcept override;
  [[nodiscard]] std::string_view reason() const noexcept override { return reason_; }

 private:
  int put_goodbye(layer::ByteBlock& out) noexcept;
  layer::Step fail(int err, std::string_view reason) noexcept;

  Side side_;
  Kind kind_;
  unsigned messages_ = 0;  // of the handshake, sent and received
  std::size_t ready_ = 0;  // bytes of the record that has begun, all of which are there
  bool side_ended_ = false;
  int end_ = 0;  // how the peer's side has ended
  std::string_view reason_;
};

}  // namespace tsock::test

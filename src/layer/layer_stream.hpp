#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <span>
#include <string_view>
#include <tsock/layer/byte_block.hpp>
#include <tsock/layer/engine.hpp>
#include <tsock/layer/layer_options.hpp>
#include <tsock/stream_backend.hpp>

namespace tsock::inline v0::layer {

/// Is told how a handshake has ended.
class HandshakeObserver {
 public:
  /// 0, or an errno value; `LayerStream::reason()` may have more to say. Must not destroy the layer.
  virtual void on_handshake(int err) noexcept = 0;

 protected:
  ~HandshakeObserver() = default;
};

/// Drives an Engine over the backend of another stream, and is a backend itself: it receives the events of
/// the backend below, and the front above drives it. So a layered stream has one front, one request an
/// operation, and layers stand on layers.
///
/// It asks nothing of the backend below that the front has not asked of it: while nobody reads, the peer's
/// window closes. Plaintext goes straight into the caller's vectors or the loop's receive chunk. The blocks
/// for what the peer has sent, and for what has not left yet, own no memory while they are empty.
class LayerStream final : public StreamBackend, private StreamEvents {
 public:
  /// \param memory outlives the layer
  LayerStream(std::pmr::memory_resource& memory, std::unique_ptr<StreamBackend> below,
              std::unique_ptr<Engine> engine, const LayerOptions& options) noexcept;

  LayerStream(const LayerStream&) = delete;
  LayerStream& operator=(const LayerStream&) = delete;
  ~LayerStream() override = default;

  /// Begins the handshake, with bytes that were read ahead of it. \return 0 or ENOMEM; the observer is told
  /// the rest, also from inside the call.
  int start(std::span<const std::byte> unread, HandshakeObserver& observer) noexcept;
  [[nodiscard]] const Engine& engine() const noexcept { return *engine_; }
  [[nodiscard]] Engine& engine() noexcept { return *engine_; }
  /// What it stands on, for questions.
  [[nodiscard]] const StreamBackend* below() const noexcept { return below_.get(); }
  [[nodiscard]] StreamBackend* below() noexcept { return below_.get(); }
  /// Whether all that the engine had for the peer has left for the backend below.
  [[nodiscard]] bool has_sent_all() const noexcept { return out_.empty() && !is_blocked_; }
  /// Whether a handshake that has failed still has something to say to the peer, an alert say.
  [[nodiscard]] bool has_last_words() const noexcept { return has_failed_ && !out_.empty(); }
  /// What a transparent layer leaves once its handshake is done: the backend below, and what was read behind
  /// the handshake.
  [[nodiscard]] std::unique_ptr<StreamBackend> take_below() noexcept { return std::move(below_); }
  /// Puts back what was taken, with something in front that tells the events of it.
  void stand_on(std::unique_ptr<StreamBackend> below) noexcept { below_ = std::move(below); }
  [[nodiscard]] std::span<const std::byte> unread() const noexcept { return in_.bytes(); }
  /// And this, to be moved from: the engine, which knows how the handshake went.
  [[nodiscard]] std::unique_ptr<Engine> take_engine() noexcept { return std::move(engine_); }

  void attach(StreamEvents& events) noexcept override { events_ = &events; }
  ssize_t try_readv(std::span<const iovec> to, int& err) noexcept override;
  ssize_t try_read_message(MessageRoom& room, int& err) noexcept override;
  ssize_t try_writev(std::span<const iovec> from, int& err) noexcept override;
  int try_flush() noexcept override { return push(); }
  [[nodiscard]] std::size_t unsent_bytes() const noexcept override;
  int try_shutdown_write() noexcept override;
  int try_disconnect(Linger& linger) noexcept override;
  void abort() noexcept override { below_->abort(); }
  [[nodiscard]] Readiness want_readable() noexcept override;
  [[nodiscard]] Readiness want_writable() noexcept override;
  void want_broken() noexcept override { below_->want_broken(); }
  void unwant_readable() noexcept override { below_->unwant_readable(); }
  void unwant_broken() noexcept override { below_->unwant_broken(); }
  std::size_t pending_bytes(int& err) noexcept override;
  [[nodiscard]] StreamTraits traits() const noexcept override;
  void watch_for_breaks(bool on) noexcept override { below_->watch_for_breaks(on); }
  int apply(const StreamOptions& options) noexcept override { return below_->apply(options); }
  [[nodiscard]] Address local_address() const noexcept override {
    return below_ != nullptr ? below_->local_address() : Address();
  }
  [[nodiscard]] Address remote_address() const noexcept override {
    return below_ != nullptr ? below_->remote_address() : Address();
  }
  int tcp_info(TcpInfo& info) const noexcept override { return below_->tcp_info(info); }
  [[nodiscard]] std::string_view reason() const noexcept override;

 private:
  enum class Phase : std::uint8_t { handshake, open, goodbye, closing };
  /// What one call of the backend below has brought.
  enum class Pulled : std::uint8_t {
    some,     ///< bytes or the end; another call may bring more
    all,      ///< all that there is for now
    nothing,  ///< EAGAIN
    failed
  };

  void on_readable() noexcept override;
  void on_writable() noexcept override;
  void on_broken(int err) noexcept override;
  void on_shortage(int err) noexcept override;

  void advance_handshake() noexcept;
  int hear_last_words(int err) noexcept;
  void end_handshake(int err) noexcept;
  template <class Unwrap>
  ssize_t read(std::size_t room, Unwrap unwrap, int& err) noexcept;
  Pulled pull(std::size_t wanted, std::size_t room_for_user, int& err) noexcept;
  int push() noexcept;
  void note_partly_sent(std::size_t bytes) noexcept;
  [[nodiscard]] Readiness discard_more(Linger& linger) noexcept;
  [[nodiscard]] bool awaits_more(Linger& linger, bool is_stuck) const noexcept;

  std::unique_ptr<Engine> engine_;  // null once the layer has stepped aside
  // Destroyed before the engine, whose functions of the user may have captured what runs the loop when it is
  // destroyed: no event may come any more.
  std::unique_ptr<StreamBackend> below_;
  StreamEvents* events_ = nullptr;
  HandshakeObserver* observer_ = nullptr;
  ByteBlock in_;            // from the peer, not consumed by the engine
  ByteBlock out_;           // for the peer, not taken by the backend below
  std::size_t wanted_ = 0;  // input that the engine is short of; 0: it may have more
  std::size_t unsent_ = 0;  // bytes of the user in `out_`, or in front of what is there
  std::size_t passed_ = 0;  // of these, in messages that the backend below has taken whole
  WrappedMessage partly_;   // what the backend below has not taken of the message that it has begun
  std::chrono::milliseconds goodbye_time_;
  std::chrono::steady_clock::time_point goodbye_end_ = std::chrono::steady_clock::time_point::max();
  int write_error_ = 0;
  Phase phase_ = Phase::handshake;
  bool below_is_final_ : 1;  // a short read or write of the backend below is its last for now
  bool below_reads_ahead_ : 1;
  bool at_end_ : 1 = false;      // of the stream below
  bool side_ended_ : 1 = false;  // the engine has ended the user's side
  bool is_blocked_ : 1 = false;  // the backend below takes nothing before its event
  bool hears_goodbye_ : 1 = false;
  bool has_more_input_ : 1 = false;  // to be discarded
  bool is_pulling_ : 1 = false;
  bool has_failed_ : 1 = false;  // the handshake: the engine is not asked any more
};

}  // namespace tsock::inline v0::layer

#pragma once

#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <span>
#include <tsock/rate_limit.hpp>
#include <tsock/stream_backend.hpp>
#include <utility>

#include "core/stream/forwarding_backend.hpp"
#include "core/stream/sized_message.hpp"
#include "core/stream/token_bucket.hpp"

namespace tsock::inline v0::detail {

/// What can be told a backend with limits.
class RateLimited : public BackendInFront {
 public:
  virtual void set_limits(const RateLimits& limits) noexcept = 0;

 protected:
  ~RateLimited() = default;
};

/// A backend that moves bytes as fast as its limits allow; all else is that of the one below.
/// \tparam Base what passes it on
template <class Base>
class LimitedBackend final : public Base, public RateLimited {
 public:
  explicit LimitedBackend(const RateLimits& limits) noexcept : Base(nullptr), limits_(limits) {}
  /// To be called before all else.
  void stand_on(std::unique_ptr<StreamBackend> below) noexcept { this->set_below(std::move(below)); }
  ~LimitedBackend() override { forget_turns(); }

  [[nodiscard]] const StreamBackend* behind() const noexcept override { return &this->below(); }
  // Those who wait for their turn ask again at once.
  void set_limits(const RateLimits& limits) noexcept override {
    const bool reads = reader_.is_linked();
    const bool writes = writer_.is_linked();
    forget_turns();
    limits_ = limits;
    if (writes) events_->on_writable();
    if (reads) events_->on_readable();
  }

  void attach(StreamEvents& events) noexcept override {
    events_ = &events;
    Base::attach(events);
  }
  ssize_t try_readv(std::span<const iovec> vectors, int& err) noexcept override {
    const auto move = [this](std::span<const iovec> some, int& error) {
      return Base::try_readv(some, error);
    };
    return pass(limits_.reading, reads_in_turn_, vectors, err, move);
  }
  // By try_readv(), which asks the limit.
  ssize_t try_read_message(MessageRoom& room, int& err) noexcept override {
    return limits_.reading ? read_sized_message(*this, room, err) : Base::try_read_message(room, err);
  }
  ssize_t try_writev(std::span<const iovec> vectors, int& err) noexcept override {
    const auto move = [this](std::span<const iovec> some, int& error) {
      return Base::try_writev(some, error);
    };
    return pass(limits_.writing, writes_in_turn_, vectors, err, move);
  }
  int try_shutdown_write() noexcept override {
    writes_in_turn_ = false;
    return Base::try_shutdown_write();
  }
  int try_flush() noexcept override {
    const int err = Base::try_flush();
    if (err == EAGAIN) writes_in_turn_ = false;
    return err;
  }
  int try_disconnect(Linger& linger) noexcept override {
    forget_turns();
    reads_in_turn_ = writes_in_turn_ = false;
    return Base::try_disconnect(linger);
  }
  void abort() noexcept override {
    forget_turns();
    Base::abort();
  }
  [[nodiscard]] Readiness want_readable() noexcept override {
    if (!reads_in_turn_) return Base::want_readable();
    return limits_.reading.bucket()->wait(reader_) ? Readiness::later : Readiness::next_turn;
  }
  [[nodiscard]] Readiness want_writable() noexcept override {
    if (!writes_in_turn_) return Base::want_writable();
    return limits_.writing.bucket()->wait(writer_) ? Readiness::later : Readiness::next_turn;
  }
  void unwant_readable() noexcept override {
    forget(limits_.reading, reader_);
    Base::unwant_readable();
  }
  // The front offers more than may pass, so that less says nothing of what is there.
  [[nodiscard]] StreamTraits traits() const noexcept override {
    StreamTraits traits = Base::traits();
    traits.short_is_final = false;
    return traits;
  }

 private:
  struct Reader final : TokenBucket::Waiter {
    explicit Reader(LimitedBackend& backend) noexcept : backend_(backend) {}
    void on_turn() noexcept override { backend_.events_->on_readable(); }
    LimitedBackend& backend_;
  };
  struct Writer final : TokenBucket::Waiter {
    explicit Writer(LimitedBackend& backend) noexcept : backend_(backend) {}
    void on_turn() noexcept override { backend_.events_->on_writable(); }
    LimitedBackend& backend_;
  };
  static constexpr std::size_t vectors_per_call = 64;

  // `waits` tells the `want_` function why there was EAGAIN.
  template <class Move>
  ssize_t pass(const RateLimit& limit, bool& waits, std::span<const iovec> vectors, int& err, Move move) {
    waits = false;
    if (!limit) return move(vectors, err);
    const bool whole = Base::traits().message_size != 0;
    std::size_t wanted = 0;
    for (const iovec& vector : vectors) wanted += vector.iov_len;
    const std::size_t may = limit.bucket()->take(wanted, whole);
    if (may == 0) {
      waits = true;
      err = EAGAIN;
      return -1;
    }
    const ssize_t moved = may == wanted ? move(vectors, err) : move_some(vectors, may, err, move);
    limit.bucket()->give_back(may - static_cast<std::size_t>(moved > 0 ? moved : 0));
    return moved;
  }
  // Moves no more than `most` bytes.
  template <class Move>
  ssize_t move_some(std::span<const iovec> vectors, std::size_t most, int& err, Move move) {
    std::array<iovec, vectors_per_call> some;
    std::size_t count = 0;
    for (const iovec& vector : vectors) {
      if (most == 0 || count == some.size()) break;
      some[count] = {vector.iov_base, vector.iov_len < most ? vector.iov_len : most};
      most -= some[count++].iov_len;
    }
    return move(std::span<const iovec>(some).first(count), err);
  }
  static void forget(const RateLimit& limit, TokenBucket::Waiter& waiter) noexcept {
    if (limit) limit.bucket()->forget(waiter);
  }
  void forget_turns() noexcept {
    forget(limits_.reading, reader_);
    forget(limits_.writing, writer_);
  }

  RateLimits limits_;
  StreamEvents* events_ = nullptr;
  Reader reader_{*this};
  Writer writer_{*this};
  bool reads_in_turn_ = false;
  bool writes_in_turn_ = false;
};

}  // namespace tsock::inline v0::detail

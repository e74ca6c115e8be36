#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <tsock/loop.hpp>
#include <tsock/operation.hpp>
#include <tsock/pump.hpp>
#include <utility>

#include "core/stream_access.hpp"
#include "core/stream_control.hpp"
#include "core/stream_core.hpp"
#include "core/stream_write.hpp"

namespace tsock {

namespace detail {

namespace {

constexpr std::size_t chunk_size = std::size_t{64} * 1024;

/// A buffer on its way through a pump. The block is there only while there are bytes.
class PumpChunk {
 public:
  explicit PumpChunk(LoopCore& core) noexcept : core_(&core) {}
  PumpChunk(const PumpChunk&) = delete;
  PumpChunk& operator=(const PumpChunk&) = delete;
  ~PumpChunk() { clear(); }

  [[nodiscard]] std::span<std::byte> space() {
    if (block_ == nullptr) block_ = static_cast<std::byte*>(core_->allocate(chunk_size));
    return {block_, chunk_size};
  }
  void fill(std::size_t size) noexcept { end_ = size; }
  void drop_front(std::size_t size) noexcept { begin_ += size; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {block_ + begin_, end_ - begin_}; }
  void clear() noexcept {
    if (block_ != nullptr) core_->deallocate(block_, chunk_size);
    block_ = nullptr;
    begin_ = end_ = 0;
  }

 private:
  LoopCore* core_;
  std::byte* block_ = nullptr;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

/// Fills a chunk with what is there. It asks for memory only when there is something.
class PumpRead : public ResultState<ssize_t, StreamRead> {
 public:
  PumpRead(LoopCore& core, PumpChunk& chunk, CallSite site) : ResultState(core, site), chunk_(&chunk) {}
  [[nodiscard]] const char* name() const noexcept override { return "pump_read"; }

  std::size_t feed(std::span<const std::byte> bytes) override {
    const std::size_t taken = std::min(bytes.size(), chunk_size);
    std::memcpy(chunk_->space().data(), bytes.data(), taken);
    advance(taken);
    return taken;
  }
  std::size_t space(std::span<iovec> out) override {
    out[0] = make_vector(chunk_->space());
    return 1;
  }
  void advance(std::size_t bytes) override {
    chunk_->fill(bytes);
    add_transferred(bytes);
    finish_with(static_cast<ssize_t>(bytes));
  }
  void give_back(StreamCore& stream) override {
    if (transferred() != 0) stream.unread(chunk_->bytes());
    chunk_->clear();
  }
  void at_end(int /*err*/, StreamCore& /*stream*/) override { chunk_->clear(); }
  [[nodiscard]] bool wants_read_ahead() const noexcept override { return false; }

 private:
  PumpChunk* chunk_;
};

/// Two chunks go round: one is filled while the other is written.
class PumpState : public ResultState<PumpResult> {
 public:
  PumpState(LoopCore& core, PumpOptions options, CallSite site)
      : ResultState(core, site),
        options_(std::move(options)),
        chunks_{PumpChunk(core), PumpChunk(core)},
        source_(*this, PumpSide::source),
        target_(*this, PumpSide::target) {}
  [[nodiscard]] const char* name() const noexcept override { return "pump"; }
  ~PumpState() override {
    if (destroyed_ != nullptr) *destroyed_ = true;
  }

  void start(StreamCore* source, StreamCore* target) {
    if (source == nullptr || target == nullptr) {
      fail(ENOTCONN, source == nullptr ? PumpSide::source : PumpSide::target);
      return;
    }
    source_.follow(*source);
    target_.follow(*target);
    advance();
  }

  void interrupt(int err) override {
    stop();
    finish(err);
  }

 private:
  class Follower final : public StreamFollower {
   public:
    Follower(PumpState& pump, PumpSide side) noexcept : pump_(&pump), side_(side) {}
    void follow(StreamCore& stream) {
      stream.add_follower(*this);
      stream_ = &stream;
    }
    void leave() noexcept {
      if (is_linked()) unlink();
      stream_ = nullptr;
    }
    [[nodiscard]] StreamCore* stream() const noexcept { return stream_; }
    void stream_gone() noexcept override {
      stream_ = nullptr;
      pump_->fail(ECANCELED, side_);
    }

   private:
    PumpState* pump_;
    PumpSide side_;
    StreamCore* stream_ = nullptr;
  };

  [[nodiscard]] PumpChunk& oldest() noexcept { return chunks_[oldest_]; }
  [[nodiscard]] PumpChunk& behind_oldest() noexcept { return chunks_[1 - oldest_]; }

  // The result has to be right before the end is announced.
  void fail(int err, PumpSide side) noexcept {
    if (!is_unfinished()) return;
    value_.side = side;
    finish(err);
  }

  void advance() {
    if (!is_unfinished()) return;
    if (!reading_ && !ended_ && full_ < 2) read();
    if (!writing_ && full_ != 0) write();
    if (ended_ && full_ == 0 && !shutting_down_) end();
  }

  void read() {
    auto* const state = make_state<PumpRead>(core(), full_ == 0 ? oldest() : behind_oldest(), site());
    reading_ = Request<ssize_t>(state);
    reading_.set_callback([this](Request<ssize_t>&) { was_read(); });
    source_.stream()->start_read(*state);
  }

  void was_read() {
    int err = 0;
    reading_.recv(err);
    reading_ = Request<ssize_t>();
    // The bytes count also when the pump has ended meanwhile: they go back to the source.
    if (err == 0) ++full_;
    if (!is_unfinished()) return;
    if (err != 0) {
      // What came before the error is written first.
      ended_ = true;
      source_error_ = err == EPIPE ? 0 : err;
    } else if (options_.on_data && !show(full_ == 1 ? oldest() : behind_oldest())) {
      return;
    }
    advance();
  }

  // The function may end the pump. Returns whether it is still there.
  bool show(const PumpChunk& chunk) {
    bool destroyed = false;
    destroyed_ = &destroyed;
    auto function = std::exchange(options_.on_data, nullptr);
    const auto resume = [&] {
      if (destroyed) return;
      destroyed_ = nullptr;
      options_.on_data = std::move(function);
    };
    try {
      function(chunk.bytes());
    } catch (...) {
      resume();
      if (!destroyed) advance();
      throw;
    }
    resume();
    return !destroyed;
  }

  void write() {
    auto* const state = make_recyclable<StreamWrite>(core(), site());
    writing_ = Request<ssize_t>(state);
    writing_.set_callback([this](Request<ssize_t>&) { was_written(); });
    const std::array<iovec, 1> vector{make_vector(oldest().bytes())};
    const std::size_t size = vector[0].iov_len;
    state->set_vectors(vector, size);
    state->set_may_end_anywhere();
    target_.stream()->add_queued_bytes(size);
    target_.stream()->start_write(*state);
  }

  void was_written() {
    int err = 0;
    writing_.recv(err);
    count(writing_.transferred());
    writing_ = Request<ssize_t>();
    if (!is_unfinished()) return;
    if (err != 0) {
      stop();
      fail(err, PumpSide::target);
      return;
    }
    oldest().clear();
    oldest_ = 1 - oldest_;
    --full_;
    advance();
  }

  void count(std::size_t bytes) noexcept {
    oldest().drop_front(bytes);
    add_transferred(bytes);
    value_.bytes += bytes;
  }

  void end() {
    if (source_error_ != 0) {
      fail(source_error_, PumpSide::source);
    } else if (!options_.half_close) {
      finish(0);
    } else {
      auto* const state = make_state<StreamControl>(core(), StreamControl::Kind::shutdown_write, site());
      shutting_down_ = Request<void>(state);
      shutting_down_.set_callback([this](Request<void>& request) {
        int err = 0;
        request.recv(err);
        if (err == 0 || err == ENOTSUP) {
          finish(0);
        } else {
          fail(err, PumpSide::target);
        }
      });
      target_.stream()->start_shutdown(*state);
    }
  }

  // Gives back to the source what the target has not taken, last bytes first.
  void stop() noexcept {
    reading_ = Request<ssize_t>();
    if (writing_) {
      count(writing_.transferred());
      writing_ = Request<ssize_t>();
    }
    shutting_down_ = Request<void>();
    if (StreamCore* const source = source_.stream(); source != nullptr) {
      if (full_ == 2) source->unread(behind_oldest().bytes());
      if (full_ != 0) source->unread(oldest().bytes());
    }
    full_ = 0;
    for (PumpChunk& chunk : chunks_) chunk.clear();
    source_.leave();
    target_.leave();
  }

  void on_delivery() noexcept override { stop(); }
  void on_abandon() noexcept override { stop(); }

  PumpOptions options_;
  std::array<PumpChunk, 2> chunks_;
  std::size_t oldest_ = 0;
  unsigned full_ = 0;
  Follower source_;
  Follower target_;
  Request<ssize_t> reading_;
  Request<ssize_t> writing_;
  Request<void> shutting_down_;
  int source_error_ = 0;
  bool ended_ = false;
  bool* destroyed_ = nullptr;
};

}  // namespace

}  // namespace detail

Request<PumpResult> pump(Stream& source, Stream& target, PumpOptions options, CallSite site) {
  Loop* const loop =
      StreamAccess::loop(source) != nullptr ? StreamAccess::loop(source) : StreamAccess::loop(target);
  if (loop == nullptr) return {};
  auto* const state = detail::make_state<detail::PumpState>(loop->core(), std::move(options), site);
  Request<PumpResult> request(state);
  const detail::ParentScope scope(*state);
  state->start(StreamAccess::core(source), StreamAccess::core(target));
  return request;
}

}  // namespace tsock

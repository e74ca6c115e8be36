#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <tsock/loop.hpp>
#include <tsock/operation.hpp>
#include <tsock/pump.hpp>
#include <utility>

#include "core/loop/recyclable.hpp"
#include "core/stream/bulk_backend.hpp"
#include "core/stream/pump_chunks.hpp"
#include "core/stream/pump_pipe.hpp"
#include "core/stream/stream_access.hpp"
#include "core/stream/stream_control.hpp"
#include "core/stream/stream_core.hpp"
#include "core/stream/write_state.hpp"

namespace tsock::inline v0 {

namespace detail {

namespace {

class PumpState;

/// Fills the chunks with what is there. It stays the source's reader for as long as the pump lives, even
/// while it has no room (`asking`) or when reading is over, so that no other reader gets bytes from the
/// middle. It asks for memory only when there is something to read.
class PumpRead : public ResultState<void, StreamRead> {
 public:
  PumpRead(LoopCore& core, PumpState& pump, PumpChunks& chunks, PumpPipe& pipe, CallSite site)
      : ResultState(core, site), pump_(&pump), chunks_(&chunks), pipe_(&pipe) {
    unmark(plain_delivery);
  }
  [[nodiscard]] const char* name() const noexcept override { return "pump_read"; }
  ~PumpRead() override { leave_resource(); }

  /// Called when there is room again.
  void resume() {
    if (!is_unfinished() || !has(asking) || stream() == nullptr) return;
    unmark(asking);
    stream()->serve_reader(false);
  }
  /// Whether the source has failed, as opposed to a lack of memory or another reader.
  [[nodiscard]] bool has_failed() const noexcept { return has_failed_; }

  std::size_t feed(std::span<const std::byte> bytes) override {
    const std::span<std::byte> space = chunks_->space(core());
    if (space.empty()) {
      set_fault(ENOMEM);
      return 0;
    }
    const std::size_t taken = std::min(bytes.size(), space.size());
    std::memcpy(space.data(), bytes.data(), taken);
    advance(taken);
    return taken;
  }
  std::size_t space(std::span<iovec> out) override {
    const bool is_for_pipe = chunks_->empty() && (pipe_->is_wanted() || pipe_->is_being_written());
    if (is_for_pipe && pipe_->open(core())) return 0;
    const std::span<std::byte> space = chunks_->space(core());
    if (space.empty()) {
      set_fault(ENOMEM);
      return 0;
    }
    out[0] = make_vector(space);
    return 1;
  }
  [[nodiscard]] bool reads_itself() const noexcept override { return pipe_->is_open(); }
  ssize_t read_itself(StreamBackend& backend, int& err) noexcept override {
    return pipe_->fill(backend, err);
  }
  void advance(std::size_t bytes) override {
    if (!pipe_->is_filled()) {
      chunks_->fill_next(bytes);
      pipe_->saw_copied(bytes);
    }
    add_transferred(bytes);
    mark(asking);
    schedule_begin();
  }
  // Full chunks belong to the pump, which gives them back itself.
  void give_back(StreamReadSide& /*stream*/) override {
    if (chunks_->has_room()) chunks_->next().clear();
  }
  void at_end(int err, StreamReadSide& stream) override {
    has_failed_ = err != EPIPE;
    give_back(stream);
  }
  [[nodiscard]] bool wants_read_ahead() const noexcept override { return false; }

 private:
  void begin() override;
  void on_delivery() noexcept override {}

  PumpState* pump_;
  PumpChunks* chunks_;
  PumpPipe* pipe_;
  bool has_failed_ = false;
};

class PumpState : public ResultState<PumpResult> {
 public:
  PumpState(LoopCore& core, PumpOptions options, CallSite site)
      : ResultState(core, site),
        options_(std::move(options)),
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
    try {
      source_.follow(*source);
      target_.follow(*target);
      if (!target->claim_writing()) {
        fail(EBUSY, PumpSide::target);
        return;
      }
      has_claimed_ = true;
      if (dynamic_cast<const BulkBackend*>(target->backend()) != nullptr)
        chunks_.set_size(PumpChunks::bulk_size);
      // Who looks at the bytes needs them here.
      if (!options_.on_data) pipe_.allow_between(source->backend(), target->backend());
      start_reading();
    } catch (const std::bad_alloc&) {
      fail(ENOMEM, PumpSide::none);
    }
  }

  void interrupt(int err) override {
    stop();
    finish(err);
  }

  // What was there by the deadline may take several steps; each of them gets another look.
  void on_deadline() override {
    StreamCore* const source = source_.stream();
    if (read_ == nullptr || source == nullptr) {
      interrupt(ETIMEDOUT);
      return;
    }
    const std::uint64_t steps =
        read_->transferred() + transferred() + (ended_ ? 1U : 0U) + (shutting_down_ ? 1U : 0U);
    int ignored = 0;
    if (!std::exchange(is_late_, true)) in_time_ = read_->transferred() + source->pending_bytes(ignored);
    if (transferred() <= in_time_ && std::exchange(steps_, steps) != steps) {
      postpone_deadline();
    } else {
      interrupt(ETIMEDOUT);
    }
  }

  /// Called from the loop when a chunk was filled.
  void was_filled() {
    chunks_.set_seen();
    if (!is_unfinished()) return;
    if (options_.on_data && !show(chunks_.newest())) return;
    advance();
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
    void stream_given_away() noexcept override { pump_->let_go(side_); }

   private:
    PumpState* pump_;
    PumpSide side_;
    StreamCore* stream_ = nullptr;
  };

  // Sets the result first: `finish()` announces the end.
  void fail(int err, PumpSide side) noexcept {
    if (!is_unfinished()) return;
    value_.side = side;
    finish(err);
  }

  // Stops first, so that a stream that is given away has the returned bytes among its unread ones.
  void let_go(PumpSide side) noexcept {
    stop();
    fail(ECANCELED, side);
  }

  void advance() {
    if (!is_unfinished()) return;
    try {
      if (!writing_ && (pipe_.is_filled() || chunks_.may_write())) write();
      if (!ended_ && has_room() && !chunks_.has_unseen()) read_->resume();
      if (ended_ && is_empty() && !shutting_down_) end();
    } catch (const std::bad_alloc&) {
      fail(ENOMEM, PumpSide::none);
    }
  }

  // Pipes are filled while there is nothing in the chunks, so what is in these comes behind.
  [[nodiscard]] bool has_room() noexcept {
    if (!pipe_.empty()) return pipe_.may_fill_next() && chunks_.empty();
    return pipe_.is_wanted() ? chunks_.empty() : chunks_.has_room();
  }
  [[nodiscard]] bool is_empty() const noexcept { return chunks_.empty() && pipe_.empty(); }

  void start_reading() {
    read_ = make_state<PumpRead>(core(), *this, chunks_, pipe_, site());
    reading_ = Request<void>(read_);
    reading_.set_callback([this](Request<void>& request) {
      int err = 0;
      request.recv(err);
      reading_ended(err);
    });
    source_.stream()->start_read(*read_);
    is_reader_ = read_->stream() != nullptr;
  }

  // Bytes that came before the error are written first.
  void reading_ended(int err) {
    ended_ = true;
    source_error_ = err == EPIPE ? 0 : err;
    if (chunks_.has_unseen()) {
      was_filled();
    } else {
      advance();
    }
  }

  // Calls `on_data`, which may destroy the pump. Returns whether the pump still exists.
  bool show(PumpChunk& chunk) {
    PumpBlock kept;
    chunk.set_heir(&kept);
    bool destroyed = false;
    destroyed_ = &destroyed;
    auto function = std::exchange(options_.on_data, nullptr);
    const auto resume = [&] {
      if (destroyed) return;
      chunk.set_heir(nullptr);
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
    StreamWrite* state = nullptr;
    if (!pipe_.is_filled()) {
      state = make_recyclable<StreamWrite>(core(), site());
      state->set_vector(make_vector(chunks_.oldest().bytes()));
    } else {
      state = make_state<PipeWrite>(core(), pipe_, site());
    }
    writing_ = Request<ssize_t>(state);
    writing_.set_callback([this](Request<ssize_t>&) { was_written(); });
    writing_size_ = state->remaining();
    state->set_of_pump();
    target_.stream()->add_queued_bytes(writing_size_);
    target_.stream()->start_write(*state);
  }

  void was_written() {
    int err = 0;
    writing_.recv(err);
    const bool was_pipe = pipe_.is_being_written();
    end_write();
    if (err != 0) explain(writing_.reason());
    writing_ = Request<ssize_t>();
    if (!is_unfinished()) return;
    if (err != 0) {
      fail(err, PumpSide::target);
      return;
    }
    if (!was_pipe) chunks_.drop_oldest();
    advance();
  }

  // What the target has not taken stays where it is.
  void end_write() noexcept {
    const std::size_t bytes = writing_.transferred();
    if (pipe_.is_being_written()) {
      pipe_.end_write(writing_size_ - bytes);
    } else {
      chunks_.oldest().drop_front(bytes);
    }
    add_transferred(bytes);
    value_.bytes += bytes;
  }

  void end() {
    if (source_error_ != 0) {
      if (is_cut() && options_.half_close && options_.reset_on_failure) target_.stream()->abort();
      const bool is_own = source_error_ == ENOMEM && !read_->has_failed();
      explain(reading_.reason());
      fail(source_error_, is_own ? PumpSide::none : PumpSide::source);
    } else if (!options_.half_close) {
      finish(0);
    } else {
      auto* const state = make_state<StreamControl>(core(), StreamControl::Kind::shutdown_write, site());
      state->set_of_pump();
      shutting_down_ = Request<void>(state);
      shutting_down_.set_callback([this](Request<void>& request) {
        int err = 0;
        request.recv(err);
        if (err == 0 || err == ENOTSUP) {
          finish(0);
        } else {
          explain(request.reason());
          fail(err, PumpSide::target);
        }
      });
      target_.stream()->start_shutdown(*state);
    }
  }

  // Whether the source broke off, by itself or by `abort()`: what the target got must not look complete then.
  [[nodiscard]] bool is_cut() const noexcept {
    return read_->has_failed() || (is_reader_ && source_error_ == ECONNABORTED);
  }

  // Gives back to the source what the target has not taken, last bytes first.
  void stop() noexcept {
    reading_ = Request<void>();
    if (writing_) {
      end_write();
      writing_ = Request<ssize_t>();
    }
    shutting_down_ = Request<void>();
    if (StreamCore* const source = source_.stream(); source != nullptr) {
      chunks_.give_back(*source);
      pipe_.give_back(core(), *source);
    }
    chunks_.clear();
    pipe_.close();
    if (std::exchange(has_claimed_, false) && target_.stream() != nullptr)
      target_.stream()->release_writing();
    source_.leave();
    target_.leave();
  }

  void on_delivery() noexcept override { stop(); }
  void on_abandon() noexcept override { stop(); }

  PumpOptions options_;
  PumpChunks chunks_;
  PumpPipe pipe_;
  Follower source_;
  Follower target_;
  PumpRead* read_ = nullptr;  // the state of reading_
  Request<void> reading_;
  Request<ssize_t> writing_;
  std::size_t writing_size_ = 0;
  Request<void> shutting_down_;
  std::uint64_t steps_ = ~std::uint64_t{0};
  std::uint64_t in_time_ = 0;  // bytes read or waiting when the deadline came
  int source_error_ = 0;
  bool is_reader_ = false;
  bool ended_ = false;
  bool has_claimed_ = false;
  bool is_late_ = false;
  bool* destroyed_ = nullptr;
};

void PumpRead::begin() {
  if (is_unfinished()) pump_->was_filled();
}

}  // namespace

}  // namespace detail

Request<PumpResult> pump(Stream& source, Stream& target, PumpOptions options, CallSite site) {
  Loop* const loop =
      StreamAccess::loop(source) != nullptr ? StreamAccess::loop(source) : StreamAccess::loop(target);
  if (loop == nullptr) return {};
  auto* const state = detail::make_state<detail::PumpState>(loop->core(), std::move(options), site);
  Request<PumpResult> request(state);
  const detail::ParentScope scope(*state);
  if (!state->is_unfinished()) return request;  // the loop is gone
  state->start(StreamAccess::core(source), StreamAccess::core(target));
  return request;
}

}  // namespace tsock::inline v0

#include <array>
#include <cerrno>
#include <chrono>
#include <new>
#include <string>
#include <tsock/loop.hpp>
#include <tsock/operation.hpp>
#include <tsock/trace_writer.hpp>
#include <utility>

#include "core/insight/trace_spans.hpp"
#include "core/loop/background.hpp"
#include "core/loop/trace_observer.hpp"

namespace tsock::inline v0 {

namespace detail {

/// Waits until the trace has left. The writer knows it and ends it.
class StopTrace final : public Operation<void> {
 public:
  static constexpr const char* name = "stop_trace";

  explicit StopTrace(StopTrace** place) : place_(place) {}
  StopTrace(const StopTrace&) = delete;
  StopTrace& operator=(const StopTrace&) = delete;
  ~StopTrace() override { forget(); }
  void start() override { *place_ = this; }
  void end(int err) {
    forget();
    if (err == 0) {
      done();
    } else {
      error(err);
    }
  }

 private:
  void forget() noexcept {
    if (place_ != nullptr) *std::exchange(place_, nullptr) = nullptr;
  }

  StopTrace** place_;
};

}  // namespace detail

class TraceWriter::Impl final : private detail::TraceObserver, private detail::ReadyTask {
 public:
  Impl(Stream out, const TraceWriterOptions& options)
      : core_(&out.loop().core()), out_(std::move(out)), spans_(options) {
    core_->add(*this);
    is_on_ = true;
    core_->make_ready(*this);  // who waits for the output sees that it has begun, also on an idle loop
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    turn_off();
    if (is_linked()) unlink();
    if (stop_ != nullptr) stop_->end(ECANCELED);
  }

  [[nodiscard]] bool is_on() const noexcept { return is_on_; }
  [[nodiscard]] TraceWriterCounts counts() const noexcept {
    return {.spans = spans_.spans(), .dropped = spans_.dropped(), .error = error_};
  }

  Request<void> stop(CallSite site) {
    if (was_stopped_) {
      Request<void> refused = make_request<detail::StopTrace>({loop(), site}, &refused_);
      if (refused_ != nullptr) refused_->end(EALREADY);
      return refused;
    }
    was_stopped_ = true;
    const bool was_on = is_on_;
    turn_off();
    if (was_on) spans_.end(core_->requests());
    Request<void> request = make_request<detail::StopTrace>({loop(), site}, &stop_);
    go_on();
    return request;
  }

 private:
  // What is written in one call; a part of a slow output's buffer leaves at a time.
  static constexpr std::size_t write_at = std::size_t{64} << 10;
  static constexpr std::chrono::milliseconds longest_wait{100};

  /// Marks the requests that are made while it lives as the writer's own.
  class OwnScope {
   public:
    explicit OwnScope(Impl& writer) noexcept : writer_(writer) { writer_.starts_own_ = true; }
    OwnScope(const OwnScope&) = delete;
    OwnScope& operator=(const OwnScope&) = delete;
    ~OwnScope() { writer_.starts_own_ = false; }

   private:
    Impl& writer_;
  };

  // A stand-in when the Loop is gone. The stream keeps the core, too.
  [[nodiscard]] Loop& loop() const { return out_.loop(); }

  // TraceObserver. The writer's own requests are left out: each write would cause another one.
  void on_trace(TraceKind kind, const detail::RequestState& state) noexcept override {
    if (starts_own_) {
      own_[next_own_++ % own_.size()] = state.id();
      return;
    }
    for (const std::uint64_t own : own_) {
      if (own == state.id()) return;
    }
    try {
      spans_.step(kind, state);
    } catch (const std::bad_alloc&) {
      spans_.count_drop();
    }
    if (kind == TraceKind::started && !is_linked()) core_->make_ready(*this);
    const bool is_due = spans_.size() >= write_at || !pause_.is_in_progress();
    if (spans_.size() != 0 && is_due && !writing_.is_in_progress() && !is_linked()) core_->make_ready(*this);
  }
  void loop_closed() noexcept override { is_on_ = false; }

  // ReadyTask: what was begun has its stream by now, and requests may be started. Writes have not left yet.
  void run() override {
    try {
      spans_.find_tracks();
      go_on();
    } catch (const std::bad_alloc&) {
      spans_.count_drop();
    }
  }

  // Writes what is due. Otherwise it waits a little, so that not every turn has a write of its own.
  void go_on() {
    if (writing_.is_in_progress() || core_->is_closed()) return;
    if (error_ != 0 || (was_stopped_ && spans_.size() == 0)) {
      finish();
      return;
    }
    if (spans_.size() == 0) return;
    if (!was_stopped_ && spans_.size() < write_at) {
      if (!pause_.is_in_progress()) wait();
      return;
    }
    write();
  }

  void wait() {
    const OwnScope scope(*this);
    pause_.start(loop().sleep(longest_wait), [this](Request<void>& /*request*/) {
      if (spans_.size() != 0 && !writing_.is_in_progress()) write();
    });
  }

  void write() {
    pause_.reset();
    const OwnScope scope(*this);
    writing_.start(out_.write(spans_.take()), [this](Request<ssize_t>& request) {
      int err = 0;
      request.recv(err);
      if (err != 0) fail(err);
      go_on();
    });
  }

  void fail(int err) {
    error_ = err;
    turn_off();
  }

  void finish() {
    pause_.reset();
    if (!out_.is_open()) {
      end(error_);
      return;
    }
    const OwnScope scope(*this);
    closing_.start(out_.disconnect(), [this](Request<void>& request) {
      int err = 0;
      request.recv(err);
      end(error_ != 0 ? error_ : err);
    });
  }

  void end(int err) {
    if (error_ == 0) error_ = err;
    if (stop_ != nullptr) stop_->end(err);
  }

  void turn_off() noexcept {
    if (is_on_) core_->remove(*this);
    is_on_ = false;
  }

  detail::LoopCore* core_;
  Stream out_;
  detail::TraceSpans spans_;
  detail::Background<void> pause_;
  detail::Background<ssize_t> writing_;
  detail::Background<void> closing_;
  detail::StopTrace* stop_ = nullptr;
  detail::StopTrace* refused_ = nullptr;
  std::array<std::uint64_t, 4> own_{};
  std::size_t next_own_ = 0;
  int error_ = 0;
  bool starts_own_ = false;
  bool is_on_ = false;
  bool was_stopped_ = false;
};

TraceWriter::TraceWriter() noexcept = default;
TraceWriter::TraceWriter(Stream out, const TraceWriterOptions& options)
    : impl_(std::make_unique<Impl>(std::move(out), options)) {}
TraceWriter::TraceWriter(TraceWriter&& other) noexcept = default;
TraceWriter& TraceWriter::operator=(TraceWriter&& other) noexcept = default;
TraceWriter::~TraceWriter() = default;

bool TraceWriter::is_on() const noexcept { return impl_ != nullptr && impl_->is_on(); }

TraceWriterCounts TraceWriter::counts() const noexcept {
  return impl_ != nullptr ? impl_->counts() : TraceWriterCounts();
}

Request<void> TraceWriter::stop(CallSite site) {
  return impl_ != nullptr ? impl_->stop(site) : Request<void>();
}

}  // namespace tsock::inline v0

#include <cerrno>
#include <new>
#include <ostream>
#include <tsock/layer/layer_over.hpp>
#include <tsock/loop.hpp>
#include <tsock/operation.hpp>
#include <utility>
#include <vector>

#include "core/stream/stream_access.hpp"
#include "core/stream/stream_control.hpp"
#include "core/stream/stream_core.hpp"
#include "layer/kept_engine.hpp"
#include "layer/layer_stream.hpp"

namespace tsock::layer {

namespace {

using detail::LoopCore;
using detail::StreamControl;
using detail::StreamCore;

/// Waits for the writes of the stream below, takes its backend, and waits for the handshake.
class HandshakeState : public detail::ResultState<Stream>, private HandshakeObserver {
 public:
  HandshakeState(LoopCore& core, const char* name, const LayerOptions& options, CallSite site) noexcept
      : ResultState(core, site), name_(name), layer_options_(options) {}
  [[nodiscard]] const char* name() const noexcept override { return name_; }

  void start(Stream below, std::unique_ptr<Engine> engine) {
    below_ = std::move(below);
    engine_ = std::move(engine);
    StreamCore* const source = StreamAccess::core(below_);
    if (source == nullptr || !source->is_writing()) {
      take_over();
      return;
    }
    auto* const drain = detail::make_state<StreamControl>(core(), StreamControl::Kind::drain, site());
    drain_ = Request<void>(drain);
    drain_.set_callback([this](Request<void>&) { take_over(); });
    source->start_shutdown(*drain);
  }

  // The layer may be what calls: it is destroyed on delivery.
  void interrupt(int err) override { finish(err); }
  void on_deadline() override {
    if (!look_again()) interrupt(ETIMEDOUT);
  }
  void describe(std::ostream& out) const override {
    const Address remote = layer_ != nullptr ? layer_->remote_address() : below_.remote_address();
    if (!remote.is_empty()) out << ", peer " << remote.string();
  }

 private:
  void take_over() {
    if (!is_unfinished()) return;
    StreamCore* const source = StreamAccess::core(below_);
    int err = source != nullptr ? 0 : ENOTCONN;
    std::vector<std::byte> unread;
    std::unique_ptr<StreamBackend> backend;
    if (err == 0) {
      stream_options_ = source->behaviour();
      backend = source->take_backend(unread, err);
    }
    if (err == 0) {
      layer_.reset(new (std::nothrow)
                       LayerStream(core().memory(), std::move(backend), std::move(engine_), layer_options_));
      err = layer_ != nullptr ? layer_->start(unread, *this) : ENOMEM;
    }
    if (err != 0) finish(err);
  }

  // After an interrupt, too: the layer goes on until delivery.
  void on_handshake(int err) noexcept override {
    if (!is_unfinished()) return;
    if (err == 0) err = make_stream();
    if (err != 0) {
      explain(layer_->reason());
      finish(err);
    }
  }

  int make_stream() noexcept {
    try {
      if (!layer_->engine().is_transparent()) {
        finish_with(Stream(loop(), std::move(layer_), stream_options_));
        return 0;
      }
      // The layer is what calls, so it stays until delivery.
      std::unique_ptr<StreamBackend> backend = layer_->take_below();
      Stream stream(loop(), std::move(backend), stream_options_);
      StreamAccess::core(stream)->unread(layer_->unread());
      std::unique_ptr<detail::StreamAttachment> kept = std::make_unique<KeptEngine>(layer_->take_engine());
      StreamAccess::core(stream)->keep(kept);
      finish_with(std::move(stream));
      return 0;
    } catch (const std::bad_alloc&) {
      return ENOMEM;
    }
  }

  // The peer hears why the handshake has failed, also when it takes that later.
  void say_last_words() noexcept {
    if (layer_ == nullptr || !layer_->has_last_words() || core().is_closed()) return;
    try {
      Stream stream(loop(), std::move(layer_), stream_options_);
      Request<void> closing = stream.disconnect({.linger_time = layer_options_.goodbye_time});
      std::move(closing).detach([held = std::move(stream)](Request<void>&) {});
    } catch (const std::bad_alloc&) {
      // It goes without a word.
    }
  }
  void drop() noexcept {
    drain_ = {};
    layer_.reset();
    below_ = Stream();
  }
  // What the engine and functions of the stream below captured may destroy the handle and the Loop.
  void on_delivery() noexcept override {
    mark(in_delivery);
    say_last_words();
    drop();
    drop_call_of_closed_loop();
    unmark(in_delivery);
  }
  void on_abandon() noexcept override {
    if (is_linked()) unlink();
    drop();
  }

  const char* name_;
  LayerOptions layer_options_;
  StreamOptions stream_options_;
  Stream below_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<LayerStream> layer_;
  Request<void> drain_;
};

}  // namespace

Request<Stream> layer_over(Stream below, std::unique_ptr<Engine> engine, const char* name,
                           const LayerOptions& options, CallSite site) {
  Loop* const loop = StreamAccess::loop(below);
  if (loop == nullptr) return {};
  auto* const state = detail::make_state<HandshakeState>(loop->core(), name, options, site);
  Request<Stream> request(state);
  const detail::ParentScope scope(*state);
  if (state->is_unfinished()) state->start(std::move(below), std::move(engine));
  return request;
}

const Engine* engine_of(const Stream& stream) noexcept {
  StreamCore* const source = StreamAccess::core(stream);
  if (source == nullptr || !source->is_open()) return nullptr;
  // One that has stepped aside stood on what is there.
  if (const auto* const kept = dynamic_cast<const KeptEngine*>(source->attachment()); kept != nullptr)
    return &kept->engine();
  const auto* const layer = dynamic_cast<const LayerStream*>(source->backend());
  return layer != nullptr ? &layer->engine() : nullptr;
}

}  // namespace tsock::layer

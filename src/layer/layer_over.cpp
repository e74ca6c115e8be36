#include <cerrno>
#include <new>
#include <ostream>
#include <tsock/layer/layer_over.hpp>
#include <tsock/loop.hpp>
#include <tsock/operation.hpp>
#include <utility>
#include <vector>

#include "core/stream/forwarding_backend.hpp"
#include "core/stream/stream_access.hpp"
#include "core/stream/stream_core.hpp"
#include "core/stream/stream_extras.hpp"
#include "core/stream/stream_life.hpp"
#include "layer/kept_engine.hpp"
#include "layer/layer_stream.hpp"
#include "layer/offloaded_stream.hpp"
#include "layer/replacing_engine.hpp"
#include "layer/takeover_state.hpp"

namespace tsock::inline v0::layer {

namespace {

using detail::LoopCore;
using detail::StreamCore;

/// Takes the backend of the stream below, and waits for the handshake.
class HandshakeState : public TakeoverState, private HandshakeObserver {
 public:
  HandshakeState(LoopCore& core, const char* name, std::unique_ptr<Engine> engine,
                 const LayerOptions& options, CallSite site) noexcept
      : TakeoverState(core, name, site), layer_options_(options), engine_(std::move(engine)) {}
  using TakeoverState::take_over;

  void describe(std::ostream& out) const override {
    if (layer_ == nullptr) {
      TakeoverState::describe(out);
    } else if (const Address remote = layer_->remote_address(); !remote.is_empty()) {
      out << ", peer " << remote.string();
    }
  }

 private:
  // What ended the writes, the backend says, too.
  void on_drained(int /*err*/, std::string_view /*reason*/) override {
    StreamCore* const source = StreamAccess::core(below());
    int err = source != nullptr ? 0 : ENOTCONN;
    std::vector<std::byte> unread;
    std::unique_ptr<StreamBackend> backend;
    if (err == 0) {
      if (core().watches_lifecycle() && source->backend() != nullptr)
        remote_ = source->backend()->remote_address();
      backend = source->take_backend(unread, err);
      if (err == 0) life_ = source->take_life();
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
    if (err != 0) fail(err, layer_ != nullptr ? layer_->reason() : std::string_view());
  }

  int make_stream() noexcept {
    try {
      if (!layer_->engine().is_transparent()) {
        stand_on(offload(layer_));
        finish_with(std::move(below()));
        return 0;
      }
      // The layer is what calls, so it stays until delivery.
      std::unique_ptr<StreamBackend> backend = layer_->take_below();
      std::unique_ptr<Engine> engine = layer_->take_engine();
      std::span<const std::byte> unread = layer_->unread();
      if (auto* const replacing = dynamic_cast<ReplacingEngine*>(engine.get()); replacing != nullptr)
        backend = replacing->replace(std::move(backend), unread);
      StreamCore& stream = stand_on(std::move(backend));
      stream.unread(unread);
      std::unique_ptr<detail::StreamAttachment> kept = std::make_unique<KeptEngine>(std::move(engine));
      stream.keep(kept);
      finish_with(std::move(below()));
      return 0;
    } catch (const std::bad_alloc&) {
      return ENOMEM;
    }
  }

  // The stream below goes on as the one that was asked for.
  StreamCore& stand_on(std::unique_ptr<StreamBackend> backend) noexcept {
    StreamCore& stream = *StreamAccess::core(below());
    carried_ = stream.begin_again(std::move(backend));
    return stream;
  }

  // The peer hears why the handshake has failed, also when it takes that later.
  void before_release() noexcept override {
    tell_made(LifecycleKind::handshake, *this, value_, remote_, std::move(life_));
    if (layer_ == nullptr || !layer_->has_last_words() || core().is_closed()) return;
    try {
      Stream stream(loop(), std::move(layer_), StreamAccess::core(below())->behaviour());
      Request<void> closing = stream.disconnect({.linger_time = layer_options_.goodbye_time});
      std::move(closing).detach([held = std::move(stream)](Request<void>&) {});
    } catch (const std::bad_alloc&) {
      // It goes without a word.
    }
  }
  void release_all() noexcept override {
    layer_.reset();
    carried_.reset();
    if (const auto life = std::move(life_); life != nullptr) life->end(core(), name(), ECANCELED, {});
  }

  LayerOptions layer_options_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<LayerStream> layer_;
  std::unique_ptr<detail::StreamExtras> carried_;  // of the stream below
  std::unique_ptr<detail::StreamLife> life_;
  Address remote_;
};

}  // namespace

Request<Stream> layer_over(Stream below, std::unique_ptr<Engine> engine, const char* name,
                           const LayerOptions& options, CallSite site) {
  Loop* const loop = StreamAccess::loop(below);
  if (loop == nullptr) return {};
  auto* const state =
      detail::make_state<HandshakeState>(loop->core(), name, std::move(engine), options, site);
  Request<Stream> request(state);
  const detail::ParentScope scope(*state);
  if (state->is_unfinished()) state->take_over(std::move(below));
  return request;
}

const Engine* engine_of(const Stream& stream) noexcept {
  StreamCore* const source = StreamAccess::core(stream);
  if (source == nullptr || !source->is_open()) return nullptr;
  // One that has stepped aside stood on what is there.
  if (const auto* const kept = dynamic_cast<const KeptEngine*>(source->attachment()); kept != nullptr)
    return &kept->engine();
  const auto* const layer = dynamic_cast<const LayerStream*>(detail::rearmost(source->backend()));
  return layer != nullptr ? &layer->engine() : nullptr;
}

}  // namespace tsock::inline v0::layer

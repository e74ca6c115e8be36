#include "layer/offloaded_stream.hpp"

#include <cerrno>
#include <cstddef>
#include <new>
#include <span>
#include <utility>

#include "core/stream/forwarding_backend.hpp"
#include "layer/offloading_engine.hpp"

namespace tsock::inline v0::layer {

namespace {

/// What the layer stands on: what the engine itself has to say goes a way of its own.
class OwnMessages final : public detail::ForwardingBackend<StreamBackend> {
 public:
  OwnMessages(OffloadingEngine& engine, SocketControl& socket) noexcept
      : ForwardingBackend(nullptr), engine_(engine), socket_(socket) {}
  void stand_on(std::unique_ptr<StreamBackend> below) noexcept { set_below(std::move(below)); }

  // The layer has one block for the peer.
  ssize_t try_writev(std::span<const iovec> vectors, int& err) noexcept override {
    return engine_.send_own(socket_, {static_cast<const std::byte*>(vectors[0].iov_base), vectors[0].iov_len},
                            err);
  }

 private:
  OffloadingEngine& engine_;
  SocketControl& socket_;
};

/// What the stream stands on: writes go past the layer, everything else through it.
class OffloadedStream final : public detail::ForwardingBackend<StreamBackend>, public detail::BackendInFront {
 public:
  OffloadedStream(const OffloadingEngine& engine, SocketControl& socket) noexcept
      : ForwardingBackend(nullptr), engine_(engine), socket_(socket) {}
  void stand_on(std::unique_ptr<LayerStream> layer) noexcept { set_below(std::move(layer)); }
  [[nodiscard]] const StreamBackend* behind() const noexcept override { return &below(); }

  // What the engine has said before leaves first.
  ssize_t try_writev(std::span<const iovec> vectors, int& err) noexcept override {
    socket_is_full_ = false;
    err = below().try_flush();
    if (err == 0) err = engine_.write_error();
    if (err != 0) return -1;
    const ssize_t sent = socket_.try_writev(vectors, err);
    std::size_t offered = 0;
    for (const iovec& vector : vectors) offered += vector.iov_len;
    socket_is_full_ = sent < static_cast<ssize_t>(offered);
    return sent;
  }
  int try_shutdown_write() noexcept override {
    socket_is_full_ = false;
    return ForwardingBackend::try_shutdown_write();
  }
  int try_disconnect(Linger& linger) noexcept override {
    socket_is_full_ = false;
    return ForwardingBackend::try_disconnect(linger);
  }
  // The layer, which has nothing to send, would say that there is room.
  [[nodiscard]] Readiness want_writable() noexcept override {
    return socket_is_full_ ? socket_.want_writable() : ForwardingBackend::want_writable();
  }

 private:
  const OffloadingEngine& engine_;
  SocketControl& socket_;
  bool socket_is_full_ = false;  // the last write has found no room for all
};

}  // namespace

std::unique_ptr<StreamBackend> offload(std::unique_ptr<LayerStream>& layer) noexcept {
  auto* const engine = dynamic_cast<OffloadingEngine*>(&layer->engine());
  if (engine == nullptr || !engine->wants_offload() || !layer->has_sent_all()) return std::move(layer);
  // What stands in front of a socket, such as a rate limit, is not to be written past.
  SocketControl* const socket = layer->below()->socket_control();
  if (socket == nullptr || detail::rearmost(socket) != socket) return std::move(layer);
  std::unique_ptr<OwnMessages> messages(new (std::nothrow) OwnMessages(*engine, *socket));
  std::unique_ptr<OffloadedStream> stream(new (std::nothrow) OffloadedStream(*engine, *socket));
  if (messages == nullptr || stream == nullptr || !engine->offload(*socket)) return std::move(layer);
  messages->stand_on(layer->take_below());
  layer->stand_on(std::move(messages));
  stream->stand_on(std::move(layer));
  return stream;
}

}  // namespace tsock::inline v0::layer

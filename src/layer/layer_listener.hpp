#pragma once

#include <cerrno>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string_view>
#include <tsock/address.hpp>
#include <tsock/layer/listen_over.hpp>
#include <tsock/listener.hpp>
#include <tsock/listener_backend.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>

namespace tsock::inline v0::layer {

/// A listener on a listener: the backend whose connections are those of the listener below, once their
/// handshake has succeeded.
class LayerListener final : public ListenerBackend {
 public:
  LayerListener(Listener below, std::function<Request<Stream>(Stream)> handshake, ListenOptions options);
  LayerListener(const LayerListener&) = delete;
  LayerListener& operator=(const LayerListener&) = delete;
  ~LayerListener() override = default;

  void attach(ListenerEvents& events) noexcept override { events_ = &events; }
  int try_accept(std::unique_ptr<StreamBackend>& /*stream*/) noexcept override { return ENOTSUP; }
  int try_accept_stream(Stream& stream) noexcept override;
  [[nodiscard]] Readiness want_acceptable() noexcept override;
  [[nodiscard]] Address local_address() const noexcept override { return below_.local_address(); }
  [[nodiscard]] NativeSocket native_handle() const noexcept override { return below_.native_handle(); }

 private:
  struct Handshake {
    Address peer;
    Request<Stream> request;
    Stream stream;  // made by it
  };
  using Handshakes = std::list<Handshake>;

  void take_more() noexcept;
  void on_connection(Request<Stream>& accepted);
  int begin_handshake(Stream stream, const Address& peer) noexcept;
  void on_handshake(Handshakes::iterator handshake);
  void report(const Address& peer, int err, std::string_view reason);
  void log_failure(const Address& peer, int err, std::string_view reason);

  Listener below_;
  /// Others hold it while it runs, as it may destroy the listener.
  std::shared_ptr<const std::function<Request<Stream>(Stream)>> start_;
  ListenOptions options_;
  std::shared_ptr<const std::function<void(const Address&, int, std::string_view)>> on_failure_;
  ListenerEvents* events_ = nullptr;
  Request<Stream> accepting_;
  Handshakes handshakes_;
  Handshakes finished_;
  int error_ = 0;                                   // of the listener below, to be told once
  std::chrono::steady_clock::time_point next_log_;  // not before
};

}  // namespace tsock::inline v0::layer

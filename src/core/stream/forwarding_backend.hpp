#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <tsock/socket_control.hpp>
#include <tsock/stream_backend.hpp>
#include <utility>
#include <vector>

namespace tsock::inline v0::detail {

/// A backend in front of another one that is not to be seen by those who ask what the stream is.
class BackendInFront {
 public:
  BackendInFront() noexcept = default;
  BackendInFront(const BackendInFront&) = delete;
  BackendInFront& operator=(const BackendInFront&) = delete;
  [[nodiscard]] virtual const StreamBackend* behind() const noexcept = 0;

 protected:
  ~BackendInFront() = default;
};

/// What such backends stand in front of.
[[nodiscard]] inline const StreamBackend* rearmost(const StreamBackend* backend) noexcept {
  while (const auto* const front = dynamic_cast<const BackendInFront*>(backend)) backend = front->behind();
  return backend;
}

/// Passes everything on to a backend below, which tells its events to the front itself.
/// \tparam Base what the one below is: a StreamBackend, or a SocketControl
template <class Base>
class ForwardingBackend : public Base {
 public:
  explicit ForwardingBackend(std::unique_ptr<StreamBackend> below) noexcept : below_(std::move(below)) {}

  void attach(StreamEvents& events) noexcept override { below_->attach(events); }
  ssize_t try_readv(std::span<const iovec> vectors, int& err) noexcept override {
    return below_->try_readv(vectors, err);
  }
  ssize_t try_read_message(MessageRoom& room, int& err) noexcept override {
    return below_->try_read_message(room, err);
  }
  ssize_t try_writev(std::span<const iovec> vectors, int& err) noexcept override {
    return below_->try_writev(vectors, err);
  }
  int try_flush() noexcept override { return below_->try_flush(); }
  [[nodiscard]] std::size_t unsent_bytes() const noexcept override { return below_->unsent_bytes(); }
  int try_shutdown_write() noexcept override { return below_->try_shutdown_write(); }
  int try_disconnect(Linger& linger) noexcept override { return below_->try_disconnect(linger); }
  void abort() noexcept override { below_->abort(); }
  [[nodiscard]] Readiness want_readable() noexcept override { return below_->want_readable(); }
  [[nodiscard]] Readiness want_writable() noexcept override { return below_->want_writable(); }
  void want_broken() noexcept override { below_->want_broken(); }
  void unwant_readable() noexcept override { below_->unwant_readable(); }
  void unwant_broken() noexcept override { below_->unwant_broken(); }
  [[nodiscard]] std::string_view reason() const noexcept override { return below_->reason(); }
  std::size_t pending_bytes(int& err) noexcept override { return below_->pending_bytes(err); }
  [[nodiscard]] StreamTraits traits() const noexcept override { return below_->traits(); }
  void watch_for_breaks(bool on) noexcept override { below_->watch_for_breaks(on); }
  int apply(const StreamOptions& options) noexcept override { return below_->apply(options); }
  [[nodiscard]] Address local_address() const noexcept override { return below_->local_address(); }
  [[nodiscard]] Address remote_address() const noexcept override { return below_->remote_address(); }
  int tcp_info(TcpInfo& info) const noexcept override { return below_->tcp_info(info); }

 protected:
  [[nodiscard]] StreamBackend& below() const noexcept { return *below_; }
  /// Of one that was made with null.
  void set_below(std::unique_ptr<StreamBackend> below) noexcept { below_ = std::move(below); }

 private:
  std::unique_ptr<StreamBackend> below_;
};

/// As above, for one that is a socket.
class ForwardingSocket : public ForwardingBackend<SocketControl> {
 public:
  using ForwardingBackend::ForwardingBackend;

  [[nodiscard]] NativeSocket native_handle() const noexcept override { return socket().native_handle(); }
  [[nodiscard]] std::span<const std::byte> kept_bytes() const noexcept override {
    return socket().kept_bytes();
  }
  UniqueSocket release_socket() noexcept override { return socket().release_socket(); }
  int peer_credentials(PeerCredentials& credentials) const noexcept override {
    return socket().peer_credentials(credentials);
  }
  ssize_t try_writev_with_fds(std::span<const iovec> vectors, std::span<const int> fds,
                              int& err) noexcept override {
    return socket().try_writev_with_fds(vectors, fds, err);
  }
  int take_received_fds(std::size_t unread, std::vector<UniqueFd>& taken) noexcept override {
    return socket().take_received_fds(unread, taken);
  }

 private:
  [[nodiscard]] SocketControl& socket() const noexcept { return *below().socket_control(); }
};

}  // namespace tsock::inline v0::detail

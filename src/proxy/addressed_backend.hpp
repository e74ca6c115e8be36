#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <tsock/address.hpp>
#include <tsock/proxy/header.hpp>
#include <tsock/socket_control.hpp>
#include <tsock/stream_backend.hpp>
#include <utility>
#include <vector>

namespace tsock::inline v0::proxy {

/// What a backend knows that came with a header.
class HeaderHolder {
 public:
  explicit HeaderHolder(Header header) noexcept : header_(std::move(header)) {}
  HeaderHolder(const HeaderHolder&) = delete;
  HeaderHolder& operator=(const HeaderHolder&) = delete;
  virtual ~HeaderHolder() = default;
  [[nodiscard]] const Header& header() const noexcept { return header_; }
  /// Where the header came from.
  [[nodiscard]] virtual Address proxy_address() const noexcept = 0;

 private:
  Header header_;
};

/// A backend whose addresses are those of a header; all else is that of the one below, which tells its events
/// to the front itself. \tparam Base what the one below is: a StreamBackend, or a SocketControl
template <class Base>
class AddressedBackend : public Base, public HeaderHolder {
 public:
  AddressedBackend(std::unique_ptr<StreamBackend> below, Header header) noexcept
      : HeaderHolder(std::move(header)), below_(std::move(below)) {}

  [[nodiscard]] Address proxy_address() const noexcept override { return below_->remote_address(); }
  [[nodiscard]] Address local_address() const noexcept override {
    const Address& address = header().destination;
    return address.is_empty() ? below_->local_address() : address;
  }
  [[nodiscard]] Address remote_address() const noexcept override {
    const Address& address = header().source;
    return address.is_empty() ? below_->remote_address() : address;
  }

  void attach(StreamEvents& events) noexcept override { below_->attach(events); }
  ssize_t try_readv(std::span<const iovec> vectors, int& err) noexcept override {
    return below_->try_readv(vectors, err);
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
  int tcp_info(TcpInfo& info) const noexcept override { return below_->tcp_info(info); }

 protected:
  [[nodiscard]] StreamBackend& below() const noexcept { return *below_; }

 private:
  std::unique_ptr<StreamBackend> below_;
};

/// As above, for one that is a socket.
class AddressedSocket final : public AddressedBackend<SocketControl> {
 public:
  using AddressedBackend::AddressedBackend;

  [[nodiscard]] NativeSocket native_handle() const noexcept override { return socket().native_handle(); }
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

}  // namespace tsock::inline v0::proxy

#pragma once

#include <memory>
#include <optional>
#include <tsock/listener_backend.hpp>
#include <tsock/listener_options.hpp>
#include <tsock/unique_socket.hpp>
#include <utility>

#include "uv/fd_watcher.hpp"
#include "uv/os/socket.hpp"
#include "uv/os/socket_file.hpp"

namespace tsock::inline v0::detail {

/// A listening TCP or unix stream socket, or one of unix sockets with message borders.
class SocketListener final : public ListenerBackend, private FdWatcher<SocketListener> {
 public:
  /// \param options_set whether the listening socket itself has the options of `accepted`
  SocketListener(LoopImpl& loop, UniqueSocket socket, os::SocketType type, const StreamOptions& accepted,
                 bool options_set);
  ~SocketListener() override;

  int open() { return start_watching(socket_.get(), os::readable); }
  /// Sets the socket file that is removed in the end.
  void own_file(os::SocketFile file) noexcept { file_ = std::move(file); }
  /// Leaves the socket file in place in the end.
  void keep_file() noexcept { file_.reset(); }
  [[nodiscard]] UniqueSocket release_socket() noexcept;
  /// As in SocketStream.
  void set_was_blocking(bool was_blocking) noexcept { was_blocking_ = was_blocking; }

  void attach(ListenerEvents& events) noexcept override { events_ = &events; }
  int try_accept(std::unique_ptr<StreamBackend>& stream) noexcept override;
  Readiness want_acceptable() noexcept override { return await_readable(); }
  [[nodiscard]] Address local_address() const noexcept override { return os::local_address(socket_.get()); }
  [[nodiscard]] NativeSocket native_handle() const noexcept override { return socket_.get(); }

 private:
  friend class FdWatcher<SocketListener>;
  void on_fd_event(FdEvent /*event*/) { events_->on_acceptable(); }
  /// On failure the connection stays in `socket`.
  int make_stream(UniqueSocket& socket, std::unique_ptr<StreamBackend>& stream);

  UniqueSocket socket_;
  os::SocketType type_;
  StreamOptions accepted_;
  int family_;
  bool was_blocking_ = false;
  bool inherited_;       // accepted sockets have the options already
  UniqueSocket unmade_;  // accepted without memory or descriptor to make a stream
  ListenerEvents* events_ = nullptr;
  std::optional<os::SocketFile> file_;
};

}  // namespace tsock::inline v0::detail

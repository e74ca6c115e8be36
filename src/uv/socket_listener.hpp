#pragma once

#include <memory>
#include <optional>
#include <tsock/listener_backend.hpp>
#include <tsock/listener_options.hpp>
#include <tsock/unique_fd.hpp>
#include <utility>

#include "uv/fd_watcher.hpp"
#include "uv/os/socket.hpp"
#include "uv/os/socket_file.hpp"

namespace tsock::detail {

/// A listening TCP or unix stream socket.
class SocketListener final : public ListenerBackend, private FdWatcher<SocketListener> {
 public:
  /// \param options_set whether the listening socket has the options of `accepted` itself.
  SocketListener(LoopImpl& loop, UniqueFd fd, const StreamOptions& accepted, bool options_set);
  ~SocketListener() override;

  int open() { return start_watching(fd_.get()); }
  /// The socket file that is removed at the end.
  void own_file(os::SocketFile file) noexcept { file_ = std::move(file); }
  /// The socket file stays at the end.
  void keep_file() noexcept { file_.reset(); }
  [[nodiscard]] UniqueFd release() noexcept;
  /// As that of SocketStream.
  void set_was_blocking(bool was_blocking) noexcept { was_blocking_ = was_blocking; }

  void attach(ListenerEvents& events) noexcept override { events_ = &events; }
  int try_accept(std::unique_ptr<StreamBackend>& stream) noexcept override;
  void want_acceptable() noexcept override { await_readable(); }
  [[nodiscard]] Address local_address() const noexcept override { return os::local_address(fd_.get()); }
  [[nodiscard]] int native_handle() const noexcept override { return fd_.get(); }

 private:
  friend class FdWatcher<SocketListener>;
  void on_fd_event(FdEvent /*event*/) { events_->on_acceptable(); }
  /// On failure the connection stays in `fd`.
  int make_stream(UniqueFd& fd, std::unique_ptr<StreamBackend>& stream);

  UniqueFd fd_;
  StreamOptions accepted_;
  int family_;
  bool was_blocking_ = false;
  bool inherited_;   // accepted sockets have their options already
  UniqueFd unmade_;  // accepted when there was no memory or descriptor to make a stream with
  ListenerEvents* events_ = nullptr;
  std::optional<os::SocketFile> file_;
};

}  // namespace tsock::detail

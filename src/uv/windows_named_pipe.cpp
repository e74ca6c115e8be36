#include <winsock2.h>
// The order matters: these headers need the one above.
#include <fcntl.h>
#include <io.h>
#include <windows.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <new>
#include <string_view>
#include <tsock/unique_fd.hpp>
#include <utility>

#include "uv/named_pipe.hpp"
#include "uv/os/descriptor.hpp"
#include "uv/os/windows_call.hpp"
#include "uv/uv_call.hpp"
#include "uv/uv_stream.hpp"

namespace tsock::inline v0::detail {

namespace {

constexpr int most_waiting = 32;

/// The full name of a pipe, in the form that the system takes as it is: in the other one, "\\.\pipe\", it
/// would resolve "..".
class FullName {
 public:
  explicit FullName(const Address& address) noexcept {
    int err = 0;
    const std::string_view name = address.pipe_name(err);
    const auto behind = std::ranges::copy(front, text_.begin()).out;
    std::ranges::copy(name, behind);
    // Fails for what is no UTF-8.
    is_valid_ = ::MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text_.data(), -1, wide_.data(),
                                      static_cast<int>(wide_.size())) != 0;
  }
  [[nodiscard]] bool is_valid() const noexcept { return is_valid_; }
  [[nodiscard]] const char* text() const noexcept { return text_.data(); }
  [[nodiscard]] const wchar_t* wide() const noexcept { return wide_.data(); }

 private:
  static constexpr std::string_view front = R"(\\?\pipe\)";
  static constexpr std::size_t most = front.size() + Address::longest_pipe_name + 1;
  std::array<char, most> text_{};
  std::array<wchar_t, most> wide_{};
  bool is_valid_ = false;
};

int failure() noexcept {
  const DWORD code = ::GetLastError();
  return code == ERROR_INVALID_NAME || code == ERROR_BAD_PATHNAME ? EINVAL : os::errno_of_system(code);
}

// libuv's own function waits on a thread for an instance of the pipe, for half a minute, and cannot be
// cancelled. The server learns who the client is, and cannot act as it.
UniqueFd open_pipe(const FullName& name, int& err) noexcept {
  const HANDLE handle =
      ::CreateFileW(name.wide(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING,
                    FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, nullptr);
  if (handle == INVALID_HANDLE_VALUE) {
    err = failure();
    return {};
  }
  UniqueFd fd(::_open_osfhandle(reinterpret_cast<std::intptr_t>(handle), _O_BINARY | _O_NOINHERIT));
  err = fd ? 0 : EMFILE;
  if (!fd) ::CloseHandle(handle);
  // libuv would copy a standard stream, and not close the original.
  if (fd && fd.get() <= 2) fd = os::duplicate(fd.get(), err);
  return fd;
}

uv_stream_t* as_stream(uv_pipe_t* pipe) noexcept { return reinterpret_cast<uv_stream_t*>(pipe); }

/// One end of a connection. The end that listened has the pipe's name, as unix sockets do.
class NamedPipeStream final : public UvStream {
 public:
  enum class Side : bool { client, server };
  NamedPipeStream(LoopImpl& loop, uv_pipe_t* pipe, const Address& name, Side side,
                  const StreamOptions& options)
      : UvStream(loop, as_stream(pipe), UvStreamOwnership::take(&free_pipe), options.max_read_ahead),
        name_(name),
        side_(side) {}

  std::size_t pending_bytes(int& err) noexcept override {
    const std::size_t bytes = UvStream::pending_bytes(err);
    DWORD waiting = 0;
    if (err != 0 || descriptor() == invalid_socket) return bytes;
    if (::PeekNamedPipe(reinterpret_cast<HANDLE>(descriptor()), nullptr, 0, nullptr, &waiting, nullptr) ==
            0 &&
        bytes == 0)
      err = failure();
    return bytes + waiting;
  }
  [[nodiscard]] Address local_address() const noexcept override {
    return side_ == Side::server ? name_ : Address();
  }
  [[nodiscard]] Address remote_address() const noexcept override {
    return side_ == Side::client ? name_ : Address();
  }

 private:
  static void free_pipe(uv_stream_t* handle) { delete reinterpret_cast<uv_pipe_t*>(handle); }
  Address name_;
  Side side_;
};

/// A stream over a handle that is not open yet, which is stored in `pipe`. Null without memory.
std::unique_ptr<NamedPipeStream> make_stream(LoopImpl& loop, const Address& name, NamedPipeStream::Side side,
                                             const StreamOptions& options, uv_pipe_t*& pipe) noexcept {
  try {
    auto made = std::make_unique<uv_pipe_t>();
    loop.notice_fork();
    uv_pipe_init(loop.uv(), made.get(), 0);
    pipe = made.get();
    std::unique_ptr<NamedPipeStream> stream;
    try {
      stream = std::make_unique<NamedPipeStream>(loop, pipe, name, side, options);
    } catch (const std::bad_alloc&) {
      uv_close(reinterpret_cast<uv_handle_t*>(made.release()),
               [](uv_handle_t* closed) { delete reinterpret_cast<uv_pipe_t*>(closed); });
      return nullptr;
    }
    static_cast<void>(made.release());  // the stream has it
    return stream;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

/// A pipe that is served. Some instances of it wait for clients; one that got its client waits to be
/// accepted.
class NamedPipeListener final : public ListenerBackend {
 public:
  NamedPipeListener(LoopImpl& loop, const Address& name, const StreamOptions& accepted)
      : server_(new Server{.loop = &loop, .listener = this}), name_(name), accepted_(accepted) {
    uv_pipe_init(loop.uv(), &server_->pipe, 0);
    server_->pipe.data = server_;
    uv_unref(reinterpret_cast<uv_handle_t*>(&server_->pipe));
  }
  ~NamedPipeListener() override {
    server_->listener = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&server_->pipe),
             [](uv_handle_t* closed) { delete static_cast<Server*>(closed->data); });
  }

  int open(int backlog) noexcept {
    const FullName name(name_);
    if (!name.is_valid()) return EINVAL;
    uv_pipe_pending_instances(&server_->pipe, std::clamp(backlog, 1, most_waiting));
    int status = uv_pipe_bind(&server_->pipe, name.text());
    // What libuv makes of a bad name. One that may not be served is EADDRINUSE.
    if (status == UV_EACCES) return EINVAL;
    if (status == 0) status = uv_listen(as_stream(&server_->pipe), backlog, on_connection);
    return errno_of(status);
  }

  void attach(ListenerEvents& events) noexcept override { events_ = &events; }
  int try_accept(std::unique_ptr<StreamBackend>& stream) noexcept override {
    if (waiting_ == 0) return EAGAIN;
    uv_pipe_t* pipe = nullptr;
    auto made = make_stream(*server_->loop, name_, NamedPipeStream::Side::server, accepted_, pipe);
    if (made == nullptr) return ENOMEM;
    --waiting_;
    if (uv_accept(as_stream(&server_->pipe), as_stream(pipe)) != 0) return ECONNABORTED;
    stream = std::move(made);
    return 0;
  }
  Readiness want_acceptable() noexcept override {
    if (waiting_ != 0) return Readiness::now;
    wants_ = true;
    return Readiness::later;
  }
  [[nodiscard]] Address local_address() const noexcept override { return name_; }

 private:
  /// What libuv's callbacks refer to, until the handle is closed.
  struct Server {
    uv_pipe_t pipe{};
    LoopImpl* loop;
    NamedPipeListener* listener;
  };

  static void on_connection(uv_stream_t* handle, int /*status: always 0*/) {
    auto* const server = static_cast<Server*>(handle->data);
    LoopImpl& loop = *server->loop;
    loop.enter();
    if (NamedPipeListener* const self = server->listener; self != nullptr) {
      ++self->waiting_;
      if (std::exchange(self->wants_, false)) self->events_->on_acceptable();
    }
    loop.drain();
  }

  Server* server_;  // deleted when libuv has closed its handle
  Address name_;
  StreamOptions accepted_;
  ListenerEvents* events_ = nullptr;
  unsigned waiting_ = 0;
  bool wants_ = false;
};

}  // namespace

int connect_named_pipe(LoopImpl& loop, const Address& address, const StreamOptions& options,
                       std::unique_ptr<StreamBackend>& stream) noexcept {
  const FullName name(address);
  if (!name.is_valid()) return EINVAL;
  int err = 0;
  UniqueFd fd = open_pipe(name, err);
  if (err != 0) return err;
  uv_pipe_t* pipe = nullptr;
  auto made = make_stream(loop, address, NamedPipeStream::Side::client, options, pipe);
  if (made == nullptr) return ENOMEM;
  const int status = uv_pipe_open(pipe, fd.get());
  if (status != 0) return errno_of(status);
  static_cast<void>(fd.release());  // libuv has it
  stream = std::move(made);
  return 0;
}

int serve_named_pipe(LoopImpl& loop, const Address& address, const ListenerOptions& options,
                     std::unique_ptr<ListenerBackend>& listener) noexcept {
  if (loop.is_closed()) return ECANCELED;
  loop.notice_fork();
  try {
    auto made = std::make_unique<NamedPipeListener>(loop, address, options.stream);
    const int err = made->open(options.backlog);
    if (err == 0) listener = std::move(made);
    return err;
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
}

}  // namespace tsock::inline v0::detail

// The declarations below must be the plain ones, not the checking inline functions.
#undef _FORTIFY_SOURCE

#include "support/syscall_injector.hpp"

#include <dlfcn.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <ostream>
#include <utility>

namespace tsock::test {

namespace {

thread_local FailNthCall* failing_call = nullptr;
thread_local FailEveryCall* failing_calls = nullptr;
thread_local ShortTransfers* short_transfers = nullptr;
thread_local FailNthAllocation* failing_allocation = nullptr;
thread_local WatchedTransfers* watched_transfers = nullptr;
thread_local LateAcknowledgement* late_acknowledgement = nullptr;
thread_local SubstituteKernel* substitute_kernel = nullptr;
std::atomic<std::size_t> bad_close_count{0};

/// What the substitute does with a call; nothing where there is none, or where it calls itself.
template <class Call>
auto substituted(Call call) -> decltype(call(*substitute_kernel)) {
  SubstituteKernel* const kernel = std::exchange(substitute_kernel, nullptr);
  if (kernel == nullptr) return {};
  auto result = call(*kernel);
  substitute_kernel = kernel;
  return result;
}

// The errno value with which the call has to fail, or 0.
int injected(SystemCall call) noexcept {
  if (failing_calls != nullptr) {
    if (const int error = failing_calls->next(call); error != 0) return error;
  }
  return failing_call != nullptr ? failing_call->next(call) : 0;
}

int watched(TransferCall call, unsigned messages, bool ancillary) noexcept {
  return watched_transfers != nullptr ? watched_transfers->next({call, messages, ancillary}) : 0;
}

int injected_transfer(SystemCall call) noexcept {
  if (const int error = injected(call); error != 0) return error;
  return short_transfers != nullptr ? short_transfers->next() : 0;
}

std::size_t limited(std::size_t bytes) noexcept {
  return short_transfers != nullptr ? std::min(bytes, short_transfers->bytes()) : bytes;
}

constexpr std::size_t most_vectors = 1024;

/// The front of a list of vectors, cut to what may be moved.
class LimitedVectors {
 public:
  LimitedVectors(const ::iovec* list, std::size_t count) noexcept {
    std::size_t room = short_transfers->bytes();
    for (std::size_t i = 0; i < count && i < vectors_.size() && room != 0; ++i) {
      vectors_[count_] = list[i];
      vectors_[count_].iov_len = std::min(vectors_[count_].iov_len, room);
      room -= vectors_[count_].iov_len;
      ++count_;
    }
  }
  [[nodiscard]] ::iovec* data() noexcept { return vectors_.data(); }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }

 private:
  std::array<::iovec, most_vectors> vectors_;
  std::size_t count_ = 0;
};

/// The next definition of a function in the order in which the loader looks: a sanitizer's, or libc's. No
/// static local: its guard is a call into a runtime that may not be ready when the first calls come.
template <class Function>
class Next {
 public:
  constexpr explicit Next(const char* name) noexcept : name_(name) {}
  template <class... Args>
  auto operator()(Args... args) noexcept {
    Function* function = function_.load(std::memory_order_relaxed);
    if (function == nullptr) {
      function = reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name_));
      if (function == nullptr) std::abort();
      function_.store(function, std::memory_order_relaxed);
    }
    return function(args...);
  }

 private:
  const char* name_;
  std::atomic<Function*> function_{nullptr};
};

using AddressCall = int(int, const ::sockaddr*, socklen_t);

constinit Next<int(int, int, int)> next_socket("socket");
constinit Next<int(int, int, int, int*)> next_socketpair("socketpair");
constinit Next<int(int, ::sockaddr*, socklen_t*)> next_accept("accept");
constinit Next<int(int, ::sockaddr*, socklen_t*, int)> next_accept4("accept4");
constinit Next<AddressCall> next_connect("connect");
constinit Next<AddressCall> next_bind("bind");
constinit Next<int(int, int)> next_listen("listen");
constinit Next<ssize_t(int, void*, std::size_t, int)> next_recv("recv");
constinit Next<ssize_t(int, const ::iovec*, int)> next_readv("readv");
constinit Next<ssize_t(int, ::msghdr*, int)> next_recvmsg("recvmsg");
constinit Next<ssize_t(int, const void*, std::size_t, int)> next_send("send");
constinit Next<ssize_t(int, const ::msghdr*, int)> next_sendmsg("sendmsg");
constinit Next<int(int, ::mmsghdr*, unsigned, int, ::timespec*)> next_recvmmsg("recvmmsg");
constinit Next<int(int, ::mmsghdr*, unsigned, int)> next_sendmmsg("sendmmsg");
constinit Next<int(int, int, int, void*, socklen_t*)> next_getsockopt("getsockopt");
constinit Next<int(int, int, int, const void*, socklen_t)> next_setsockopt("setsockopt");
constinit Next<int(int, unsigned long, ...)> next_ioctl("ioctl");
constinit Next<int(int, int, ...)> next_fcntl("fcntl");
constinit Next<int(int, int, ...)> next_fcntl64("fcntl64");
constinit Next<int(int, int)> next_shutdown("shutdown");
constinit Next<int(int, int, int, ::epoll_event*)> next_epoll_ctl("epoll_ctl");
constinit Next<int(int)> next_epoll_create1("epoll_create1");
constinit Next<int(int)> next_close("close");

int fail(int error) noexcept {
  errno = error;
  return -1;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, SystemCall call) {
  static constexpr std::array names = {"socket", "socketpair", "accept",   "connect",    "bind",
                                       "listen", "receive",    "send",     "getsockopt", "setsockopt",
                                       "ioctl",  "fcntl",      "shutdown", "epoll_ctl",  "epoll_create"};
  return out << names.at(static_cast<std::size_t>(call));
}

std::span<const int> errors_of(SystemCall call) noexcept {
  static constexpr std::array socket = {EMFILE, ENOMEM, ENOBUFS};
  static constexpr std::array accept = {EMFILE, ENOMEM, ENOBUFS, EINTR, EAGAIN, ECONNABORTED};
  static constexpr std::array connect = {ECONNREFUSED, ENOMEM, EAGAIN, EINTR};
  static constexpr std::array bind = {EACCES, ENOMEM};
  static constexpr std::array listen = {EADDRINUSE};
  static constexpr std::array transfer = {ECONNRESET, ENOMEM, ENOBUFS, EINTR, EAGAIN};
  static constexpr std::array option = {ENOMEM, ENOBUFS};
  static constexpr std::array control = {ENOMEM};
  static constexpr std::array descriptor = {EMFILE};
  static constexpr std::array shutdown = {ENOBUFS, ENOTCONN};
  static constexpr std::array epoll = {ENOMEM, ENOSPC};
  static_assert(accept.size() == most_errors);
  switch (call) {
    case SystemCall::socket:
      return socket;
    case SystemCall::accept:
      return accept;
    case SystemCall::connect:
      return connect;
    case SystemCall::bind:
      return bind;
    case SystemCall::listen:
      return listen;
    case SystemCall::receive:
    case SystemCall::send:
      return transfer;
    case SystemCall::getsockopt:
    case SystemCall::setsockopt:
      return option;
    case SystemCall::ioctl:
      return control;
    case SystemCall::socketpair:
    case SystemCall::fcntl:
    case SystemCall::epoll_create:
      return descriptor;
    case SystemCall::shutdown:
      return shutdown;
    case SystemCall::epoll_ctl:
      return epoll;
  }
  return {};
}

bool is_transient(SystemCall call, int error) noexcept {
  if (error == EINTR) return true;
  if (error == ENOBUFS && (call == SystemCall::receive || call == SystemCall::send)) return true;
  return call == SystemCall::accept ? error == EAGAIN || error == ECONNABORTED
                                    : call != SystemCall::connect && error == EAGAIN;
}

FailNthCall::FailNthCall(std::size_t n, std::size_t which) noexcept : left_(n), which_(which) {
  failing_call = this;
}

FailNthCall::~FailNthCall() { failing_call = nullptr; }

FailEveryCall::FailEveryCall(SystemCall call, int error, unsigned most) noexcept
    : call_(call), error_(error), most_(most) {
  failing_calls = this;
}

LateAcknowledgement::LateAcknowledgement(int bytes) noexcept : bytes_(bytes) { late_acknowledgement = this; }

LateAcknowledgement::~LateAcknowledgement() { late_acknowledgement = nullptr; }

FailEveryCall::~FailEveryCall() { failing_calls = nullptr; }

int FailEveryCall::next(SystemCall call) noexcept {
  if (call != call_ || calls_ == most_) return 0;
  ++calls_;
  return error_;
}

int FailNthCall::next(SystemCall call) noexcept {
  const std::span<const int> errors = errors_of(call);
  if (injected_ || which_ >= errors.size()) return 0;
  if (left_ != 0) {
    --left_;
    return 0;
  }
  injected_ = true;
  call_ = call;
  error_ = errors[which_];
  return error_;
}

ShortTransfers::ShortTransfers(std::size_t bytes, unsigned every, int error) noexcept
    : bytes_(bytes), every_(every), error_(error) {
  short_transfers = this;
}

ShortTransfers::~ShortTransfers() { short_transfers = nullptr; }

int ShortTransfers::next() noexcept { return error_ != 0 && ++calls_ % every_ == 0 ? error_ : 0; }

WatchedTransfers::WatchedTransfers(Answer answer) : answer_(std::move(answer)) { watched_transfers = this; }

WatchedTransfers::~WatchedTransfers() { watched_transfers = nullptr; }

int WatchedTransfers::next(const Transfer& transfer) {
  list_.push_back(transfer);
  return answer_ ? answer_(transfer) : 0;
}

std::vector<Transfer> WatchedTransfers::take(std::initializer_list<TransferCall> calls) {
  std::vector<Transfer> result;
  for (const Transfer& transfer : std::exchange(list_, {})) {
    if (std::find(calls.begin(), calls.end(), transfer.call) != calls.end()) result.push_back(transfer);
  }
  return result;
}

SubstituteKernel::SubstituteKernel() noexcept { substitute_kernel = this; }

SubstituteKernel::~SubstituteKernel() { substitute_kernel = nullptr; }

FailNthAllocation::FailNthAllocation(std::size_t n) noexcept : left_(n) { failing_allocation = this; }

FailNthAllocation::~FailNthAllocation() { failing_allocation = nullptr; }

bool FailNthAllocation::next() noexcept {
  if (injected_) return false;
  if (left_ != 0) {
    --left_;
    return false;
  }
  injected_ = true;
  return true;
}

std::size_t bad_closes() noexcept { return bad_close_count.load(); }

std::size_t open_descriptor_count() {
  const std::filesystem::directory_iterator list("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(list), end(list))) - 1;
}

namespace {

void* allocate(std::size_t size) noexcept {
  if (failing_allocation != nullptr && failing_allocation->next()) return nullptr;
  return std::malloc(size != 0 ? size : 1);
}

// `size` is a multiple of the alignment, as it is for types.
void* allocate_aligned(std::size_t size, std::align_val_t alignment) noexcept {
  if (failing_allocation != nullptr && failing_allocation->next()) return nullptr;
  return std::aligned_alloc(static_cast<std::size_t>(alignment), size);
}

}  // namespace

}  // namespace tsock::test

// ---- in libc's place ----

using namespace tsock::test;

extern "C" {

int socket(int domain, int type, int protocol) noexcept {
  if (const int error = injected(SystemCall::socket); error != 0) return fail(error);
  return next_socket(domain, type, protocol);
}

int socketpair(int domain, int type, int protocol, int fds[2]) noexcept {
  if (const int error = injected(SystemCall::socketpair); error != 0) return fail(error);
  return next_socketpair(domain, type, protocol, fds);
}

int accept(int fd, sockaddr* address, socklen_t* size) {
  if (const int error = injected(SystemCall::accept); error != 0) return fail(error);
  return next_accept(fd, address, size);
}

int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  if (const int error = injected(SystemCall::accept); error != 0) return fail(error);
  return next_accept4(fd, address, size, flags);
}

int connect(int fd, const sockaddr* address, socklen_t size) {
  const int error = injected(SystemCall::connect);
  // An interrupted connect goes on by itself.
  if (error != 0 && error != EINTR) return fail(error);
  const int result = next_connect(fd, address, size);
  return error != 0 && (result == 0 || errno == EINPROGRESS) ? fail(error) : result;
}

int bind(int fd, const sockaddr* address, socklen_t size) noexcept {
  if (const int error = injected(SystemCall::bind); error != 0) return fail(error);
  return next_bind(fd, address, size);
}

int listen(int fd, int backlog) noexcept {
  if (const int error = injected(SystemCall::listen); error != 0) return fail(error);
  return next_listen(fd, backlog);
}

ssize_t recv(int fd, void* buffer, size_t size, int flags) {
  if (const int error = injected_transfer(SystemCall::receive); error != 0) return fail(error);
  return next_recv(fd, buffer, limited(size), flags);
}

ssize_t readv(int fd, const iovec* vectors, int count) {
  if (const int error = injected_transfer(SystemCall::receive); error != 0) return fail(error);
  if (short_transfers == nullptr) return next_readv(fd, vectors, count);
  LimitedVectors front(vectors, static_cast<std::size_t>(count));
  return next_readv(fd, front.data(), static_cast<int>(front.size()));
}

ssize_t recvmsg(int fd, msghdr* message, int flags) {
  if (const int error = watched(TransferCall::recvmsg, 1, message->msg_control != nullptr); error != 0)
    return fail(error);
  if (const int error = injected_transfer(SystemCall::receive); error != 0) return fail(error);
  if (short_transfers == nullptr) return next_recvmsg(fd, message, flags);
  LimitedVectors front(message->msg_iov, message->msg_iovlen);
  iovec* const vectors = std::exchange(message->msg_iov, front.data());
  const auto count = std::exchange(message->msg_iovlen, front.size());
  const ssize_t got = next_recvmsg(fd, message, flags);
  message->msg_iov = vectors;
  message->msg_iovlen = count;
  return got;
}

ssize_t send(int fd, const void* buffer, size_t size, int flags) {
  if (const int error = injected_transfer(SystemCall::send); error != 0) return fail(error);
  iovec vector{const_cast<void*>(buffer), limited(size)};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  if (const auto sent = substituted([&](auto& kernel) { return kernel.sendmsg(fd, message, flags); }))
    return *sent;
  return next_send(fd, buffer, limited(size), flags);
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  if (const int error = watched(TransferCall::sendmsg, 1, message->msg_control != nullptr); error != 0)
    return fail(error);
  if (const int error = injected_transfer(SystemCall::send); error != 0) return fail(error);
  const auto pass_on = [fd, flags](const msghdr& passed) {
    const auto sent = substituted([&](auto& kernel) { return kernel.sendmsg(fd, passed, flags); });
    return sent ? *sent : next_sendmsg(fd, &passed, flags);
  };
  if (short_transfers == nullptr) return pass_on(*message);
  LimitedVectors front(message->msg_iov, message->msg_iovlen);
  msghdr shorter = *message;
  shorter.msg_iov = front.data();
  shorter.msg_iovlen = front.size();
  return pass_on(shorter);
}

int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  const bool ancillary = count != 0 && messages->msg_hdr.msg_control != nullptr;
  if (const int error = watched(TransferCall::recvmmsg, count, ancillary); error != 0) return fail(error);
  if (const int error = injected(SystemCall::receive); error != 0) return fail(error);
  return next_recvmmsg(fd, messages, count, flags, timeout);
}

int sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) {
  const bool ancillary = count != 0 && messages->msg_hdr.msg_control != nullptr;
  if (const int error = watched(TransferCall::sendmmsg, count, ancillary); error != 0) return fail(error);
  if (const int error = injected(SystemCall::send); error != 0) return fail(error);
  return next_sendmmsg(fd, messages, count, flags);
}

int getsockopt(int fd, int level, int name, void* value, socklen_t* size) noexcept {
  if (const int error = injected(SystemCall::getsockopt); error != 0) return fail(error);
  return next_getsockopt(fd, level, name, value, size);
}

int setsockopt(int fd, int level, int name, const void* value, socklen_t size) noexcept {
  if (const int error = injected(SystemCall::setsockopt); error != 0) return fail(error);
  const std::span bytes(static_cast<const std::byte*>(value), size);
  if (const auto done = substituted([&](auto& kernel) { return kernel.setsockopt(fd, level, name, bytes); }))
    return *done;
  return next_setsockopt(fd, level, name, value, size);
}

// The third argument of these is an int, a pointer or missing; a pointer's register holds all of them.
int ioctl(int fd, unsigned long request, ...) noexcept {
  std::va_list list;
  va_start(list, request);
  void* const argument = va_arg(list, void*);
  va_end(list);
  if (const int error = injected(SystemCall::ioctl); error != 0) return fail(error);
  if (late_acknowledgement != nullptr && request == SIOCOUTQ) {
    *static_cast<int*>(argument) = late_acknowledgement->tell();
    return 0;
  }
  return next_ioctl(fd, request, argument);
}

int fcntl(int fd, int command, ...) {
  std::va_list list;
  va_start(list, command);
  void* const argument = va_arg(list, void*);
  va_end(list);
  if (const int error = injected(SystemCall::fcntl); error != 0) return fail(error);
  return next_fcntl(fd, command, argument);
}

int fcntl64(int fd, int command, ...) {
  std::va_list list;
  va_start(list, command);
  void* const argument = va_arg(list, void*);
  va_end(list);
  if (const int error = injected(SystemCall::fcntl); error != 0) return fail(error);
  return next_fcntl64(fd, command, argument);
}

int shutdown(int fd, int how) noexcept {
  if (const int error = injected(SystemCall::shutdown); error != 0) return fail(error);
  return next_shutdown(fd, how);
}

// Not here: eventfd(), without which uv_loop_init of libuv 1.44 fails but leaves its epoll descriptor open.

// Not of libuv, which aborts when it is refused a descriptor, but for the try with which uv_poll_init finds
// out whether that can be polled: then it has -1 for the data, and else the descriptor.
int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  if (operation == EPOLL_CTL_ADD && event->data.fd != fd) {
    if (const int error = injected(SystemCall::epoll_ctl); error != 0) return fail(error);
  }
  return next_epoll_ctl(epoll, operation, fd, event);
}

int epoll_create1(int flags) noexcept {
  if (const int error = injected(SystemCall::epoll_create); error != 0) return fail(error);
  return next_epoll_create1(flags);
}

int close(int fd) {
  if (substitute_kernel != nullptr) substitute_kernel->forget(fd);
  const int result = next_close(fd);
  if (result != 0 && errno == EBADF) bad_close_count.fetch_add(1, std::memory_order_relaxed);
  return result;
}

}  // extern "C"

// ---- in the place of operator new; the forms for arrays and without exceptions come through here, see
// [new.delete]

void* operator new(std::size_t size) {
  void* const memory = allocate(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  void* const memory = allocate_aligned(size, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new[](std::size_t size) { return ::operator new(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

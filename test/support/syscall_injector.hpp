#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <limits>
#include <optional>
#include <span>
#include <vector>

// A program that uses one of these classes has functions of its own in the place of libc's socket calls and
// of operator new. They pass every call on, unless an injection of the calling thread says otherwise.

namespace tsock::test {

/// The calls that can be made to fail. Of a family of calls one name stands for all.
enum class SystemCall : std::uint8_t {
  socket,
  socketpair,
  accept,
  connect,
  bind,
  listen,
  receive,
  send,
  getsockopt,
  setsockopt,
  ioctl,
  fcntl,
  shutdown,
  epoll_ctl,
  epoll_create,
};
std::ostream& operator<<(std::ostream& out, SystemCall call);

/// The errno values that a call is made to fail with.
[[nodiscard]] std::span<const int> errors_of(SystemCall call) noexcept;
/// Whether the call is worth another try after this error, so that nobody has to hear of it.
[[nodiscard]] bool is_transient(SystemCall call, int error) noexcept;

/// The most errno values that a call has.
inline constexpr std::size_t most_errors = 6;

/// While it lives, the n-th call (from 0) of this thread fails with the errno value that `errors_of()` has at
/// `which`. Calls that have none there do not count.
class FailNthCall {
 public:
  FailNthCall(std::size_t n, std::size_t which) noexcept;
  FailNthCall(const FailNthCall&) = delete;
  FailNthCall& operator=(const FailNthCall&) = delete;
  ~FailNthCall();

  [[nodiscard]] bool was_injected() const noexcept { return injected_; }
  /// What failed, once something did.
  [[nodiscard]] SystemCall call() const noexcept { return call_; }
  [[nodiscard]] int error() const noexcept { return error_; }

  /// For the functions in libc's place. \return an errno value, or 0.
  int next(SystemCall call) noexcept;

 private:
  std::size_t left_;
  std::size_t which_;
  bool injected_ = false;
  SystemCall call_{};
  int error_ = 0;
};

/// While it lives, every such call of this thread fails with that errno value, or the first ones only.
class FailEveryCall {
 public:
  FailEveryCall(SystemCall call, int error, unsigned most = std::numeric_limits<unsigned>::max()) noexcept;
  FailEveryCall(const FailEveryCall&) = delete;
  FailEveryCall& operator=(const FailEveryCall&) = delete;
  ~FailEveryCall();

  /// How often it has failed.
  [[nodiscard]] unsigned calls() const noexcept { return calls_; }

  /// For the functions in libc's place. \return an errno value, or 0.
  int next(SystemCall call) noexcept;

 private:
  SystemCall call_;
  int error_;
  unsigned most_;
  unsigned calls_ = 0;
};

/// While it lives, receiving and sending calls of this thread move at most `bytes` each, and every `every`-th
/// of them fails with `error` first (0: none does).
class ShortTransfers {
 public:
  ShortTransfers(std::size_t bytes, unsigned every, int error) noexcept;
  ShortTransfers(const ShortTransfers&) = delete;
  ShortTransfers& operator=(const ShortTransfers&) = delete;
  ~ShortTransfers();

  /// For the functions in libc's place.
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  int next() noexcept;

 private:
  std::size_t bytes_;
  unsigned every_;
  int error_;
  unsigned calls_ = 0;
};

/// While it lives, this thread's kernel says that the peer of every socket has not acknowledged so many
/// bytes.
class LateAcknowledgement {
 public:
  explicit LateAcknowledgement(int bytes) noexcept;
  LateAcknowledgement(const LateAcknowledgement&) = delete;
  LateAcknowledgement& operator=(const LateAcknowledgement&) = delete;
  ~LateAcknowledgement();

  /// All of it has been acknowledged.
  void acknowledge() noexcept { bytes_ = 0; }
  /// How often somebody has asked.
  [[nodiscard]] unsigned asked() const noexcept { return asked_; }

  /// For the functions in libc's place.
  int tell() noexcept {
    ++asked_;
    return bytes_;
  }

 private:
  int bytes_;
  unsigned asked_ = 0;
};

/// The calls that move whole messages.
enum class TransferCall : std::uint8_t { recvmsg, recvmmsg, sendmsg, sendmmsg };

/// One of them.
struct Transfer {
  TransferCall call;
  unsigned messages;  // that it may move
  bool ancillary;     // whether the first of them has a control buffer
};

/// While it lives, it lists those calls of this thread, and lets them fail as it is told.
class WatchedTransfers {
 public:
  /// Gives an errno value with which the call fails, or 0.
  using Answer = std::function<int(const Transfer&)>;

  explicit WatchedTransfers(Answer answer = nullptr);
  WatchedTransfers(const WatchedTransfers&) = delete;
  WatchedTransfers& operator=(const WatchedTransfers&) = delete;
  ~WatchedTransfers();

  /// The calls of these kinds since the last time; all are forgotten.
  std::vector<Transfer> take(std::initializer_list<TransferCall> calls);
  std::vector<Transfer> take_sends() { return take({TransferCall::sendmsg, TransferCall::sendmmsg}); }
  std::vector<Transfer> take_receives() { return take({TransferCall::recvmsg, TransferCall::recvmmsg}); }

  /// For the functions in libc's place.
  int next(const Transfer& transfer);

 private:
  Answer answer_;
  std::vector<Transfer> list_;
};

/// While it lives, socket calls of this thread are its own; what it calls itself are the kernel's.
class SubstituteKernel {
 public:
  SubstituteKernel() noexcept;
  SubstituteKernel(const SubstituteKernel&) = delete;
  SubstituteKernel& operator=(const SubstituteKernel&) = delete;

  // As the calls of these names, for the functions in libc's place; nothing: the call is the kernel's.
  virtual std::optional<int> setsockopt(int fd, int level, int name, std::span<const std::byte> value) = 0;
  virtual std::optional<ssize_t> sendmsg(int fd, const ::msghdr& message, int flags) = 0;
  /// The descriptor is about to be closed.
  virtual void forget(int fd) noexcept = 0;

 protected:
  ~SubstituteKernel();
};

/// While it lives, the n-th allocation (from 0) by operator new of this thread fails.
class FailNthAllocation {
 public:
  explicit FailNthAllocation(std::size_t n) noexcept;
  FailNthAllocation(const FailNthAllocation&) = delete;
  FailNthAllocation& operator=(const FailNthAllocation&) = delete;
  ~FailNthAllocation();

  [[nodiscard]] bool was_injected() const noexcept { return injected_; }
  /// For operator new. \return whether to fail.
  bool next() noexcept;

 private:
  std::size_t left_;
  bool injected_ = false;
};

/// Calls of close() with a descriptor that was not open, by this process since it started.
[[nodiscard]] std::size_t bad_closes() noexcept;
/// Descriptors that are open.
[[nodiscard]] std::size_t open_descriptor_count();

}  // namespace tsock::test

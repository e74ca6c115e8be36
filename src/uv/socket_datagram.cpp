#include "uv/socket_datagram.hpp"

#include <cerrno>
#include <chrono>
#include <memory>
#include <new>
#include <tsock/datagram.hpp>
#include <tsock/loop.hpp>
#include <utility>

#include "uv/bind_unix.hpp"
#include "uv/loop_impl.hpp"
#include "uv/os/datagram_socket.hpp"

namespace tsock::inline v0 {

namespace detail {

namespace {

constexpr std::chrono::milliseconds full_peer_retry{2};

}  // namespace

std::unique_ptr<SocketDatagram> SocketDatagram::make(LoopImpl& loop, UniqueSocket&& socket, int family,
                                                     const DatagramOptions& options, bool adopted) {
  void* const block = loop.allocate(sizeof(SocketDatagram));
  return std::unique_ptr<SocketDatagram>(
      ::new (block) SocketDatagram(loop, std::move(socket), family, options, adopted));
}

void SocketDatagram::operator delete(SocketDatagram* socket, std::destroying_delete_t) noexcept {
  LoopImpl& loop = socket->loop_impl();
  socket->~SocketDatagram();
  loop.deallocate(static_cast<void*>(socket), sizeof(SocketDatagram));
}

SocketDatagram::SocketDatagram(LoopImpl& loop, UniqueSocket&& socket, int family,
                               const DatagramOptions& options, bool adopted) noexcept
    : FdWatcher(loop),
      socket_(std::move(socket)),
      family_(family),
      info_(options.receive_info),
      calls_(os::datagram_calls(socket_.get(), family, options, adopted)) {}

SocketDatagram::~SocketDatagram() { close(); }

// Closes the watcher first: the number of a descriptor that was closed under it may be in use again.
void SocketDatagram::close() noexcept {
  retry_ = Request<void>();
  stop_watching();
  // Removed before the socket is closed: until then no other file has the same identity.
  if (file_) file_->remove();
  file_.reset();
  if (was_blocking_ && socket_) os::make_blocking(socket_.get());
  socket_.reset();
}

UniqueSocket SocketDatagram::release_socket() noexcept {
  stop_watching();
  if (was_blocking_) os::make_blocking(socket_.get());
  return std::move(socket_);
}

std::size_t SocketDatagram::try_receive(std::span<DatagramSlot> slots, int& err) noexcept {
  if (is_unix()) {
    // Only UDP has an upper limit: finds out how large the next datagram is, and receives that one alone.
    const std::size_t common = slots[0].room[0].iov_len + slots[0].room[1].iov_len;
    const std::size_t size = os::next_datagram_size(socket_.get(), err);
    if (err != 0) return 0;
    if (size > common) {
      if (!reserve_spill(size - common)) {
        err = ENOMEM;
        return 0;
      }
      slots[0].room[2] = make_vector(std::span(spill_));
    } else if (!spill_.empty()) {
      spill_ = {};
    }
    slots = slots.first(1);
  }
  const std::size_t count = os::receive_datagrams(socket_.get(), slots, calls_, err);
  if (count == 0) take_queued_error(err);
  return count;
}

bool SocketDatagram::reserve_spill(std::size_t size) noexcept {
  try {
    spill_.resize(size);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

// The error queue keeps the socket in its error state until it is empty, even after the error was reported.
// If a batch call has swallowed the error, report it now.
void SocketDatagram::take_queued_error(int& err) noexcept {
  if (is_unix() || (err == EAGAIN ? !error_event_ : !calls_.error_queue)) return;
  error_event_ = false;
  const int queued = os::drain_error_queue(socket_.get());
  if (err == EAGAIN && queued != 0) err = queued;
}

std::size_t SocketDatagram::try_send(std::span<const DatagramMessage> messages, int& err) noexcept {
  std::span<std::byte> scratch;
  if (messages.size() > 1 && calls_.largest_segment != 0) scratch = loop_impl().leases().send_buffer();
  std::size_t sent = os::send_datagrams(socket_.get(), messages, calls_, scratch, err);
  if (sent == 0 && err == EMSGSIZE && is_unix()) {
    std::size_t size = 0;
    for (const iovec& vector : messages[0].vectors) size += vector.iov_len;
    if (os::grow_send_buffer(socket_.get(), size))
      sent = os::send_datagrams(socket_.get(), messages, calls_, scratch, err);
  }
  // Here ENOTCONN means a socket that was closed. The kernel means one that has no receiver, or has lost it.
  if (sent == 0 && err == ENOTCONN) err = connected_ ? ECONNREFUSED : EDESTADDRREQ;
  if (sent == 0) {
    take_queued_error(err);
    blocked_by_destination_ = messages[0].destination != nullptr;
  }
  return sent;
}

int SocketDatagram::try_disconnect() noexcept {
  close();
  return 0;
}

// A late error was taken from the kernel already, so that no event will come for it.
Readiness SocketDatagram::want_readable() noexcept {
  return calls_.late_error != 0 ? Readiness::now : await_readable();
}

Readiness SocketDatagram::want_writable() noexcept {
  // For a unix socket, the kernel reports only whether the connected receiver has room, not another one.
  if (is_unix() && (!connected_ || blocked_by_destination_)) {
    try {
      retry_ = loop_impl().loop().sleep(full_peer_retry);
      retry_.set_callback([this](Request<void>&) { events_->on_writable(); });
      return Readiness::later;
    } catch (const std::bad_alloc&) {
      retry_ = Request<void>();
    }
  }
  return await_writable();
}

void SocketDatagram::on_fd_event(FdEvent event) {
  error_event_ = event.failed;
  if (event.writable) events_->on_writable();
  if (event.readable && socket_) events_->on_readable();
}

int SocketDatagram::check_destination(const Address& destination) const noexcept {
  return destination.family() == family_ ? 0 : EINVAL;
}

int SocketDatagram::check_from(const SendFrom& from, const Address& destination) const noexcept {
  if (is_unix()) return ENOTSUP;
  const Address address = from.address();
  if (!from.is_valid() || (!address.is_empty() && address.family() != family_)) return EINVAL;
  const bool differs =
      !destination.is_empty() && !address.is_empty() && destination.is_v4_mapped() != address.is_v4_mapped();
  return differs ? EINVAL : 0;
}

std::uint64_t SocketDatagram::dropped() const noexcept { return os::dropped_datagrams(socket_.get()); }

int SocketDatagram::join(const Address& group, unsigned interface_index, const Address& source) noexcept {
  if (group.family() != family_) return EINVAL;
  return os::join_multicast(socket_.get(), group, interface_index, source, true);
}

int SocketDatagram::leave(const Address& group, unsigned interface_index, const Address& source) noexcept {
  if (group.family() != family_) return EINVAL;
  return os::join_multicast(socket_.get(), group, interface_index, source, false);
}

namespace {

// On failure the socket stays in `socket` and its file in `file`.
Datagram wrap_socket(Loop& loop, UniqueSocket& socket, std::optional<os::SocketFile>& file, bool connected,
                     bool adopted, const DatagramOptions& options, int& err, bool was_blocking = false) {
  const int family = os::local_address(socket.get()).family();
  std::unique_ptr<SocketDatagram> owner;
  try {
    owner = SocketDatagram::make(impl_of(loop.core()), std::move(socket), family, options, adopted);
  } catch (const std::bad_alloc&) {
    err = ENOMEM;
    return {};
  }
  owner->set_was_blocking(was_blocking);
  if (connected) owner->set_connected();
  err = owner->open();
  SocketDatagram& made = *owner;
  std::unique_ptr<DatagramBackend> backend = std::move(owner);
  if (err == 0) {
    try {
      Datagram datagram(loop, std::move(backend), options);
      if (file && options.unlink_on_close) made.own_file(*std::move(file));
      return datagram;
    } catch (const std::bad_alloc&) {
      err = ENOMEM;
    }
  }
  socket = made.release_socket();  // which is still there: the constructor has taken nothing
  return {};
}

Datagram wrap_socket(Loop& loop, UniqueSocket& socket, bool connected, bool adopted,
                     const DatagramOptions& options, int& err, bool was_blocking = false) {
  std::optional<os::SocketFile> no_file;
  return wrap_socket(loop, socket, no_file, connected, adopted, options, err, was_blocking);
}

// Binds and connects a new socket. \pre both addresses fit the family
Datagram open_datagram(Loop& loop, int family, const Address& local, const Address& remote,
                       const DatagramOptions& options, int& err) {
  UniqueSocket socket = os::open_socket(family, os::SocketType::datagram, err);
  if (err == 0) err = os::apply_datagram(socket.get(), family, options, false);
  if (err != 0) return {};
  std::optional<os::SocketFile> file;
  if (!local.is_empty() && !local.is_unnamed()) {
    UnixBinding binding{.stale = options.stale_socket};
    if (local.is_unix() && !local.is_abstract())
      err = find_access(options.mode, options.group, binding.access);
    if (err == 0) {
      err = local.is_unix() ? bind_unix(socket.get(), os::SocketType::datagram, local, binding, file)
                            : os::bind(socket.get(), local);
    }
    if (err != 0) return {};
  }
  const bool connected = !remote.is_empty() && !remote.is_unnamed();
  if (connected) err = os::connect(socket.get(), remote);
  // A datagram socket waits for no peer, so that an interrupted connect has completed.
  if (err == EINPROGRESS) err = 0;
  Datagram datagram;
  if (err == 0) datagram = wrap_socket(loop, socket, file, connected, false, options, err);
  if (err != 0 && file) file->remove();
  return datagram;
}

}  // namespace

}  // namespace detail

Datagram Datagram::udp(Loop& loop, const Address& local, const Address& remote,
                       const DatagramOptions& options, int& err) {
  err = EINVAL;
  if (!local.is_inet() && !(local.is_empty() && remote.is_inet())) return {};
  if (!remote.is_empty() && !remote.is_inet()) return {};
  Address from = local;
  if (!remote.is_empty() && !from.is_empty() && from.family() != remote.family()) {
    if (!from.is_any()) return {};
    from = Address::inet_from_strings(remote.is_ipv4() ? "ipv4" : "ipv6", std::nullopt,
                                      from.port().value_or(0), err);
  }
  // The wildcard with port 0 and a remote leave the choice to the kernel.
  if (!remote.is_empty() && from.is_inet() && from.is_any() && from.port() == 0) from = Address();
  const int family = remote.is_empty() ? from.family() : remote.family();
  return detail::open_datagram(loop, family, from, remote, options, err);
}

Datagram Datagram::unix_datagram(Loop& loop, const Address& local, const Address& remote,
                                 const DatagramOptions& options, int& err) {
  err = EINVAL;
  if ((!local.is_empty() && !local.is_unix()) || (!remote.is_empty() && !remote.is_unix())) return {};
  return detail::open_datagram(loop, Address::unix_unnamed().family(), local, remote, options, err);
}

std::pair<Datagram, Datagram> Datagram::socketpair(Loop& loop, const DatagramOptions& options, int& err) {
  UniqueSocket first;
  UniqueSocket second;
  err = os::open_pair(os::SocketType::datagram, first, second);
  for (const UniqueSocket* socket : {&first, &second}) {
    if (err == 0)
      err = os::apply_datagram(socket->get(), os::local_address(socket->get()).family(), options, true);
  }
  if (err != 0) return {};
  Datagram left = detail::wrap_socket(loop, first, true, false, options, err);
  if (err != 0) return {};
  Datagram right = detail::wrap_socket(loop, second, true, false, options, err);
  if (err != 0) return {};
  return {std::move(left), std::move(right)};
}

Datagram Datagram::adopt(Loop& loop, UniqueSocket& socket, const DatagramOptions& options, int& err) {
  os::SocketType type = os::SocketType::datagram;
  err = socket ? os::check_socket(socket.get(), type, false) : EBADF;
  bool was_blocking = false;
  if (err == 0) err = os::prepare_adopted(socket, was_blocking);
  if (err == 0)
    err = os::apply_datagram(socket.get(), os::local_address(socket.get()).family(), options, true);
  Datagram datagram;
  if (err == 0) {
    const bool connected = !os::remote_address(socket.get()).is_empty();
    datagram = detail::wrap_socket(loop, socket, connected, true, options, err, was_blocking);
  }
  if (err != 0 && was_blocking) os::make_blocking(socket.get());
  return datagram;
}

DatagramCapabilities Datagram::capabilities() noexcept { return os::datagram_capabilities(); }

}  // namespace tsock::inline v0

#include "datagram_socket.hpp"

#include <cerrno>
#include <random>
#include <string>
#include <utility>

#include "system.hpp"

namespace tsock_cat {
namespace {

Failure socket_failure(std::string what, int err) {
  Failure failure;
  failure.code = ExitCode::listen;
  failure.what = std::move(what);
  failure.err = err;
  return failure;
}

// Of the groups those of the socket's family; the command line was checked.
bool join_groups(const Options& options, tsock::Datagram& socket, Failure& failure) {
  for (const MulticastGroup& group : options.groups) {
    const int err = socket.join_multicast(group.address, group.interface_index, options.multicast_source);
    if (err == 0) continue;
    failure = socket_failure("join " + group.text, err);
    return false;
  }
  return true;
}

// Broadcasts are for IPv4; the other side of a relay may be something else.
tsock::DatagramOptions socket_options(const Options& options, const tsock::Address& family_of) {
  tsock::DatagramOptions wanted = options.datagram;
  wanted.broadcast = options.datagram.broadcast && family_of.is_ipv4();
  return wanted;
}

// What a burst needs until it is read; the system allows as much as it wants to (net.core.rmem_max).
constexpr std::size_t room_for_burst = std::size_t{2} << 20;

// A name in the abstract namespace that nobody else has.
tsock::Address private_name(int& err) {
  std::random_device random;
  const std::string name =
      "tsock-cat-" + std::to_string(process_id()) + "-" + std::to_string(random()) + std::to_string(random());
  return tsock::Address::unix_abstract(name, err);
}

}  // namespace

DatagramSocket::DatagramSocket(tsock::Datagram socket, const tsock::Address& destination)
    : socket_(std::move(socket)), destination_(destination) {}

bool DatagramSocket::can_go_on_after(int err) const {
  return err == EMSGSIZE || err == ENOBUFS || (!destination_.is_empty() && is_icmp_error(err));
}

tsock::Address DatagramSocket::remote_address() const {
  return destination_.is_empty() ? socket_.remote_address() : destination_;
}

bool is_icmp_error(int err) {
  switch (err) {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
#ifdef EHOSTDOWN
    case EHOSTDOWN:
#endif
    case ENOPROTOOPT:
    case EPROTO:
    case EACCES:
      return true;
    default:
      return false;
  }
}

std::unique_ptr<DatagramEnd> open_udp(const Services& services, const tsock::Address& local,
                                      const tsock::Address& remote, Failure& failure) {
  const bool connected = !remote.is_multicast() && !services.options.datagram.broadcast;
  int err = 0;
  tsock::Address from = local;
  if (!connected && (from.is_empty() || from.is_any())) {
    from = tsock::Address::inet_from_strings(remote.is_ipv4() ? "ipv4" : "ipv6", std::nullopt,
                                             local.port().value_or(0), err);
  }
  tsock::Datagram socket = tsock::Datagram::udp(services.loop, from, connected ? remote : tsock::Address(),
                                                socket_options(services.options, remote), err);
  if (err != 0) {
    failure.code = ExitCode::connect;
    failure.err = err;
    return nullptr;
  }
  if (!join_groups(services.options, socket, failure)) return nullptr;
  return std::make_unique<DatagramSocket>(std::move(socket), connected ? tsock::Address() : remote);
}

std::unique_ptr<DatagramEnd> open_unix_datagram(const Services& services, const tsock::Address& remote,
                                                int& err) {
  const tsock::Address local = private_name(err);
  if (err != 0) return nullptr;
  tsock::Datagram socket = tsock::Datagram::unix_datagram(services.loop, local, remote,
                                                          socket_options(services.options, remote), err);
  if (err != 0) return nullptr;
  return std::make_unique<DatagramSocket>(std::move(socket));
}

tsock::Datagram bind_udp(const Services& services, const tsock::Address& local, Failure& failure) {
  int err = 0;
  tsock::DatagramOptions options = socket_options(services.options, local);
  if (local.is_ipv6() && local.is_any() && !services.options.ipv6_only) options.v6only = false;
  // Each sender is answered from the address that it sent to.
  options.receive_info = local.is_any();
  if (!options.receive_buffer) options.receive_buffer = room_for_burst;
  tsock::Datagram socket = tsock::Datagram::udp(services.loop, local, {}, options, err);
  if (err != 0) {
    failure = socket_failure({}, err);
    return {};
  }
  if (!join_groups(services.options, socket, failure)) return {};
  return socket;
}

tsock::Datagram bind_unix_datagram(const Services& services, const tsock::Address& local, int& err) {
  const tsock::ListenerOptions& wanted = services.options.listener;
  tsock::DatagramOptions options = socket_options(services.options, local);
  if (local.is_abstract()) return tsock::Datagram::unix_datagram(services.loop, local, {}, options, err);

  options.stale_socket = wanted.stale_socket;
  options.mode = wanted.mode;
  options.group = wanted.group;
  return tsock::Datagram::unix_datagram(services.loop, local, {}, options, err);
}

}  // namespace tsock_cat

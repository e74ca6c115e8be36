#include "datagram_socket.hpp"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <random>
#include <string>
#include <utility>

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

// A name in the abstract namespace that nobody else has.
tsock::Address private_name(int& err) {
  std::random_device random;
  const std::string name =
      "tsock-cat-" + std::to_string(::getpid()) + "-" + std::to_string(random()) + std::to_string(random());
  return tsock::Address::unix_abstract(name, err);
}

std::optional<gid_t> group_id(const std::string& name) {
  if (const auto number = parse_number(name, static_cast<gid_t>(-2))) return static_cast<gid_t>(*number);
  const group* const entry = ::getgrnam(name.c_str());  // NOLINT(concurrency-mt-unsafe): one thread asks
  if (entry == nullptr) return std::nullopt;
  return entry->gr_gid;
}

// Nobody but the owner can send before mode and group are right.
int set_owner(const std::string& path, const tsock::ListenerOptions& options, mode_t usual_mode) {
  if (options.group) {
    const auto id = group_id(*options.group);
    if (!id) return EINVAL;
    if (::chown(path.c_str(), static_cast<uid_t>(-1), *id) != 0) return errno;
  }
  return ::chmod(path.c_str(), options.mode ? static_cast<mode_t>(*options.mode) : usual_mode) == 0 ? 0
                                                                                                    : errno;
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
    case EHOSTDOWN:
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
  const bool has_owner = wanted.mode.has_value() || wanted.group.has_value();
  const mode_t usual_mask = has_owner ? ::umask(0177) : 0;
  tsock::Datagram socket = tsock::Datagram::unix_datagram(services.loop, local, {}, options, err);
  if (has_owner) ::umask(usual_mask);
  if (err != 0) return {};
  if (has_owner) {
    int ignored = 0;  // it is a unix address
    err = set_owner(std::string(local.unix_path(ignored)), wanted, 0777 & ~usual_mask);
  }
  if (err != 0) return {};
  return socket;
}

}  // namespace tsock_cat

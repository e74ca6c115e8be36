// Discovery: a question to a multicast group, and answers that name the interface it arrived on.
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <tsock/tsock.hpp>

int main(int argc, char** argv) {
  tsock::Loop loop;
  int err = 0;
  // An interface by its number; 1 is the loopback. The group is for a site's own use (RFC 2365).
  const unsigned interface_index = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 1;
  tsock::DatagramOptions options;
  options.reuse_address = true;  // others on this host receive the group, too
  options.receive_info = true;
  const auto group = tsock::Address::inet_from_strings("ipv4", "239.255.42.99", 0, err);
  tsock::Datagram hearer = tsock::Datagram::udp(loop, group, {}, options, err);
  if (err == 0) err = hearer.join_multicast(group, interface_index);

  options = {};
  options.multicast_interface = interface_index;
  options.multicast_ttl = 1;
  const auto anywhere = tsock::Address::inet_from_strings("ipv4", "0.0.0.0", 0, err);
  tsock::Datagram asker;
  if (err == 0) asker = tsock::Datagram::udp(loop, anywhere, hearer.local_address(), options, err);
  if (err != 0) return std::cerr << tsock::error_text(err) << '\n', 1;

  auto hearing = hearer.recv_many(16);
  hearing.set_timeout(std::chrono::seconds(5));
  auto asking = asker.sendto("who is there?");
  hearing.wait(err);
  for (const tsock::ReceivedDatagram& datagram : hearing.recv(err)) {
    const tsock::DatagramInfo* const info = datagram.info();
    std::printf("%zu bytes to %s, interface %u, ttl %d\n", datagram.size(),
                info->destination.ip_string(err).c_str(), info->interface_index.value_or(0),
                info->ttl.value_or(0));
  }
  if (err != 0) return std::cerr << tsock::error_text(err) << '\n', 1;
  return 0;
}

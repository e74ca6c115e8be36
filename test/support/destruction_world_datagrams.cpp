// What a DestructionWorld does with datagram sockets.
#include <array>
#include <utility>
#include <vector>

#include "support/destruction_world.hpp"
#include "support/destruction_world_jobs.hpp"
#include "support/loop_fixture.hpp"
#include "support/system.hpp"

namespace tsock::test {

void DestructionWorld::place(Datagram datagram) {
  Datagram old = std::exchange(any_datagram(), std::move(datagram));
  const Call call(*this);
  old = Datagram();
}

void DestructionWorld::make_memory_datagrams() {
  MemoryDatagramOptions options;
  options.seed = random_.below(1000);
  options.loss = random_.one_in(3) ? 0.2 : 0.0;
  options.duplication = random_.one_in(3) ? 0.2 : 0.0;
  options.reorder = random_.one_in(3) ? 0.3 : 0.0;
  options.queue_length = random_.between(1, 8);
  options.block_when_full = random_.one_in(2);
  options.max_size = random_.one_in(4) ? 100 : 1000000;
  auto [left, right] = memory_datagram_pair(*loop_, options);
  place(std::move(left));
  place(std::move(right));
}

void DestructionWorld::make_udp() {
  DatagramOptions options;
  options.receive_info = random_.one_in(3);
  options.icmp_errors = random_.one_in(3) && !uses_posix_alone();
  options.receive_offload = random_.one_in(3);
  options.strict_tsocket = random_.one_in(8);
  // Two that know each other; when one of them is renewed the other one sends to nobody.
  int err = 0;
  Datagram right = Datagram::udp(*loop_, loopback_v4(), {}, options, err);
  check(err == 0, "a UDP socket can be made");
  Datagram left = Datagram::udp(*loop_, loopback_v4(), right.local_address(), options, err);
  check(err == 0, "a connected UDP socket can be made");
  place(std::move(left));
  place(std::move(right));
}

void DestructionWorld::make_unix_datagrams() {
  int err = 0;
  DatagramOptions options;
  options.receive_info = random_.one_in(3);
  auto [left, right] = Datagram::socketpair(*loop_, options, err);
  check(err == 0, "a pair of datagram sockets can be made");
  place(std::move(left));
  place(std::move(right));
}

Address DestructionWorld::any_destination() {
  if (random_.one_in(2)) return {};
  return any_datagram().local_address();
}

void DestructionWorld::start_recvfrom() {
  start({}, [this](const auto&) { return any_datagram().recvfrom(); });
}

void DestructionWorld::start_recvfrom_into() {
  LooseBuffers buffers;
  const std::span<std::byte> buffer = buffers.add(random_.one_in(4) ? 6000 : random_.below(50));
  start(std::move(buffers), [&](const auto&) { return any_datagram().recvfrom(buffer); });
}

void DestructionWorld::start_recv_many() {
  start({}, [this](const auto&) { return any_datagram().recv_many(random_.below(40)); });
}

void DestructionWorld::start_sendto() {
  const Address destination = any_destination();
  start(message(), [&](const auto& vectors) { return any_datagram().sendto(vectors, destination); });
}

void DestructionWorld::start_sendto_in_queue() {
  Queue& queue = any_queue();
  const Address destination = any_destination();
  start(message(), [&](const auto& vectors) { return any_datagram().sendto(queue, vectors, destination); });
}

void DestructionWorld::start_send_many() {
  const Address destination = any_destination();
  start(message(), [&](const auto& vectors) {
    std::vector<OutgoingDatagram> list;
    for (const iovec& vector : vectors) {
      const std::span<const std::byte> bytes(static_cast<const std::byte*>(vector.iov_base), vector.iov_len);
      for (std::size_t i = random_.between(1, 30); i != 0; --i) list.push_back({bytes, destination});
    }
    return any_datagram().send_many(list);
  });
}

void DestructionWorld::start_datagram_disconnect() {
  start({}, [this](const auto&) { return any_datagram().disconnect(); });
}

void DestructionWorld::destroy_datagram() { place(Datagram()); }

void DestructionWorld::move_datagram() {
  Datagram& from = any_datagram();
  Datagram& to = any_datagram();
  if (&from == &to) return;
  Datagram old = std::exchange(to, std::move(from));
  const Call call(*this);
  old = Datagram();
}

void DestructionWorld::ask_datagram() {
  Datagram& datagram = any_datagram();
  check(datagram.is_open() || datagram.pending_datagrams() == 0, "a closed socket has nothing pending");
  static_cast<void>(datagram.dropped());
  static_cast<void>(datagram.remote_address());
  check(!datagram.is_open() || datagram.native_handle() != 0, "no socket takes a standard descriptor");
}

// Keeps or drops datagrams that callbacks received; they outlive everything.
void DestructionWorld::keep(ReceivedDatagram datagram) {
  kept_[random_.below(kept_.size())] = std::move(datagram);
}

}  // namespace tsock::test

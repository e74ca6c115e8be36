#include <cerrno>
#include <tsock/datagram.hpp>
#include <tsock/loop.hpp>
#include <utility>

#include "core/datagram/datagram_core.hpp"
#include "core/datagram/short_ways.hpp"
#include "core/loop/engine_place.hpp"
#include "core/loop/recyclable.hpp"

namespace tsock::inline v0 {

namespace {

using detail::make_recyclable;
using detail::make_state;

template <class T, class State>
Request<T> begin_receive(detail::DatagramCore* core, State* state, int err) {
  Request<T> request(state);
  if (err != 0) {
    state->finish(err);
  } else if (core == nullptr) {
    state->finish(ENOTCONN);
  } else {
    core->start_receive(*state);
  }
  return request;
}

}  // namespace

Datagram::Datagram(Loop& loop, std::unique_ptr<DatagramBackend>&& backend, const DatagramOptions& options)
    : place_(*detail::make_pooled<detail::DatagramCore>(loop.core(), loop.core(), std::move(backend),
                                                        options)) {}

Datagram::Datagram(Datagram&& other) noexcept : place_(other.place_.take()) {}

Datagram& Datagram::operator=(Datagram&& other) noexcept {
  if (this != &other) {
    auto* const old = std::exchange(place_, other.place_.take()).engine();
    if (old != nullptr) old->release_datagram();
  }
  return *this;
}

Datagram::~Datagram() {
  if (core() != nullptr) core()->release_datagram();
}

Loop* Datagram::loop_or_null() const noexcept { return place_.loop(); }

bool Datagram::is_open() const noexcept { return core() != nullptr && core()->is_open(); }

Request<ReceivedDatagram> Datagram::recvfrom(CallSite site) {
  if (detail::DatagramCore* const engine = core(); engine != nullptr) {
    if (auto* const receive = engine->begin_leased_receive(site); receive != nullptr)
      return Request<ReceivedDatagram>(receive);
  }
  detail::LoopCore* const on = place_.loop_core();
  if (on == nullptr) return {};
  return begin_receive<ReceivedDatagram>(core(), make_recyclable<detail::RecvfromState>(*on, site), 0);
}

Request<ReceivedInto> Datagram::recvfrom(std::span<std::byte> buffer, CallSite site) {
  detail::LoopCore* const on = place_.loop_core();
  if (on == nullptr) return {};
  auto* const state = make_recyclable<detail::RecvIntoState>(*on, site);
  state->set_buffer(buffer);
  return begin_receive<ReceivedInto>(core(), state, 0);
}

Request<std::vector<ReceivedDatagram>> Datagram::recv_many(std::size_t most,
                                                           std::vector<ReceivedDatagram> memory,
                                                           CallSite site) {
  detail::LoopCore* const on = place_.loop_core();
  if (on == nullptr) return {};
  auto* const state = make_state<detail::RecvManyState>(*on, site);
  memory.clear();
  state->set_room(most, std::move(memory));
  return begin_receive<std::vector<ReceivedDatagram>>(core(), state, most == 0 ? EINVAL : 0);
}

int DatagramBackend::check_from(const SendFrom& /*from*/, const Address& /*destination*/) const noexcept {
  return ENOTSUP;
}

Request<ssize_t> Datagram::start_send(Queue* queue, std::span<const iovec> vectors,
                                      const Address& destination, const SendFrom& from, CallSite site) {
  detail::QueueCore* const order = queue != nullptr ? queue->core() : nullptr;
  if (detail::DatagramCore* const engine = core();
      vectors.size() == 1 && engine != nullptr && from.is_empty() && (queue == nullptr || order != nullptr)) {
    if (auto* const send = engine->begin_plain_send(order, vectors[0], destination, site); send != nullptr)
      return Request<ssize_t>(send);
  }
  detail::LoopCore* const on = place_.loop_core();
  if (on == nullptr) return {};
  detail::SendtoState* state = nullptr;
  if (!from.is_empty()) {
    state = make_state<detail::SendtoFromState>(*on, site, from);
  } else {
    state = make_recyclable<detail::SendtoState>(*on, site);
  }
  return start_send(*state, queue, vectors, destination, from);
}

Request<ssize_t> Datagram::start_send(detail::SendtoState& state, Queue* queue,
                                      std::span<const iovec> vectors, const Address& destination,
                                      const SendFrom& from) {
  Request<ssize_t> request(&state);
  std::size_t total = 0;
  int err = detail::sum_vectors(vectors, total) ? 0 : EMSGSIZE;
  if (err == 0 && queue != nullptr) err = detail::check_queue(queue->core(), state.core());
  if (err == 0 && core() == nullptr) err = ENOTCONN;
  if (err == 0 && total == 0 && core()->strict()) err = EINVAL;
  if (err == 0 && core()->is_open() && !destination.is_empty())
    err = core()->backend()->check_destination(destination);
  if (err == 0 && core()->is_open() && !from.is_empty())
    err = core()->backend()->check_from(from, destination);
  if (err != 0) {
    state.finish(err);
    return request;
  }
  state.set_message(vectors, total, destination);
  if (queue == nullptr) {
    core()->start_send(state);
  } else {
    queue->core()->enter(state, *core());
  }
  return request;
}

namespace {

// A sendto that owns its bytes.
template <class Bytes>
class OwningSend : public detail::SendtoState {
 public:
  OwningSend(detail::LoopCore& core, CallSite site, Bytes&& bytes)
      : SendtoState(core, site), bytes_(std::move(bytes)) {}
  [[nodiscard]] iovec vector() const noexcept { return make_vector(detail::bytes_of(bytes_)); }

 private:
  Bytes bytes_;
};

}  // namespace

Request<ssize_t> Datagram::send_owned(Queue* queue, std::string&& text, const Address& destination,
                                      const SendFrom& from, CallSite site) {
  detail::LoopCore* const on = place_.loop_core();
  if (on == nullptr) return {};
  auto* const state = make_state<OwningSend<std::string>>(*on, site, std::move(text));
  const iovec vector = state->vector();
  return start_send(*state, queue, {&vector, 1}, destination, from);
}

Request<ssize_t> Datagram::send_owned(Queue* queue, std::vector<std::byte>&& bytes,
                                      const Address& destination, const SendFrom& from, CallSite site) {
  detail::LoopCore* const on = place_.loop_core();
  if (on == nullptr) return {};
  auto* const state = make_state<OwningSend<std::vector<std::byte>>>(*on, site, std::move(bytes));
  const iovec vector = state->vector();
  return start_send(*state, queue, {&vector, 1}, destination, from);
}

Request<ssize_t> Datagram::send_owned(Queue* queue, Pdu&& pdu, const Address& destination,
                                      const SendFrom& from, CallSite site) {
  detail::LoopCore* const on = place_.loop_core();
  if (on == nullptr) return {};
  auto* const state = make_state<OwningSend<Pdu>>(*on, site, std::move(pdu));
  const iovec vector = state->vector();
  return start_send(*state, queue, {&vector, 1}, destination, from);
}

Request<ssize_t> Datagram::sendto(ByteView bytes, const Address& destination, const SendFrom& from,
                                  CallSite site) {
  const iovec vector = make_vector(bytes.bytes());
  return start_send(nullptr, {&vector, 1}, destination, from, site);
}

Request<ssize_t> Datagram::sendto(std::span<const iovec> vectors, const Address& destination,
                                  const SendFrom& from, CallSite site) {
  return start_send(nullptr, vectors, destination, from, site);
}

Request<ssize_t> Datagram::sendto(Queue& queue, ByteView bytes, const Address& destination,
                                  const SendFrom& from, CallSite site) {
  const iovec vector = make_vector(bytes.bytes());
  return start_send(&queue, {&vector, 1}, destination, from, site);
}

Request<ssize_t> Datagram::sendto(Queue& queue, std::span<const iovec> vectors, const Address& destination,
                                  const SendFrom& from, CallSite site) {
  return start_send(&queue, vectors, destination, from, site);
}

Request<ssize_t> Datagram::send_many(std::span<const OutgoingDatagram> datagrams, CallSite site) {
  detail::LoopCore* const on = place_.loop_core();
  if (on == nullptr) return {};
  auto* const state = make_state<detail::SendManyState>(*on, site);
  Request<ssize_t> request(state);
  int err = datagrams.empty() ? EINVAL : 0;
  if (err == 0 && core() == nullptr) err = ENOTCONN;
  for (const OutgoingDatagram& datagram : datagrams) {
    if (err != 0) break;
    if (datagram.bytes.empty() && core()->strict()) err = EINVAL;
    if (err == 0 && core()->is_open() && !datagram.destination.is_empty())
      err = core()->backend()->check_destination(datagram.destination);
    if (err == 0 && core()->is_open() && !datagram.from.is_empty())
      err = core()->backend()->check_from(datagram.from, datagram.destination);
  }
  if (err != 0) {
    state->finish(err);
    return request;
  }
  state->set_datagrams(datagrams);
  core()->start_send(*state);
  return request;
}

Request<void> Datagram::disconnect(CallSite site) {
  detail::LoopCore* const on = place_.loop_core();
  if (on == nullptr) return {};
  auto* const state = make_state<detail::DatagramControlState>(*on, site);
  Request<void> request(state);
  if (core() != nullptr) {
    core()->start_disconnect(*state);
  } else {
    state->finish(ENOTCONN);
  }
  return request;
}

std::size_t Datagram::pending_datagrams() const noexcept {
  return core() != nullptr ? core()->pending_datagrams() : 0;
}

std::uint64_t Datagram::dropped() const noexcept { return core() != nullptr ? core()->dropped() : 0; }

Address Datagram::local_address() const { return is_open() ? core()->backend()->local_address() : Address(); }

Address Datagram::remote_address() const {
  return is_open() ? core()->backend()->remote_address() : Address();
}

NativeSocket Datagram::native_handle() const noexcept {
  if (!is_open()) return invalid_socket;
  const DatagramControl* const control = core()->backend()->datagram_control();
  return control != nullptr ? control->native_handle() : invalid_socket;
}

int Datagram::join_multicast(const Address& group, unsigned interface_index, const Address& source) {
  if (!is_open()) return ENOTCONN;
  DatagramControl* const control = core()->backend()->datagram_control();
  return control != nullptr ? control->join(group, interface_index, source) : ENOTSUP;
}

int Datagram::leave_multicast(const Address& group, unsigned interface_index, const Address& source) {
  if (!is_open()) return ENOTCONN;
  DatagramControl* const control = core()->backend()->datagram_control();
  return control != nullptr ? control->leave(group, interface_index, source) : ENOTSUP;
}

}  // namespace tsock::inline v0

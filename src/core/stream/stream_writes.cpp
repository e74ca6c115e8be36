#include <array>
#include <cerrno>
#include <tsock/loop.hpp>
#include <tsock/socket_control.hpp>
#include <tsock/stream.hpp>

#include "core/stream/begin_operation.hpp"
#include "core/stream/pdu_write.hpp"
#include "core/stream/short_ways.hpp"
#include "core/stream/stream_core.hpp"
#include "core/stream/write_state.hpp"

namespace tsock::inline v0 {

namespace {

constexpr std::size_t max_fds = 253;  // SCM_MAX_FD

// A TCP socket would send the bytes and silently drop the descriptors.
int check_fds(detail::StreamCore* core, std::span<const int> fds) {
  if (fds.size() > max_fds) return EINVAL;
  const bool can_pass =
      core == nullptr || !core->is_open() ||
      (core->backend()->socket_control() != nullptr && core->backend()->local_address().is_unix());
  return can_pass ? 0 : ENOTSUP;
}

// Starts a write now or puts it into the queue. \pre `state` has passed its checks
void begin_write(detail::StreamCore& core, Queue* queue, detail::StreamWrite& state, std::size_t total) {
  core.add_queued_bytes(total);
  if (queue == nullptr) {
    core.start_write(state);
  } else {
    queue->core()->enter(state, core);
  }
}

// A write that owns its bytes.
template <class Bytes>
class OwningWrite : public detail::StreamWrite {
 public:
  OwningWrite(detail::LoopCore& core, CallSite site, Bytes&& bytes) noexcept
      : StreamWrite(core, site), bytes_(std::move(bytes)) {}
  [[nodiscard]] iovec vector() const noexcept { return make_vector(detail::bytes_of(bytes_)); }

 private:
  Bytes bytes_;
};

template <class Bytes>
OwningWrite<Bytes>* make_owning(detail::LoopCore* core, CallSite site, Bytes&& bytes) {
  if (core == nullptr) return nullptr;
  return detail::make_state<OwningWrite<Bytes>>(*core, site, std::forward<Bytes>(bytes));
}

// A write of one message. Bytes is what the request owns of it beside the frame.
template <class Bytes>
class FramedWrite : public detail::StreamWrite {
 public:
  FramedWrite(detail::LoopCore& core, CallSite site, const detail::Frame& frame, Bytes&& bytes) noexcept
      : StreamWrite(core, site), frame_(frame), bytes_(std::move(bytes)) {}
  [[nodiscard]] std::span<const std::byte> body() const noexcept {
    if constexpr (std::is_same_v<Bytes, ByteView>) {
      return bytes_.bytes();
    } else {
      return detail::body_of(bytes_);
    }
  }
  [[nodiscard]] std::span<const std::byte> before() const noexcept {
    return std::span(frame_.bytes).first(frame_.before);
  }
  [[nodiscard]] std::span<const std::byte> behind() const noexcept {
    return std::span(frame_.bytes).subspan(frame_.before, frame_.behind);
  }

 private:
  detail::Frame frame_;
  Bytes bytes_;
};

template <class Bytes>
FramedWrite<Bytes>* make_framed(detail::LoopCore* core, CallSite site, const detail::Frame& frame,
                                Bytes&& bytes) {
  if (core == nullptr) return nullptr;
  return detail::make_state<FramedWrite<Bytes>>(*core, site, frame, std::forward<Bytes>(bytes));
}

template <class Bytes>
std::array<iovec, 3> parts_of(const FramedWrite<Bytes>& write) noexcept {
  return {make_vector(write.before()), make_vector(write.body()), make_vector(write.behind())};
}

Request<ssize_t> failed_write(detail::StreamWrite& state, int err) {
  Request<ssize_t> request(&state);  // first: a trace function may destroy the loop
  state.finish(err);
  return request;
}

}  // namespace

[[gnu::noinline]] Request<ssize_t> Stream::start_write(Queue* queue, std::span<const iovec> vectors,
                                                       std::span<const int> fds, CallSite site) {
  auto* const state = detail::make_operation<detail::StreamWrite>(place_, site);
  return state != nullptr ? start_write(*state, queue, vectors, fds) : Request<ssize_t>();
}

Request<ssize_t> Stream::start_write(detail::StreamWrite& state, Queue* queue, std::span<const iovec> vectors,
                                     std::span<const int> fds) {
  Request<ssize_t> request(&state);
  std::size_t total = 0;
  int err = detail::check_vectors(vectors, total);
  if (err == 0 && !fds.empty()) [[unlikely]] {
    err = check_fds(core(), fds);
    if (err == 0) state.set_fds(fds);
  }
  if (err == 0 && queue != nullptr) err = detail::check_queue(queue->core(), state.core());
  if (err == 0 && core() == nullptr) err = ENOTCONN;
  if (err == 0 && core()->exceeds_message(total)) err = EMSGSIZE;
  if (err == 0 && core()->is_open() && core()->exceeds_cap(total)) err = ENOBUFS;
  if (err != 0) [[unlikely]] {
    state.finish(err);
  } else {
    state.set_vectors(vectors, total);
    begin_write(*core(), queue, state, total);
  }
  return request;
}

Request<ssize_t> Stream::write_owned(Queue* queue, std::string&& text, CallSite site) {
  auto* const state = make_owning(place_.loop_core(), site, std::move(text));
  if (state == nullptr) return {};
  const iovec vector = state->vector();
  return start_write(*state, queue, {&vector, 1}, {});
}

Request<ssize_t> Stream::write_owned(Queue* queue, std::vector<std::byte>&& bytes, CallSite site) {
  auto* const state = make_owning(place_.loop_core(), site, std::move(bytes));
  if (state == nullptr) return {};
  const iovec vector = state->vector();
  return start_write(*state, queue, {&vector, 1}, {});
}

// As begin_writev(), for a message that the write owns.
detail::RequestState* Stream::begin_pdu_write(Pdu& pdu, CallSite site) {
  if (detail::StreamCore* const engine = core(); engine != nullptr) [[likely]] {
    auto* const write = engine->begin_plain_write<detail::PduWrite>(nullptr, make_vector(pdu.bytes()), site);
    if (write != nullptr) [[likely]] {
      write->own(std::move(pdu));
      return write;
    }
  }
  return begin_pdu_write_in_general(nullptr, pdu, site);
}

detail::RequestState* Stream::begin_pdu_write(Queue& queue, Pdu& pdu, CallSite site) {
  detail::StreamCore* const engine = core();
  detail::QueueCore* const order = queue.core();
  if (engine != nullptr && order != nullptr) [[likely]] {
    auto* const write = engine->begin_plain_write<detail::PduWrite>(order, make_vector(pdu.bytes()), site);
    if (write != nullptr) [[likely]] {
      write->own(std::move(pdu));
      return write;
    }
  }
  return begin_pdu_write_in_general(&queue, pdu, site);
}

// The other short way, where writes are messages, and then the general one.
[[gnu::noinline]] detail::RequestState* Stream::begin_pdu_write_in_general(Queue* queue, Pdu& pdu,
                                                                           CallSite site) {
  detail::StreamCore* const engine = core();
  detail::QueueCore* const order = queue != nullptr ? queue->core() : nullptr;
  const iovec vector = make_vector(pdu.bytes());
  if (engine != nullptr && (queue == nullptr || order != nullptr)) {
    auto* const write = engine->begin_message_write<detail::PduWrite>(order, vector, site);
    if (write != nullptr) {
      write->own(std::move(pdu));
      return write;
    }
  }
  auto* const state = detail::make_operation<detail::PduWrite>(place_, site);
  if (state == nullptr) return nullptr;
  state->own(std::move(pdu));
  return start_write(*state, queue, {&vector, 1}, {}).take_state();
}

Request<ssize_t> Stream::write_framed(Queue* queue, const detail::Frame& frame, ByteView body,
                                      CallSite site) {
  auto* const state = make_framed(place_.loop_core(), site, frame, std::move(body));
  if (state == nullptr) return {};
  return start_framed(*state, queue, parts_of(*state), frame.err);
}

Request<ssize_t> Stream::write_framed(Queue* queue, const detail::Frame& frame, std::string&& body,
                                      CallSite site) {
  auto* const state = make_framed(place_.loop_core(), site, frame, std::move(body));
  if (state == nullptr) return {};
  return start_framed(*state, queue, parts_of(*state), frame.err);
}

Request<ssize_t> Stream::write_framed(Queue* queue, const detail::Frame& frame, std::vector<std::byte>&& body,
                                      CallSite site) {
  auto* const state = make_framed(place_.loop_core(), site, frame, std::move(body));
  if (state == nullptr) return {};
  return start_framed(*state, queue, parts_of(*state), frame.err);
}

Request<ssize_t> Stream::write_framed(Queue* queue, const detail::Frame& frame, Pdu&& body, CallSite site) {
  auto* const state = make_framed(place_.loop_core(), site, frame, std::move(body));
  if (state == nullptr) return {};
  return start_framed(*state, queue, parts_of(*state), frame.err);
}

Request<ssize_t> Stream::start_framed(detail::StreamWrite& state, Queue* queue,
                                      std::span<const iovec> vectors, int err) {
  return err == 0 ? start_write(state, queue, vectors, {}) : failed_write(state, err);
}

Request<ssize_t> Stream::writev(std::initializer_list<ByteView> parts, CallSite site) {
  return writev(detail::VectorsOf(parts).vectors(), site);
}

Request<ssize_t> Stream::writev(Queue& queue, std::initializer_list<ByteView> parts, CallSite site) {
  return writev(queue, detail::VectorsOf(parts).vectors(), site);
}

// Each of these is a function of its own, so that the one before it saves no registers for it.
[[gnu::noinline]] detail::RequestState* Stream::begin_message_writev(Queue* queue,
                                                                     std::span<const iovec> vectors,
                                                                     CallSite site) {
  detail::StreamCore* const engine = core();
  detail::QueueCore* const order = queue != nullptr ? queue->core() : nullptr;
  if (vectors.size() == 1 && engine != nullptr && (queue == nullptr || order != nullptr)) {
    if (auto* const write = engine->begin_message_write<detail::StreamWrite>(order, vectors[0], site);
        write != nullptr)
      return write;
  }
  return begin_writev_in_general(queue, vectors, site);
}

[[gnu::noinline]] detail::RequestState* Stream::begin_writev_in_general(Queue* queue,
                                                                        std::span<const iovec> vectors,
                                                                        CallSite site) {
  return start_write(queue, vectors, {}, site).take_state();
}

detail::RequestState* Stream::begin_writev(std::span<const iovec> vectors, CallSite site) {
  if (detail::StreamCore* const engine = core(); vectors.size() == 1 && engine != nullptr) [[likely]] {
    if (auto* const write = engine->begin_plain_write<detail::StreamWrite>(nullptr, vectors[0], site);
        write != nullptr) [[likely]]
      return write;
  }
  return begin_message_writev(nullptr, vectors, site);
}

detail::RequestState* Stream::begin_writev(Queue& queue, std::span<const iovec> vectors, CallSite site) {
  detail::StreamCore* const engine = core();
  detail::QueueCore* const order = queue.core();
  if (vectors.size() == 1 && engine != nullptr && order != nullptr) [[likely]] {
    if (auto* const write = engine->begin_plain_write<detail::StreamWrite>(order, vectors[0], site);
        write != nullptr) [[likely]]
      return write;
  }
  return begin_message_writev(&queue, vectors, site);
}

Request<ssize_t> Stream::write(ByteView bytes, CallSite site) {
  const std::array<iovec, 1> vector{make_vector(bytes.bytes())};
  return writev(vector, site);
}

Request<ssize_t> Stream::write(Queue& queue, ByteView bytes, CallSite site) {
  const std::array<iovec, 1> vector{make_vector(bytes.bytes())};
  return writev(queue, vector, site);
}

Request<ssize_t> Stream::writev_with_fds(std::span<const iovec> vectors, std::span<const int> fds,
                                         CallSite site) {
  return start_write(nullptr, vectors, fds, site);
}

}  // namespace tsock::inline v0

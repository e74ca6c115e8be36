#include <array>
#include <cerrno>
#include <new>
#include <tsock/loop.hpp>
#include <tsock/socket_control.hpp>
#include <tsock/stream.hpp>

#include "core/loop/engine_place.hpp"
#include "core/loop/recyclable.hpp"
#include "core/stream/dcerpc_fragment.hpp"
#include "core/stream/measured_pdu_state.hpp"
#include "core/stream/message_state.hpp"
#include "core/stream/read_states.hpp"
#include "core/stream/short_ways.hpp"
#include "core/stream/stream_control.hpp"
#include "core/stream/stream_core.hpp"
#include "core/stream/watermark_watch.hpp"
#include "core/stream/write_state.hpp"

namespace tsock::inline v0 {

namespace detail {
namespace {

// Bytes in a list as vectors: a few without the heap.
class VectorsOf {
 public:
  template <class Bytes>
  explicit VectorsOf(std::initializer_list<Bytes> list) : size_(list.size()) {
    if (size_ > few_.size()) many_.resize(size_);
    iovec* out = size_ > few_.size() ? many_.data() : few_.data();
    for (const Bytes& bytes : list) *out++ = vector_of(bytes);
  }
  [[nodiscard]] std::span<const iovec> vectors() const noexcept {
    return {size_ > few_.size() ? many_.data() : few_.data(), size_};
  }

 private:
  static iovec vector_of(const ByteView& bytes) noexcept { return make_vector(bytes.bytes()); }
  static iovec vector_of(std::span<std::byte> bytes) noexcept { return make_vector(bytes); }

  std::size_t size_;
  std::array<iovec, 8> few_{};
  std::vector<iovec> many_;
};

}  // namespace
}  // namespace detail

namespace {

constexpr std::size_t max_fds = 253;  // SCM_MAX_FD

// Returns null for a stream that was never opened, which has no loop to complete on.
template <class State, class... Args>
State* make_operation(const detail::EnginePlace<detail::StreamCore>& place, Args&&... args) {
  detail::LoopCore* const core = place.loop_core();
  if (core == nullptr) return nullptr;
  if constexpr (requires { State::cached_as; }) {
    return detail::make_recyclable<State>(*core, std::forward<Args>(args)...);
  } else {
    return detail::make_state<State>(*core, std::forward<Args>(args)...);
  }
}

// Starts a read now or puts it into the queue.
template <class State>
void begin_read(detail::StreamCore* core, Queue* queue, State& state, int err) {
  if (err == 0 && queue != nullptr) err = detail::check_queue(queue->core(), state.core());
  if (err != 0) [[unlikely]] {
    state.finish(err);
  } else if (core == nullptr) [[unlikely]] {
    state.finish(ENOTCONN);
  } else if (queue == nullptr) {
    core->start_read(state);
  } else {
    queue->core()->enter(state, *core);
  }
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

int check_vectors(std::span<const iovec> vectors, std::size_t& total) {
  if (!detail::sum_vectors(vectors, total)) [[unlikely]]
    return EMSGSIZE;
  return total == 0 ? EINVAL : 0;
}

// A TCP socket would send the bytes and silently drop the descriptors.
int check_fds(detail::StreamCore* core, std::span<const int> fds) {
  if (fds.size() > max_fds) return EINVAL;
  const bool can_pass =
      core == nullptr || !core->is_open() ||
      (core->backend()->socket_control() != nullptr && core->backend()->local_address().is_unix());
  return can_pass ? 0 : ENOTSUP;
}

}  // namespace

Stream::Stream(Loop& loop, std::unique_ptr<StreamBackend>&& backend, const StreamOptions& options)
    : place_(
          *detail::make_pooled<detail::StreamCore>(loop.core(), loop.core(), std::move(backend), options)) {}

Stream::Stream(Stream&& other) noexcept : place_(other.place_.take()) {}

Stream& Stream::operator=(Stream&& other) noexcept {
  if (this != &other) {
    auto* const old = std::exchange(place_, other.place_.take()).engine();
    if (old != nullptr) old->release_stream();
  }
  return *this;
}

Stream::~Stream() {
  if (core() != nullptr) core()->release_stream();
}

Loop* Stream::loop_or_null() const noexcept { return place_.loop(); }

bool Stream::is_open() const noexcept { return core() != nullptr && core()->is_open(); }

Request<ssize_t> Stream::readv(std::span<const iovec> vectors, CallSite site) {
  auto* const state = make_operation<detail::ReadvState>(place_, site);
  if (state == nullptr) return {};
  Request<ssize_t> request(state);
  std::size_t total = 0;
  const int err = check_vectors(vectors, total);
  if (err == 0) state->set_vectors(vectors);
  begin_read(core(), nullptr, *state, err);
  return request;
}

Request<ssize_t> Stream::readv(std::initializer_list<std::span<std::byte>> buffers, CallSite site) {
  return readv(detail::VectorsOf(buffers).vectors(), site);
}

Request<ssize_t> Stream::read(std::span<std::byte> buffer, CallSite site) {
  const std::array<iovec, 1> vector{make_vector(buffer)};
  return readv(vector, site);
}

Request<ssize_t> Stream::read_some(std::span<std::byte> buffer, CallSite site) {
  auto* const state = make_operation<detail::ReadSomeState>(place_, site);
  if (state == nullptr) return {};
  Request<ssize_t> request(state);
  state->set_buffer(buffer);
  begin_read(core(), nullptr, *state, buffer.empty() ? EINVAL : 0);
  return request;
}

namespace {

template <class State, class Format>
Request<Pdu> begin_pdu(const detail::EnginePlace<detail::StreamCore>& place, Queue* queue,
                       const Format& format, int err, CallSite site) {
  auto* const state = make_operation<State>(place, site, format);
  if (state == nullptr) return {};
  Request<Pdu> request(state);
  begin_read(place.engine(), queue, *state, err);
  return request;
}

}  // namespace

// The usual message, in a function that needs no stack frame.
detail::RequestState* Stream::begin_prefixed(detail::PrefixFormat format, CallSite site) {
  if (detail::StreamCore* const engine = core(); engine != nullptr && format.is_u32be()) [[likely]] {
    if (auto* const read = engine->begin_leased_read<true>(format, site); read != nullptr) [[likely]]
      return read;
  }
  return begin_prefixed_in_general(nullptr, format, site).take_state();
}

// All other messages. The short ways are tried here, too, as prefixes other than u32be come here directly.
[[gnu::noinline]] Request<Pdu> Stream::begin_prefixed_in_general(Queue* queue, detail::PrefixFormat format,
                                                                 CallSite site) {
  if (detail::StreamCore* const engine = core(); engine != nullptr && queue == nullptr) {
    if (auto* const read = engine->begin_leased_read<false>(format, site); read != nullptr)
      return Request<Pdu>(read);
    if (auto* const read = engine->begin_waiting_read(format, site); read != nullptr) {
      Request<Pdu> request(read);
      engine->await_readable();
      return request;
    }
  }
  return begin_pdu<detail::PrefixedPduState>(place_, queue, format, 0, site);
}

Request<Pdu> Stream::readv_framed(Queue* queue, const Framing& framing, CallSite site) {
  using detail::PrefixFormat;
  if (framing.kind == Framing::Kind::dcerpc) {
    const bool is_good = framing.valid && framing.max_body <= Framing::largest_dcerpc_body;
    const std::size_t longest = is_good ? framing.max_body + Framing::dcerpc_header_size : 0;
    return readv_measured(queue, detail::DcerpcFragment{longest}, site);
  }
  const bool is_prefix = framing.kind == Framing::Kind::length_prefix;
  const bool fits = is_prefix ? PrefixFormat::fits(framing.length_bytes, framing.min_body, framing.max_body)
                              : framing.kind == Framing::Kind::delimiter && framing.delimiter_size != 0 &&
                                    framing.delimiter_size <= Framing::longest_delimiter &&
                                    framing.max_body <= Framing::largest_delimited_body;
  const bool is_usable = framing.valid && fits;
  if (is_prefix && is_usable) {
    const PrefixFormat format(framing.length_bytes, framing.big_endian, framing.includes_header,
                              framing.min_body, framing.max_body);
    return queue == nullptr ? Request<Pdu>(begin_prefixed(format, site))
                            : begin_prefixed_in_general(queue, format, site);
  }
  return begin_pdu<detail::DelimitedPduState>(place_, queue, framing, is_usable ? 0 : EINVAL, site);
}

Request<Pdu> Stream::begin_measured(Queue* queue, detail::InlineFunction measure, std::size_t max_message,
                                    CallSite site) {
  auto* const state = make_operation<detail::MeasuredPduState>(place_, site, max_message);
  if (state == nullptr) return {};
  Request<Pdu> request(state);
  const int err = state->is_unfinished() ? state->set_function(std::move(measure)) : 0;
  begin_read(core(), queue, *state, err);
  return request;
}

namespace {

// A function of its own, so that the usual message saves no registers for it.
[[gnu::noinline]] Request<Pdu> begin_message_in_general(const detail::EnginePlace<detail::StreamCore>& place,
                                                        Queue* queue, CallSite site) {
  auto* const state = make_operation<detail::MessageState>(place, site);
  if (state == nullptr) return {};
  Request<Pdu> request(state);
  detail::StreamCore* const engine = place.engine();
  const bool has_borders = engine == nullptr || !engine->is_open() || engine->has_messages();
  begin_read(engine, queue, *state, has_borders ? 0 : ENOTSUP);
  return request;
}

}  // namespace

Request<Pdu> Stream::begin_message(Queue* queue, CallSite site) {
  if (detail::StreamCore* const engine = core(); engine != nullptr && queue == nullptr) {
    if (auto* const read = engine->begin_waiting_message(site); read != nullptr) {
      Request<Pdu> request(read);
      engine->await_readable();
      return request;
    }
  }
  return begin_message_in_general(place_, queue, site);
}

Request<ssize_t> Stream::readv_next_vector(Queue* queue, detail::InlineFunction next, CallSite site) {
  auto* const state = make_operation<detail::NextVectorState>(place_, site);
  Request<ssize_t> request(state);
  if (state->is_unfinished()) state->set_function(std::move(next));
  begin_read(core(), queue, *state, 0);
  return request;
}

[[gnu::noinline]] Request<ssize_t> Stream::start_write(Queue* queue, std::span<const iovec> vectors,
                                                       std::span<const int> fds, CallSite site) {
  auto* const state = make_operation<detail::StreamWrite>(place_, site);
  return state != nullptr ? start_write(*state, queue, vectors, fds) : Request<ssize_t>();
}

Request<ssize_t> Stream::start_write(detail::StreamWrite& state, Queue* queue, std::span<const iovec> vectors,
                                     std::span<const int> fds) {
  Request<ssize_t> request(&state);
  std::size_t total = 0;
  int err = check_vectors(vectors, total);
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

namespace {

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

}  // namespace

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

Request<ssize_t> Stream::write_owned(Queue* queue, Pdu&& pdu, CallSite site) {
  auto* const state = make_owning(place_.loop_core(), site, std::move(pdu));
  if (state == nullptr) return {};
  const iovec vector = state->vector();
  return start_write(*state, queue, {&vector, 1}, {});
}

namespace {

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

// A separate function, so that the usual write saves no registers for it.
[[gnu::noinline]] detail::RequestState* Stream::begin_writev_in_general(Queue* queue,
                                                                        std::span<const iovec> vectors,
                                                                        CallSite site) {
  detail::StreamCore* const engine = core();
  detail::QueueCore* const order = queue != nullptr ? queue->core() : nullptr;
  if (vectors.size() == 1 && engine != nullptr && (queue == nullptr || order != nullptr)) {
    if (auto* const write = engine->begin_message_write(order, vectors[0], site); write != nullptr)
      return write;
  }
  return start_write(queue, vectors, {}, site).take_state();
}

detail::RequestState* Stream::begin_writev(std::span<const iovec> vectors, CallSite site) {
  if (detail::StreamCore* const engine = core(); vectors.size() == 1 && engine != nullptr) [[likely]] {
    if (auto* const write = engine->begin_plain_write(nullptr, vectors[0], site); write != nullptr) [[likely]]
      return write;
  }
  return begin_writev_in_general(nullptr, vectors, site);
}

detail::RequestState* Stream::begin_writev(Queue& queue, std::span<const iovec> vectors, CallSite site) {
  detail::StreamCore* const engine = core();
  detail::QueueCore* const order = queue.core();
  if (vectors.size() == 1 && engine != nullptr && order != nullptr) [[likely]] {
    if (auto* const write = engine->begin_plain_write(order, vectors[0], site); write != nullptr) [[likely]]
      return write;
  }
  return begin_writev_in_general(&queue, vectors, site);
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

std::vector<UniqueFd> Stream::take_received_fds() {
  SocketControl* const control = is_open() ? core()->backend()->socket_control() : nullptr;
  std::vector<UniqueFd> taken;
  if (control != nullptr && control->take_received_fds(core()->unread_size(), taken) != 0)
    throw std::bad_alloc();
  return taken;
}

std::size_t Stream::pending_bytes(int& err) {
  if (core() != nullptr) return core()->pending_bytes(err);
  err = ENOTCONN;
  return 0;
}

Request<void> Stream::disconnect(const DisconnectOptions& options, CallSite site) & {
  auto* const state = make_operation<detail::StreamDisconnect>(place_, options, site);
  if (state == nullptr) return {};
  Request<void> request(state);
  if (core() != nullptr) {
    core()->start_disconnect(*state);
  } else {
    state->finish(ENOTCONN);
  }
  return request;
}

Request<void> Stream::disconnect(const DisconnectOptions& options, CallSite site) && {
  return std::move(*this).disconnect(Queue(), options, site);
}

Request<void> Stream::monitor(CallSite site) {
  auto* const state =
      make_operation<detail::StreamControl>(place_, detail::StreamControl::Kind::monitor, site);
  if (state == nullptr) return {};
  Request<void> request(state);
  if (core() != nullptr) {
    core()->start_monitor(*state);
  } else {
    state->finish(ENOTCONN);
  }
  return request;
}

Request<void> Stream::shutdown_write(CallSite site) {
  auto* const state =
      make_operation<detail::StreamControl>(place_, detail::StreamControl::Kind::shutdown_write, site);
  if (state == nullptr) return {};
  Request<void> request(state);
  if (core() != nullptr) {
    core()->start_shutdown(*state);
  } else {
    state->finish(ENOTCONN);
  }
  return request;
}

Request<void> Stream::shutdown_write(Queue& queue, CallSite site) {
  auto* const state =
      make_operation<detail::StreamControl>(place_, detail::StreamControl::Kind::shutdown_write, site);
  if (state == nullptr) return {};
  Request<void> request(state);
  int err = detail::check_queue(queue.core(), state->core());
  if (err == 0 && core() == nullptr) err = ENOTCONN;
  if (err != 0) {
    state->finish(err);
  } else {
    queue.core()->enter(*state, *core());
  }
  return request;
}

void Stream::abort() noexcept {
  if (core() != nullptr) core()->abort();
}

std::size_t Stream::queued_bytes() const noexcept { return core() != nullptr ? core()->queued_bytes() : 0; }

void Stream::set_watermarks(const WriteWatermarks& marks, WatermarkFunction function) {
  if (core() == nullptr) return;
  core()->set_watermark_watch(
      std::make_unique<detail::WatermarkWatch>(core()->core(), marks, std::move(function)));
}

int Stream::set_options(const StreamOptions& options) {
  if (!is_open()) return ENOTCONN;
  const int err = core()->backend()->apply(options);
  core()->set_behaviour(options);
  return err;
}

Address Stream::local_address() const { return is_open() ? core()->backend()->local_address() : Address(); }

Address Stream::remote_address() const { return is_open() ? core()->backend()->remote_address() : Address(); }

PeerCredentials Stream::peer_credentials(int& err) const {
  PeerCredentials credentials;
  if (!is_open()) {
    err = ENOTCONN;
    return credentials;
  }
  const SocketControl* const control = core()->backend()->socket_control();
  err = control != nullptr ? control->peer_credentials(credentials) : ENOTSUP;
  return credentials;
}

TcpInfo Stream::tcp_info(int& err) const {
  TcpInfo info;
  err = is_open() ? core()->backend()->tcp_info(info) : ENOTCONN;
  return info;
}

NativeSocket Stream::native_handle() const noexcept {
  if (!is_open()) return invalid_socket;
  const SocketControl* const control = core()->backend()->socket_control();
  return control != nullptr ? control->native_handle() : invalid_socket;
}

UniqueSocket Stream::release_socket(std::vector<std::byte>& unread, int& err) {
  err = core() != nullptr ? core()->check_idle() : ENOTCONN;
  SocketControl* const control = is_open() ? core()->backend()->socket_control() : nullptr;
  if (is_open() && control == nullptr) err = ENOTSUP;
  if (err != 0 || control == nullptr) return {};
  const auto bytes = core()->unread_bytes();
  const auto behind = control->kept_bytes();
  unread.assign(bytes.begin(), bytes.end());
  unread.insert(unread.end(), behind.begin(), behind.end());
  UniqueSocket socket = control->release_socket();
  core()->detach_backend();
  core()->tell_release();
  return socket;
}

}  // namespace tsock::inline v0

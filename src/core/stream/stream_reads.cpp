#include <array>
#include <cerrno>
#include <tsock/loop.hpp>
#include <tsock/stream.hpp>
#include <utility>

#include "core/stream/begin_operation.hpp"
#include "core/stream/dcerpc_fragment.hpp"
#include "core/stream/measured_pdu_state.hpp"
#include "core/stream/message_state.hpp"
#include "core/stream/read_states.hpp"
#include "core/stream/short_ways.hpp"
#include "core/stream/stream_core.hpp"

namespace tsock::inline v0 {

namespace {

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

template <class State, class Format>
Request<Pdu> begin_pdu(const detail::EnginePlace<detail::StreamCore>& place, Queue* queue,
                       const Format& format, int err, CallSite site) {
  auto* const state = detail::make_operation<State>(place, site, format);
  if (state == nullptr) return {};
  Request<Pdu> request(state);
  begin_read(place.engine(), queue, *state, err);
  return request;
}

// A function of its own, so that the usual message saves no registers for it.
[[gnu::noinline]] Request<Pdu> begin_message_in_general(const detail::EnginePlace<detail::StreamCore>& place,
                                                        Queue* queue, CallSite site) {
  auto* const state = detail::make_operation<detail::MessageState>(place, site);
  if (state == nullptr) return {};
  Request<Pdu> request(state);
  detail::StreamCore* const engine = place.engine();
  const bool has_borders = engine == nullptr || !engine->is_open() || engine->has_messages();
  begin_read(engine, queue, *state, has_borders ? 0 : ENOTSUP);
  return request;
}

}  // namespace

Request<ssize_t> Stream::readv(std::span<const iovec> vectors, CallSite site) {
  auto* const state = detail::make_operation<detail::ReadvState>(place_, site);
  if (state == nullptr) return {};
  Request<ssize_t> request(state);
  std::size_t total = 0;
  const int err = detail::check_vectors(vectors, total);
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
  auto* const state = detail::make_operation<detail::ReadSomeState>(place_, site);
  if (state == nullptr) return {};
  Request<ssize_t> request(state);
  state->set_buffer(buffer);
  begin_read(core(), nullptr, *state, buffer.empty() ? EINVAL : 0);
  return request;
}

// The usual message, in a function that needs no stack frame: what it calls last has the same arguments.
// \pre format.is_u32be()
detail::RequestState* Stream::begin_u32be(detail::PrefixFormat format, CallSite site) {
  if (detail::StreamCore* const engine = core(); engine != nullptr) [[likely]] {
    if (auto* const read = engine->begin_leased_read<true>(format, site); read != nullptr) [[likely]]
      return read;
  }
  return begin_prefixed(format, site, nullptr);
}

// All other messages. The short ways are tried here, too, as prefixes other than u32be come here directly.
[[gnu::noinline]] detail::RequestState* Stream::begin_prefixed(detail::PrefixFormat format, CallSite site,
                                                               Queue* queue) {
  if (detail::StreamCore* const engine = core(); engine != nullptr && queue == nullptr) {
    if (auto* const read = engine->begin_leased_read<false>(format, site); read != nullptr) return read;
    if (auto* const read = engine->begin_waiting_read(format, site); read != nullptr) {
      Request<Pdu> request(read);
      engine->await_readable();
      return std::move(request).take_state();
    }
  }
  return begin_pdu<detail::PrefixedPduState>(place_, queue, format, 0, site).take_state();
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
    return Request<Pdu>(format.is_u32be() && queue == nullptr ? begin_u32be(format, site)
                                                              : begin_prefixed(format, site, queue));
  }
  return begin_pdu<detail::DelimitedPduState>(place_, queue, framing, is_usable ? 0 : EINVAL, site);
}

Request<Pdu> Stream::begin_measured(Queue* queue, detail::InlineFunction measure, std::size_t max_message,
                                    CallSite site) {
  auto* const state = detail::make_operation<detail::MeasuredPduState>(place_, site, max_message);
  if (state == nullptr) return {};
  Request<Pdu> request(state);
  const int err = state->is_unfinished() ? state->set_function(std::move(measure)) : 0;
  begin_read(core(), queue, *state, err);
  return request;
}

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
  auto* const state = detail::make_operation<detail::NextVectorState>(place_, site);
  Request<ssize_t> request(state);
  if (state->is_unfinished()) state->set_function(std::move(next));
  begin_read(core(), queue, *state, 0);
  return request;
}

}  // namespace tsock::inline v0

// Samba's tsocket on tevent as its users write it: a request for each message read, a queued one for each
// message written. With the variant "optimized", reads and receives are tried before the socket is polled,
// which is off by default.

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <vector>

extern "C" {
#include <tevent.h>
#include <tsocket.h>
}

#include "bench/server_options.hpp"

namespace {

bool optimized = false;

struct Session {
  tevent_context* events;
  tstream_context* stream;
  tevent_queue* replies;
};

struct Message {
  std::array<std::uint8_t, 4> header;
  std::uint8_t* bytes;
  std::size_t size;
  iovec vector;
};

struct Reading {
  Session* session;
  Message* message;
};

int next_vector(tstream_context*, void* private_data, TALLOC_CTX* mem_ctx, iovec** vectors,
                std::size_t* count) {
  Message* const message = static_cast<Reading*>(private_data)->message;
  if (message->bytes == nullptr) {
    *vectors = talloc_array(mem_ctx, iovec, 1);
    if (*vectors == nullptr) return -1;
    *count = 1;
    if (message->size == 0) {
      message->size = message->header.size();
      (*vectors)[0].iov_base = message->header.data();
      (*vectors)[0].iov_len = message->header.size();
      return 0;
    }
    message->size = bench::message_size(message->header.data());
    if (message->size > bench::largest_message) {
      errno = EMSGSIZE;
      return -1;
    }
    message->bytes = talloc_array(message, std::uint8_t, static_cast<unsigned>(message->size));
    if (message->bytes == nullptr) return -1;
    std::memcpy(message->bytes, message->header.data(), message->header.size());
    (*vectors)[0].iov_base = message->bytes + message->header.size();
    (*vectors)[0].iov_len = message->size - message->header.size();
    return 0;
  }
  *vectors = nullptr;
  *count = 0;
  return 0;
}

void on_written(tevent_req* request) {
  int err = 0;
  tstream_writev_queue_recv(request, &err);
  // The message hangs below its request.
  talloc_free(request);
}

void read_next(Session* session);

void on_read(tevent_req* request) {
  auto* const reading = static_cast<Reading*>(tevent_req_callback_data_void(request));
  Session* const session = reading->session;
  Message* const message = reading->message;
  int err = 0;
  const int size = tstream_readv_pdu_recv(request, &err);
  talloc_free(request);
  if (size < 0) {
    talloc_free(session);
    return;
  }
  message->vector.iov_base = message->bytes;
  message->vector.iov_len = message->size;
  tevent_req* const writing = tstream_writev_queue_send(session, session->events, session->stream,
                                                        session->replies, &message->vector, 1);
  talloc_steal(writing, message);
  talloc_free(reading);
  tevent_req_set_callback(writing, on_written, nullptr);
  read_next(session);
}

void read_next(Session* session) {
  Reading* const reading = talloc(session, Reading);
  reading->session = session;
  reading->message = talloc_zero(session, Message);
  tevent_req* const request =
      tstream_readv_pdu_send(session, session->events, session->stream, next_vector, reading);
  tevent_req_set_callback(request, on_read, reading);
}

void start_echo(Session* session) {
  session->replies = tevent_queue_create(session, "replies");
  read_next(session);
}

struct Bulk {
  Session* session;
  bool is_sink;
  iovec vector;
};

void move_next(Bulk* bulk);

void on_moved(tevent_req* request) {
  auto* const bulk = static_cast<Bulk*>(tevent_req_callback_data_void(request));
  int err = 0;
  const int moved = bulk->is_sink ? tstream_readv_recv(request, &err) : tstream_writev_recv(request, &err);
  talloc_free(request);
  if (moved < 0) {
    talloc_free(bulk->session);
    return;
  }
  move_next(bulk);
}

void move_next(Bulk* bulk) {
  Session* const session = bulk->session;
  tevent_req* const request =
      bulk->is_sink ? tstream_readv_send(session, session->events, session->stream, &bulk->vector, 1)
                    : tstream_writev_send(session, session->events, session->stream, &bulk->vector, 1);
  tevent_req_set_callback(request, on_moved, bulk);
}

void start_bulk(Session* session, bool is_sink) {
  Bulk* const bulk = talloc_zero(session, Bulk);
  bulk->session = session;
  bulk->is_sink = is_sink;
  bulk->vector.iov_base = bench::bulk_bytes().data();
  bulk->vector.iov_len = bench::bulk_vector;
  move_next(bulk);
}
void start_sink(Session* session) { start_bulk(session, true); }
void start_source(Session* session) { start_bulk(session, false); }

using Start = void (*)(Session*);
Start start_session = nullptr;

void on_connection(tevent_context* events, tevent_fd*, std::uint16_t, void* private_data) {
  const int listener = *static_cast<int*>(private_data);
  const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  Session* const session = talloc_zero(events, Session);
  session->events = events;
  if (tstream_bsd_existing_socket(session, fd, &session->stream) != 0) {
    ::close(fd);
    talloc_free(session);
    return;
  }
  if (optimized) tstream_bsd_optimize_readv(session->stream, true);
  start_session(session);
}

void run(tevent_context* events) { tevent_loop_wait(events); }

void serve(tevent_context* events, Start start) {
  start_session = start;
  int listener = bench::listen_on_loopback();
  tevent_add_fd(events, events, listener, TEVENT_FD_READ, on_connection, &listener);
  run(events);
}

struct Echo {
  tevent_context* events;
  tdgram_context* socket;
  tevent_queue* replies;
};

void receive_next(Echo* echo);

void on_sent(tevent_req* request) {
  int err = 0;
  tdgram_sendto_queue_recv(request, &err);
  talloc_free(request);
}

void on_received(tevent_req* request) {
  auto* const echo = static_cast<Echo*>(tevent_req_callback_data_void(request));
  std::uint8_t* bytes = nullptr;
  tsocket_address* source = nullptr;
  int err = 0;
  const ssize_t size = tdgram_recvfrom_recv(request, &err, echo, &bytes, &source);
  talloc_free(request);
  if (size >= 0) {
    tevent_req* const sending = tdgram_sendto_queue_send(echo, echo->events, echo->socket, echo->replies,
                                                         bytes, static_cast<std::size_t>(size), source);
    talloc_steal(sending, bytes);
    talloc_steal(sending, source);
    tevent_req_set_callback(sending, on_sent, nullptr);
  }
  receive_next(echo);
}

void receive_next(Echo* echo) {
  tevent_req_set_callback(tdgram_recvfrom_send(echo, echo->events, echo->socket), on_received, echo);
}

void serve_datagrams(tevent_context* events, const std::vector<int>& sockets) {
  for (const int fd : sockets) {
    Echo* const echo = talloc_zero(events, Echo);
    echo->events = events;
    if (tdgram_bsd_existing_socket(echo, fd, &echo->socket) != 0) std::exit(1);
    if (optimized) tdgram_bsd_optimize_recvfrom(echo->socket, true);
    echo->replies = tevent_queue_create(echo, "replies");
    receive_next(echo);
  }
  run(events);
}

void measure_deadlines(tevent_context* events) {
  struct State {
    int unused;
  };
  const auto later = [](time_t seconds) {
    return tevent_timeval_current_ofs(static_cast<std::uint32_t>(seconds), 0);
  };
  for (std::size_t i = 0; i < bench::waiting_deadlines; ++i) {
    State* state = nullptr;
    tevent_req* const request = tevent_req_create(events, &state, State);
    tevent_req_set_endtime(request, events, later(60));
  }
  State* state = nullptr;
  tevent_req* const one = tevent_req_create(events, &state, State);
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < bench::deadline_operations; ++i) {
    tevent_req_set_endtime(one, events, later(5));
    tevent_req_reset_endtime(one);
  }
  bench::report(bench::deadline_operations, std::chrono::steady_clock::now() - begin);
}

}  // namespace

int main(int argc, char** argv) {
  const bench::ServerOptions options(argc, argv);
  optimized = options.variant == "optimized";
  tevent_context* const events = tevent_context_init(nullptr);
  switch (options.mode) {
    case bench::Mode::echo:
      serve(events, start_echo);
      break;
    case bench::Mode::sink:
      serve(events, start_sink);
      break;
    case bench::Mode::source:
      serve(events, start_source);
      break;
    case bench::Mode::datagram:
      serve_datagrams(events, bench::datagram_sockets(options.sockets));
      break;
    case bench::Mode::deadline:
      measure_deadlines(events);
      break;
    case bench::Mode::post:
      bench::unsupported();
  }
}

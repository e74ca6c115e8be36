// Every system call on every path is made to fail once, with every errno value that fits, and so is every
// allocation: nothing crashes, nothing leaks, and the one who asked hears of it. Then transfers are cut
// short.
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <new>
#include <ostream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <tsock/layer/layer_over.hpp>
#include <tsock/layer/listen_over.hpp>
#include <utility>
#include <vector>

#ifdef TSOCK_WITH_GSSAPI
#include <tsock/gssapi/gssapi.hpp>

#include "support/kdc.hpp"
#endif
#ifdef TSOCK_WITH_NPA
#include <tsock/npa/npa.hpp>
#endif
#ifdef TSOCK_WITH_SASL
#include "support/sasl_fixture.hpp"
#endif
#ifdef TSOCK_WITH_TLS
#include <tsock/tls/tls.hpp>
#endif

#include "support/loop_fixture.hpp"
#include "support/syscall_injector.hpp"
#include "support/system.hpp"
#include "support/toy_engine.hpp"

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;
using namespace tsock;
using namespace tsock::test;

namespace {

/// What a scenario works with, and what it came to.
struct Run {
  LoopFixture& fixture;
  Loop& loop;
  StreamKind kind;
  std::string path;   // for unix sockets; nothing is there yet
  int error = 0;      // the first errno value that was reported
  bool done = false;  // everything that the scenario does was done

  void report(int err) {
    if (error == 0) error = err;
  }
  /// Waits for a request and gives its result. An error is noted.
  template <class T>
  T fetch(Request<T>& request) {
    int err = 0;
    if constexpr (std::is_void_v<T>) {
      fixture.fetch(request, err);
      report(err);
    } else {
      T value = fixture.fetch(request, err);
      report(err);
      return value;
    }
  }
  template <class T>
  T fetch(Request<T>&& request) {
    Request<T> moved = std::move(request);
    return fetch(moved);
  }
  [[nodiscard]] Address address() const {
    int err = 0;
    return kind == StreamKind::tcp ? loopback_v4() : Address::unix_from_path(path, err);
  }
  Listener listen(const ListenerOptions& options = {}) {
    int err = 0;
    Listener listener = Listener::listen(loop, address(), options, err);
    report(err);
    return listener;
  }
};

/// The part of a scenario that runs under injection. What it needs was made before.
using Body = std::function<void(Run&)>;

struct Scenario {
  const char* name;
  bool on_tcp;
  bool on_unix;
  std::function<Body(Run&)> prepare;
  bool survives_failures = false;  // everything is done also when something failed on the way
};

/// Two connected streams as a scenario's property.
struct Streams {
  Stream left;
  Stream right;
};

std::shared_ptr<Streams> connected(Run& run) {
  auto [left, right] = run.fixture.stream_pair(run.kind);
  return std::make_shared<Streams>(Streams{std::move(left), std::move(right)});
}

/// Closes stdin for a while, so that the next descriptor is 0.
class ClosedStdin {
 public:
  ClosedStdin() : saved_(::dup(0)) { ::close(0); }
  ClosedStdin(const ClosedStdin&) = delete;
  ClosedStdin& operator=(const ClosedStdin&) = delete;
  ~ClosedStdin() {
    if (saved_ < 0) return;
    ::dup2(saved_, 0);
    ::close(saved_);
  }

 private:
  int saved_;
};

Body connect_to(Run& run, bool with_stdin_closed, const ConnectOptions& options) {
  auto listener = std::make_shared<Listener>(run.listen());
  return [listener, with_stdin_closed, options](Run& now) {
    std::unique_ptr<ClosedStdin> closed;
    if (with_stdin_closed) closed = std::make_unique<ClosedStdin>();
    ConnectOptions used = options;
    used.local = now.kind == StreamKind::tcp ? loopback_v4() : Address();
    const Stream stream = now.fetch(Stream::connect(now.loop, listener->local_address(), used));
    now.done = stream.is_open();
  };
}

Body accept_from(Run& run, bool with_stdin_closed, std::size_t connections) {
  auto listener = std::make_shared<Listener>(run.listen());
  auto clients = std::make_shared<std::vector<Stream>>();
  for (std::size_t i = 0; i < connections; ++i)
    clients->push_back(run.fetch(Stream::connect(run.loop, listener->local_address())));
  return [listener, clients, with_stdin_closed](Run& now) {
    std::unique_ptr<ClosedStdin> closed;
    if (with_stdin_closed) closed = std::make_unique<ClosedStdin>();
    listener->set_pause_callback([&now](int err) { now.report(err); });
    for (std::size_t i = 0; i < clients->size(); ++i) {
      Request<Stream> accepted = listener->accept();
      Stream stream = now.fetch(accepted);
      // A failure takes no connection away: it is there for the next try.
      if (!stream.is_open()) stream = now.fetch(listener->accept());
      if (!stream.is_open()) return;
    }
    now.done = true;
  };
}

Body read_from(Run& run, std::size_t size, bool receive_fds, std::size_t vectors) {
  auto streams = connected(run);
  const std::vector<std::byte> bytes = pattern(size);
  if (receive_fds) {
    StreamOptions options;
    options.receive_fds = true;
    run.report(streams->right.set_options(options));
  }
  run.fetch(streams->left.write(bytes));
  run.fetch(streams->left.shutdown_write());
  return [streams, bytes, vectors](Run& now) {
    std::vector<std::byte> got(bytes.size());
    std::vector<iovec> list;
    for (std::size_t i = 0; i < vectors; ++i) {
      const std::size_t begin = got.size() * i / vectors;
      const std::size_t end = got.size() * (i + 1) / vectors;
      list.push_back(make_vector(std::span(got).subspan(begin, end - begin)));
    }
    now.fetch(streams->right.readv(list));
    if (now.error != 0) return;
    std::array<std::byte, 1> more{};
    int err = 0;
    auto last = streams->right.read_some(more);
    static_cast<void>(now.fixture.fetch(last, err));
    if (err != EPIPE) now.report(err);
    now.done = err == EPIPE && got == bytes;
  };
}

Body read_messages(Run& run) {
  auto streams = connected(run);
  run.fetch(streams->left.write(std::string_view("\0\5hello\0\0line\nxxrest", 20)));
  return [streams](Run& now) {
    const Pdu hello = now.fetch(streams->right.readv_pdu(framing::u16be{}));
    if (now.error != 0) return;
    const Pdu empty = now.fetch(streams->right.readv_pdu(framing::u16be{}));
    if (now.error != 0) return;
    const Pdu line = now.fetch(streams->right.readv_pdu(framing::line{}));
    if (now.error != 0) return;
    // A message in two steps that is interrupted in its second one is read again.
    std::array<std::byte, 6> part{};
    const auto two_steps = [&part, step = 0](VectorList& list) mutable {
      if (step < 2) list.add(std::span(part).subspan(step == 0 ? 0 : 2, step == 0 ? 2 : 4));
      if (step == 0) list.add(std::span(part).first(0));
      ++step;
      return 0;
    };
    {
      std::array<std::byte, 16> steps{};
      auto interrupted = streams->right.readv_pdu([&steps, step = 0U](VectorList& list) mutable {
        for (std::size_t i = 0; i < 3; ++i)
          list.add(std::span(steps).subspan(step * 3 + i * (step + 1), step + 1));
        ++step;
        return 0;
      });
      now.loop.run_until_idle();
      interrupted.cancel();
      int err = 0;
      static_cast<void>(now.fixture.fetch(interrupted, err));
      if (err != ECANCELED) {
        now.report(err);
        return;
      }
    }
    now.fetch(streams->right.readv_pdu(two_steps));
    now.done = now.error == 0 && text_of(hello.body()) == "hello" && empty.body().empty() &&
               text_of(line.body()) == "line" && text_of(part) == "xxrest";
  };
}

Body write_to(Run& run, std::size_t size, std::size_t vectors, bool with_fd) {
  auto streams = connected(run);
  if (with_fd) {
    StreamOptions options;
    options.receive_fds = true;
    run.report(streams->right.set_options(options));
  }
  return [streams, size, vectors, with_fd](Run& now) {
    const std::vector<std::byte> bytes = pattern(size);
    std::vector<iovec> list;
    for (std::size_t i = 0; i < vectors; ++i) {
      const std::size_t begin = size * i / vectors;
      const std::size_t end = size * (i + 1) / vectors;
      list.push_back(make_vector(std::span(bytes).subspan(begin, end - begin)));
    }
    const std::array<int, 1> fds{streams->left.native_handle()};
    std::vector<std::byte> got(size);
    auto reading = streams->right.read(got);
    auto writing = with_fd ? streams->left.writev_with_fds(list, fds) : streams->left.writev(list);
    // When one side fails, the other may wait for ever.
    const bool over = now.fixture.run_until([&] {
      int err = 0;
      return writing.is_error(err) || reading.is_error(err) ||
             !(writing.is_in_progress() || reading.is_in_progress());
    });
    if (!over) return;
    for (auto* request : {&writing, &reading}) {
      int err = 0;
      if (request->is_error(err)) now.report(err);
    }
    if (now.error != 0) return;
    std::vector<UniqueFd> passed;
    try {
      passed = streams->right.take_received_fds();
    } catch (const std::bad_alloc&) {
      passed = streams->right.take_received_fds();  // they are still there
    }
    now.done = got == bytes && passed.size() == (with_fd ? 1U : 0U);
  };
}

Body disconnect_stream(Run& run) {
  auto streams = connected(run);
  return [streams](Run& now) {
    auto monitor = streams->right.monitor();
    now.fetch(streams->left.disconnect());
    int err = 0;
    now.fixture.fetch(monitor, err);
    if (err != EPIPE) now.report(err);
    now.done = err == EPIPE;
  };
}

Body monitor_reset(Run& run) {
  auto streams = connected(run);
  return [streams](Run& now) {
    auto monitor = streams->right.monitor();
    now.loop.run_until_idle();
    streams->left.abort();
    int err = 0;
    now.fixture.fetch(monitor, err);
    const bool expected = err == (now.kind == StreamKind::tcp ? ECONNRESET : EPIPE);
    if (!expected) now.report(err);
    now.done = expected;
  };
}

Body shut_down(Run& run) {
  auto streams = connected(run);
  return [streams](Run& now) {
    now.fetch(streams->left.shutdown_write());
    if (now.error != 0) return;
    std::array<std::byte, 1> byte{};
    auto reading = streams->right.read_some(byte);
    int err = 0;
    static_cast<void>(now.fixture.fetch(reading, err));
    if (err != EPIPE) now.report(err);
    now.done = err == EPIPE;
  };
}

Body adopt_stream(Run& run, bool with_stdin_closed) {
  static_cast<void>(run);
  return [with_stdin_closed](Run& now) {
    std::array<int, 2> fds{};
    std::unique_ptr<ClosedStdin> closed;
    if (with_stdin_closed) closed = std::make_unique<ClosedStdin>();
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()) != 0) {
      now.report(errno);
      return;
    }
    UniqueSocket first(fds[0]);
    const UniqueSocket second(fds[1]);
    int err = 0;
    Stream stream;
    try {
      stream = Stream::adopt(now.loop, first, {.receive_buffer = 8192}, err);
    } catch (const std::bad_alloc&) {
      return;  // not how it is to be reported
    }
    now.report(err);
    // A failure leaves the descriptor to its owner.
    now.done = err == 0 ? stream.is_open() : false;
    if (err != 0 && !first) now.error = 0;
  };
}

Body wrap_uv_handle(Run& run) {
  struct Handle {
    uv_pipe_t pipe{};
    bool is_closed = false;
  };
  std::array<int, 2> fds{};
  BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()) == 0);
  const auto peer = std::make_shared<UniqueFd>(fds[1]);
  const auto handle = std::make_shared<Handle>();
  uv_pipe_init(run.loop.native_handle(), &handle->pipe, 0);
  BOOST_TEST_REQUIRE(uv_pipe_open(&handle->pipe, fds[0]) == 0);
  handle->pipe.data = handle.get();
  return [handle, peer](Run& now) {
    auto* const stream = reinterpret_cast<uv_stream_t*>(&handle->pipe);
    const auto ownership = UvStreamOwnership::take(
        [](uv_stream_t* closed) { reinterpret_cast<Handle*>(closed)->is_closed = true; });
    int err = 0;
    Stream wrapped;
    try {
      wrapped = wrap_uv_stream(now.loop, stream, ownership, {}, err);
    } catch (const std::bad_alloc&) {
      err = 0;  // not how it is to be reported
    }
    const bool is_made = wrapped.is_open();
    if (is_made) {
      wrapped = Stream();
    } else if (uv_is_closing(reinterpret_cast<uv_handle_t*>(stream)) == 0) {
      // A failure leaves the handle as it was.
      if (handle->pipe.data == handle.get()) now.report(err);
      uv_close(reinterpret_cast<uv_handle_t*>(stream),
               [](uv_handle_t* closed) { reinterpret_cast<Handle*>(closed)->is_closed = true; });
    }
    uv_run(now.loop.native_handle(), UV_RUN_NOWAIT);
    now.done = is_made && handle->is_closed;
  };
}

Body ask_stream(Run& run) {
  auto streams = connected(run);
  run.fetch(streams->left.write("unread"));
  return [streams](Run& now) {
    int err = 0;
    const std::size_t bytes = streams->right.pending_bytes(err);
    now.report(err);
    if (now.error != 0) return;
    static_cast<void>(streams->left.pending_bytes(err));
    now.report(err);
    StreamOptions options{.keepalive = true, .receive_buffer = 10000};
    if (!uses_posix_alone()) options.user_timeout = 9s;
    now.report(streams->right.set_options(options));
    static_cast<void>(streams->right.peer_credentials(err));
    if (err != ENOTSUP) now.report(err);
    now.done = bytes == 6;
  };
}

Body adopt_listener(Run& run) {
  static_cast<void>(run);
  return [](Run& now) {
    UniqueSocket fd(::socket(AF_UNIX, SOCK_STREAM, 0));
    if (!fd) {
      now.report(errno);
      return;
    }
    const Address address = now.address();
    if (::bind(fd.get(), address.sockaddr_pointer(), static_cast<socklen_t>(address.sockaddr_length())) !=
            0 ||
        ::listen(fd.get(), 1) != 0) {
      now.report(errno);
    } else {
      int err = 0;
      const Listener listener = Listener::adopt(now.loop, fd, {}, err);
      now.report(err);
      now.done = static_cast<bool>(listener);
    }
    ::unlink(now.path.c_str());
  };
}

Body listen_over_stale_socket(Run& run) {
  run.listen({.unlink_on_close = false});
  return [](Run& now) {
    const Listener listener = now.listen({.mode = 0600U});
    now.done = static_cast<bool>(listener);
    // A socket that nobody listens on may be replaced, whatever failed on the way.
    static_cast<void>(::unlink(now.path.c_str()));
  };
}

Body echo(Run& run) {
  static_cast<void>(run);
  return [](Run& now) {
    Listener listener = now.listen();
    if (!listener) return;
    listener.set_pause_callback([&now](int err) { now.report(err); });
    Stream served;
    Queue replies(now.loop, "replies");
    Request<Pdu> reading;
    std::function<void()> next = [&] {
      reading = served.readv_pdu(framing::line{});
      reading.set_callback([&](Request<Pdu>& request) {
        int err = 0;
        Pdu pdu = request.recv(err);
        if (err != 0) {
          if (err != EPIPE) now.report(err);
          served = Stream();
          return;
        }
        const auto reply = pdu.vector();
        served.writev(replies, reply).detach([&now, pdu = std::move(pdu)](Request<ssize_t>& written) {
          int failure = 0;
          if (written.is_error(failure)) now.report(failure);
        });
        next();
      });
    };
    for_each_accept(
        listener,
        [&](Stream stream) {
          served = std::move(stream);
          next();
        },
        [&now](int err) { now.report(err); });
    Stream client = now.fetch(Stream::connect(now.loop, listener.local_address()));
    if (now.error != 0) return;
    now.fetch(client.write("a line\n"));
    if (now.error != 0) return;
    std::array<std::byte, 7> got{};
    auto answer = client.read(got);
    const bool over = now.fixture.run_until(
        [&] { return !answer.is_in_progress() || (now.error != 0 && !listener.is_paused()); });
    if (!over) return;
    int err = 0;
    static_cast<void>(answer.recv(err));
    if (now.error == 0) now.report(err);
    now.done = now.error == 0 && text_of(got) == "a line\n";
    client = Stream();
    served = Stream();
  };
}

enum class Layer : std::uint8_t { toy, tls, gssapi, sasl, npa };

#ifdef TSOCK_WITH_TLS

tls::PreSharedKey shared_key() { return {"shared", std::vector<std::byte>(32, std::byte{7})}; }

/// Of both sides, made before anything fails.
struct TlsContexts {
  int err = 0;
  std::string reason;
  tls::Context client =
      tls::Context::client({.trust = {}, .psk = shared_key(), .remembered_servers = 0}, err, reason);
  tls::Context server = tls::Context::server(
      {.find_psk = [](std::string_view) { return shared_key(); }, .tickets = 0}, err, reason);
};

const TlsContexts& tls_contexts() {
  static const TlsContexts contexts;
  return contexts;
}

#endif

Request<Stream> begin_layer(Stream below, Layer layer, bool is_client) {
#ifdef TSOCK_WITH_TLS
  if (layer == Layer::tls) {
    const TlsContexts& contexts = tls_contexts();
    return is_client ? tls::connect(std::move(below), contexts.client)
                     : tls::accept(std::move(below), contexts.server);
  }
#endif
  // Steps of the next two run on worker threads, where nothing fails; what carries and protects bytes does.
#ifdef TSOCK_WITH_GSSAPI
  if (layer == Layer::gssapi)
    return is_client ? gssapi::connect(std::move(below), {.target = "gsstest@localhost"})
                     : gssapi::accept(std::move(below));
#endif
#ifdef TSOCK_WITH_SASL
  if (layer == Layer::sasl) {
    sasl::ServerOptions server = sasl_server_options();
    server.security.highest_strength = 1;  // see ignore_leaks_of_digest_md5()
    return is_client ? sasl::connect(std::move(below), sasl_client_options("DIGEST-MD5"))
                     : sasl::accept(std::move(below), server);
  }
#endif
#ifdef TSOCK_WITH_NPA
  if (layer == Layer::npa) {
    const Address address = loopback_v4();
    return is_client ? npa::connect(std::move(below), npa::Identity::anonymous(address, address))
                     : npa::accept(std::move(below), {.trusts = [](const Stream&) { return true; }});
  }
#endif
  static_cast<void>(layer);
  const auto side = is_client ? ToyEngine::Side::client : ToyEngine::Side::server;
  return layer::layer_over(std::move(below), std::make_unique<ToyEngine>(side), "toy");
}

// A message, and the end behind it.
void send_one_way(Run& now, Stream& from, Stream& to, Layer layer) {
  std::array<std::byte, 5> got{};
  auto reading = to.read(got);
  now.fetch(from.write("hello"));
  if (now.error != 0) return;
  now.fetch(reading);
  if (now.error != 0) return;
  if (layer == Layer::toy || layer == Layer::tls) {
    now.fetch(from.shutdown_write());
  } else {
    from = Stream();  // there is no other end
  }
  if (now.error != 0) return;
  std::array<std::byte, 1> more{};
  auto last = to.read_some(more);
  int err = 0;
  static_cast<void>(now.fixture.fetch(last, err));
  if (err != EPIPE) now.report(err);
  now.done = err == EPIPE && text_of(got) == "hello";
}

Body put_layer_on_streams(Run& run, Layer layer) {
#ifdef TSOCK_WITH_TLS
  static_cast<void>(tls_contexts());
#endif
  auto streams = connected(run);
  return [streams, layer](Run& now) {
    auto connecting = begin_layer(std::move(streams->left), layer, true);
    auto accepting = begin_layer(std::move(streams->right), layer, false);
    Stream client = now.fetch(connecting);
    Stream server = now.fetch(accepting);
    if (now.error == 0) send_one_way(now, client, server, layer);
  };
}

Body accept_layered_stream(Run& run, Layer layer) {
#ifdef TSOCK_WITH_TLS
  static_cast<void>(tls_contexts());
#endif
  auto below = std::make_shared<Listener>(run.listen());
  return [below, layer](Run& now) {
    layer::ListenOptions options;
    options.on_failure = [&now](const Address&, int err, std::string_view) { now.report(err); };
    Listener listener = layer::listen_over(
        std::move(*below), [layer](Stream stream) { return begin_layer(std::move(stream), layer, false); },
        options);
    listener.set_pause_callback([&now](int err) { now.report(err); });
    auto accepting = listener.accept();
    Stream plain = now.fetch(Stream::connect(now.loop, listener.local_address()));
    if (now.error != 0) return;
    Stream client = now.fetch(begin_layer(std::move(plain), layer, true));
    if (now.error != 0) return;
    static_cast<void>(now.fixture.run_until([&] { return !accepting.is_in_progress() || now.error != 0; }));
    if (now.error != 0 && !listener.is_paused()) return;
    // A pause is over in a while, and the connection is there.
    Stream server = now.fetch(accepting);
    if (!server.is_open()) return;
    now.error = 0;
    send_one_way(now, client, server, layer);
  };
}

std::vector<Scenario> make_scenarios() {
  std::vector<Scenario> list = {
      {"listen", true, true,
       [](Run&) -> Body { return [](Run& now) { now.done = static_cast<bool>(now.listen()); }; }},
      {"listen with stdin closed", true, true,
       [](Run&) -> Body {
         return [](Run& now) {
           const ClosedStdin closed;
           now.done = static_cast<bool>(now.listen());
         };
       }},
      {"listen where a stale socket is", false, true, listen_over_stale_socket},
      {"connect", true, true, [](Run& run) { return connect_to(run, false, {}); }},
      {"connect with stdin closed", true, true, [](Run& run) { return connect_to(run, true, {}); }},
      {"connect and try again", true, true, [](Run& run) { return connect_to(run, false, {.timeout = 1h}); }},
      {"accept", true, true, [](Run& run) { return accept_from(run, false, 1); }, true},
      {"accept three", true, true, [](Run& run) { return accept_from(run, false, 3); }, true},
      {"accept with stdin closed", true, true, [](Run& run) { return accept_from(run, true, 1); }, true},
      {"read little", true, true, [](Run& run) { return read_from(run, 100, false, 1); }},
      {"read much in place", true, true, [](Run& run) { return read_from(run, 30000, false, 3); }},
      {"read with descriptors", false, true, [](Run& run) { return read_from(run, 100, true, 2); }},
      {"read messages", true, true, read_messages},
      {"write", true, true, [](Run& run) { return write_to(run, 100, 1, false); }},
      {"write vectors", true, true, [](Run& run) { return write_to(run, 30000, 5, false); }},
      {"write much", true, true, [](Run& run) { return write_to(run, 3000000, 2, false); }},
      {"write with a descriptor", false, true, [](Run& run) { return write_to(run, 100, 2, true); }},
      {"disconnect", true, true, disconnect_stream},
      {"monitor", true, true, monitor_reset},
      {"shut down", true, true, shut_down},
      {"adopt", false, true, [](Run& run) { return adopt_stream(run, false); }},
      {"adopt with stdin closed", false, true, [](Run& run) { return adopt_stream(run, true); }},
      {"adopt a listener", false, true, adopt_listener},
      {"wrap a handle of libuv's", false, true, wrap_uv_handle},
      {"ask", true, true, ask_stream},
      {"socketpair", false, true,
       [](Run&) -> Body {
         return [](Run& now) {
           int err = 0;
           const auto [left, right] = Stream::socketpair(now.loop, err);
           now.report(err);
           now.done = left.is_open() && right.is_open();
         };
       }},
      {"socketpair with stdin closed", false, true,
       [](Run&) -> Body {
         return [](Run& now) {
           const ClosedStdin closed;
           int err = 0;
           const auto [left, right] = Stream::socketpair(now.loop, err);
           now.report(err);
           now.done = left.is_open() && right.is_open();
         };
       }},
      {"echo", true, true, echo},
      {"layer", true, true, [](Run& run) { return put_layer_on_streams(run, Layer::toy); }},
      {"accept a stream with a layer", true, true,
       [](Run& run) { return accept_layered_stream(run, Layer::toy); }},
#ifdef TSOCK_WITH_TLS
      {"TLS", true, false, [](Run& run) { return put_layer_on_streams(run, Layer::tls); }},
      {"accept a stream with TLS", true, false,
       [](Run& run) { return accept_layered_stream(run, Layer::tls); }},
#endif
#ifdef TSOCK_WITH_SASL
      {"SASL", true, false, [](Run& run) { return put_layer_on_streams(run, Layer::sasl); }},
      {"accept a stream with SASL", true, false,
       [](Run& run) { return accept_layered_stream(run, Layer::sasl); }},
#endif
#ifdef TSOCK_WITH_NPA
      {"NPA", false, true, [](Run& run) { return put_layer_on_streams(run, Layer::npa); }},
      {"accept a stream with NPA", false, true,
       [](Run& run) { return accept_layered_stream(run, Layer::npa); }},
#endif
  };
#ifdef TSOCK_WITH_GSSAPI
  if (Kdc::is_installed()) {
    list.push_back(
        {"GSSAPI", true, false, [](Run& run) { return put_layer_on_streams(run, Layer::gssapi); }});
    list.push_back({"accept a stream with GSSAPI", true, false,
                    [](Run& run) { return accept_layered_stream(run, Layer::gssapi); }});
  }
#endif
  return list;
}

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> list = make_scenarios();
  return list;
}

struct Case {
  const Scenario* scenario;
  StreamKind kind;
};

std::ostream& operator<<(std::ostream& out, const Case& one) {
  return out << one.scenario->name << " on " << one.kind;
}

std::vector<Case> cases() {
  std::vector<Case> list;
  for (const Scenario& scenario : scenarios()) {
    // fcntl(2) is called for each socket that POSIX's accept(2) gives, and where it fails the connection is
    // lost.
    if (scenario.survives_failures && uses_posix_alone()) continue;
    if (scenario.on_tcp) list.push_back({&scenario, StreamKind::tcp});
    if (scenario.on_unix) list.push_back({&scenario, StreamKind::unix_socket});
  }
  return list;
}

/// Runs a scenario on a loop of its own. `inject` is given a function that runs the body.
template <class Inject>
void run_scenario(const Case& one, const std::string& path, Inject inject) {
  LoopFixture fixture;
  Run run{fixture, fixture.loop, one.kind, path};
  Body body = one.scenario->prepare(run);
  BOOST_TEST_REQUIRE(run.error == 0);
  inject(run, [&] {
    body(run);
    body = nullptr;
  });
}

/// A descriptor that libuv opens for the whole process must not be counted.
void warm_up() {
  const Loop loop;
  static_cast<void>(open_descriptor_count());
}

/// Nor must those that the test or a library opens for a scenario and keeps.
void warm_up(const Case& one, const std::string& path) {
  warm_up();
#ifdef TSOCK_WITH_GSSAPI
  if (std::string_view(one.scenario->name).ends_with("GSSAPI")) static_cast<void>(Kdc::get());
#endif
  run_scenario(one, path, [](Run&, const auto& body) { body(); });
}

/// A worker thread that nobody waits for any more may have files open for a while.
bool has_descriptors(std::size_t count) {
  const auto end = std::chrono::steady_clock::now() + 30s;
  while (open_descriptor_count() != count) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(failure_injection)

BOOST_DATA_TEST_CASE(every_system_call_that_fails_is_reported_and_leaks_nothing, data::make(cases()), one) {
  const TempDirectory directory;
  warm_up(one, directory / "socket");
  const std::size_t open_before = open_descriptor_count();
  const std::size_t bad_before = bad_closes();
  std::size_t injections = 0;
  for (std::size_t which = 0; which < most_errors; ++which) {
    bool injected = true;
    for (std::size_t n = 0; std::exchange(injected, false); ++n) {
      run_scenario(one, directory / "socket", [&](Run& run, const auto& body) {
        const FailNthCall injection(n, which);
        body();
        injected = injection.was_injected();
        if (!injected) {
          BOOST_TEST(run.done, "nothing failed, but it was not done; errno " << run.error);
        } else if (is_transient(injection.call(), injection.error())) {
          BOOST_TEST((run.done && run.error == 0), "call " << n << ", " << injection.call() << " with "
                                                           << error_name(injection.error()) << ": done "
                                                           << run.done << ", errno " << run.error);
        } else {
          // What was tried again and worked is as good as a report.
          BOOST_TEST((run.error != 0 || run.done), "call " << n << ", " << injection.call() << " with "
                                                           << error_name(injection.error())
                                                           << " is not reported");
          BOOST_TEST((run.done || !one.scenario->survives_failures),
                     "call " << n << ", " << injection.call() << " with " << error_name(injection.error()));
          if (run.error == 0)
            BOOST_TEST_MESSAGE(one << ": call " << n << ", " << injection.call() << " unnoticed");
        }
      });
      if (injected) ++injections;
      BOOST_TEST_REQUIRE(has_descriptors(open_before));
      BOOST_TEST_REQUIRE(n < 1000U);
    }
  }
  BOOST_TEST(bad_closes() == bad_before);
  BOOST_TEST_MESSAGE(one << ": " << injections << " injections");
}

BOOST_DATA_TEST_CASE(every_allocation_that_fails_is_reported_and_leaks_nothing, data::make(cases()), one) {
  const TempDirectory directory;
  warm_up(one, directory / "socket");
  const std::size_t open_before = open_descriptor_count();
  bool injected = true;
  for (std::size_t n = 0; std::exchange(injected, false); ++n) {
    run_scenario(one, directory / "socket", [&](Run& run, const auto& body) {
      bool thrown = false;
      const FailNthAllocation injection(n);
      try {
        body();
      } catch (const std::bad_alloc&) {
        thrown = true;
      }
      injected = injection.was_injected();
      BOOST_TEST((run.done || run.error != 0 || thrown), "allocation " << n << " is not reported");
      BOOST_TEST((run.done || thrown || !one.scenario->survives_failures), "allocation " << n);
    });
    BOOST_TEST_REQUIRE(has_descriptors(open_before));
    BOOST_TEST_REQUIRE(n < 1000U);
  }
}

BOOST_AUTO_TEST_CASE(a_loop_that_cannot_be_made_says_so) {
  warm_up();
  const std::size_t open_before = open_descriptor_count();
  bool injected = true;
  unsigned reported = 0;
  for (std::size_t n = 0; injected; ++n) {
    const FailNthCall injection(n, 0);
    int error = 0;
    try {
      const Loop loop;
    } catch (const std::system_error& failure) {
      error = failure.code().value();
      ++reported;
    }
    injected = injection.was_injected();
    // The look at descriptors 0 to 2 may fail: the loop then takes them for closed and does not use them.
    BOOST_TEST((error == 0 || injected));
    BOOST_TEST_REQUIRE(open_descriptor_count() == open_before);
  }
  BOOST_TEST(reported != 0U);
  injected = true;
  for (std::size_t n = 0; injected; ++n) {
    bool thrown = false;
    {
      const FailNthAllocation injection(n);
      try {
        const Loop loop;
      } catch (const std::bad_alloc&) {
        thrown = true;
      }
      injected = injection.was_injected();
    }
    BOOST_TEST(thrown == injected);
    BOOST_TEST_REQUIRE(open_descriptor_count() == open_before);
  }
}

BOOST_AUTO_TEST_CASE(a_connection_for_whose_stream_there_is_no_memory_is_kept_until_there_is_some) {
  LoopFixture fixture;
  int err = 0;
  Listener listener = Listener::tcp(fixture.loop, loopback_v4(), {.backlog = 100}, err);
  unsigned failures = 0;
  unsigned pauses = 0;
  listener.set_pause_callback([&](int) { ++pauses; });
  // So many that the pool of stream engines has to grow.
  std::vector<Stream> streams;
  for (std::size_t i = 0; i < 100; ++i) {
    Request<Stream> connecting = Stream::connect(fixture.loop, listener.local_address());
    streams.push_back(fixture.fetch(connecting, err));
    BOOST_TEST_REQUIRE(err == 0);
    Request<Stream> accepting;
    if (i == 0) {
      accepting = listener.accept();
    } else {
      const FailNthAllocation after_the_socket(1);
      accepting = listener.accept();  // at once, since there was one before
      if (after_the_socket.was_injected()) ++failures;
    }
    streams.push_back(fixture.fetch(accepting, err));
    BOOST_TEST_REQUIRE(streams.back().is_open());
  }
  BOOST_TEST(pauses == failures);
}

BOOST_AUTO_TEST_CASE(an_error_of_accept_that_stays_is_reported_and_does_not_hold_the_loop) {
  LoopFixture fixture;
  int err = 0;
  Listener listener = Listener::tcp(fixture.loop, loopback_v4(), {}, err);
  auto connecting = Stream::connect(fixture.loop, listener.local_address());
  const Stream client = fixture.fetch(connecting, err);
  BOOST_TEST(err == 0);
  auto accepting = listener.accept();
  {
    const FailEveryCall injection(SystemCall::accept, EINVAL);
    BOOST_TEST(fixture.error_of(accepting) == EINVAL);
    BOOST_TEST(injection.calls() < 1000U);
  }
  auto next = listener.accept();
  const Stream accepted = fixture.fetch(next, err);
  BOOST_TEST(err == 0);
}

// A.3 S5: EINTR, EAGAIN, EWOULDBLOCK, EINPROGRESS and ENOBUFS are tried again, nothing else.
BOOST_AUTO_TEST_CASE(no_memory_for_a_write_ends_writing_and_leaves_reading) {
  LoopFixture fixture;
  auto [left, right] = fixture.tcp_pair();
  {
    auto writing = left.write("lost");
    const FailEveryCall injection(SystemCall::send, ENOMEM);
    BOOST_TEST(fixture.error_of(writing) == ENOMEM);
    BOOST_TEST(injection.calls() == 1U);
  }
  BOOST_TEST(fixture.error_of(left.write("more")) == ENOMEM);
  BOOST_TEST(text_of(fixture.send_through(right, left, bytes_of("still read"))) == "still read");
  right = Stream();
  std::array<std::byte, 1> byte{};
  BOOST_TEST(fixture.error_of(left.read(byte)) == EPIPE);
}

BOOST_AUTO_TEST_CASE(no_memory_for_a_read_ends_reading_and_leaves_writing) {
  LoopFixture fixture;
  auto [left, right] = fixture.tcp_pair();
  BOOST_TEST(fixture.error_of(right.write("unread")) == 0);
  std::array<std::byte, 6> bytes{};
  {
    auto reading = left.read(bytes);
    const FailEveryCall injection(SystemCall::receive, ENOMEM);
    BOOST_TEST(fixture.error_of(reading) == ENOMEM);
    BOOST_TEST(injection.calls() == 1U);
  }
  BOOST_TEST(fixture.error_of(left.read(bytes)) == ENOMEM);
  BOOST_TEST(text_of(fixture.send_through(left, right, bytes_of("still sent"))) == "still sent");
}

BOOST_AUTO_TEST_CASE(no_memory_to_give_bytes_back_ends_reading_and_none_of_them_comes_later) {
  LoopFixture fixture;
  auto [left, right] = fixture.unix_pair();
  constexpr std::size_t part = 100000;
  const std::vector<std::byte> bytes = pattern(part + part / 2);
  std::vector<std::byte> first(part);
  std::vector<std::byte> second(part);
  const std::array<iovec, 2> vectors{make_vector(std::span(first)), make_vector(std::span(second))};
  Request<ssize_t> writing = left.write(bytes);
  Request<ssize_t> reading = right.readv(vectors);
  BOOST_TEST(fixture.run_until([&] { return reading.transferred() == bytes.size(); }));
  bool injected = false;
  {
    const FailNthAllocation injection(0);
    reading.cancel();
    injected = injection.was_injected();
  }
  BOOST_TEST(fixture.error_of(reading) == ECANCELED);
  if (!injected) return;  // another operator new than that of the test
  int err = 0;
  BOOST_TEST(right.pending_bytes(err) == 0U);
  BOOST_TEST(err == EPROTO);
  Request<ssize_t> more = right.read(first);
  BOOST_TEST(fixture.error_of(more) == EPROTO);
  BOOST_TEST(more.transferred() == 0U);
  Request<ssize_t> back = right.write("still writing");
  BOOST_TEST(fixture.error_of(back) == 0);
}

BOOST_AUTO_TEST_CASE(a_descriptor_that_cannot_be_passed_ends_writing_and_leaves_reading) {
  LoopFixture fixture;
  auto [left, right] = fixture.unix_pair();
  const std::array<std::byte, 4> bytes{};
  const std::array<iovec, 1> vectors{make_vector(std::span<const std::byte>(bytes))};
  const std::array<int, 1> fds{-1};
  BOOST_TEST(fixture.error_of(left.writev_with_fds(vectors, fds)) == EBADF);
  BOOST_TEST(text_of(fixture.send_through(right, left, bytes_of("still read"))) == "still read");
  right = Stream();
  std::array<std::byte, 1> byte{};
  BOOST_TEST(fixture.error_of(left.read(byte)) == EPIPE);
}

namespace {

/// Sends messages, has them echoed by another reader, and reads them in a third way.
void echo_messages(LoopFixture& fixture, StreamKind kind, bool receive_fds) {
  auto pair = fixture.stream_pair(kind);
  Stream& client = pair.first;
  Stream& server = pair.second;
  if (receive_fds) {
    StreamOptions options;
    options.receive_fds = true;
    BOOST_TEST_REQUIRE(server.set_options(options) == 0);
  }
  Queue requests(fixture.loop, "requests");
  Queue replies(fixture.loop, "replies");
  std::vector<std::vector<std::byte>> messages;
  std::vector<std::byte> all;
  for (std::size_t size = 0; size <= 40; ++size) {
    std::vector<std::byte> message = pattern(2 + size, static_cast<unsigned>(size));
    message[0] = std::byte{0};
    message[1] = static_cast<std::byte>(size);
    all.insert(all.end(), message.begin(), message.end());
    messages.push_back(std::move(message));
  }
  for (const auto& message : messages) client.write(requests, message).detach();

  Request<Pdu> reading;
  std::function<void()> next = [&] {
    reading = server.readv_pdu(framing::u16be{});
    reading.set_callback([&](Request<Pdu>& request) {
      int err = 0;
      Pdu pdu = request.recv(err);
      if (err != 0) return;
      const auto reply = pdu.vector();
      server.writev(replies, reply).detach([pdu = std::move(pdu)](Request<ssize_t>&) {});
      next();
    });
  };
  next();

  std::vector<std::byte> got;
  std::array<std::byte, 2> header{};
  std::vector<std::byte> body;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const auto header_then_body = [&, step = 0](VectorList& list) mutable {
      const std::size_t size = std::to_integer<std::size_t>(header[1]);
      if (step == 0) {
        list.add(header);
      } else if (step == 1 && size != 0) {
        body.assign(size, std::byte{});
        list.add(body);
      }
      if (++step == 2 && size == 0) body.clear();
      return 0;
    };
    auto request = client.readv_pdu(header_then_body);
    BOOST_TEST_REQUIRE(fixture.error_of(request) == 0);
    got.insert(got.end(), header.begin(), header.end());
    got.insert(got.end(), body.begin(), body.end());
  }
  BOOST_TEST((got == all));
}

}  // namespace

BOOST_DATA_TEST_CASE(messages_survive_transfers_of_a_few_bytes,
                     data::make({1, 2, 3, 7}) * data::make({StreamKind::tcp, StreamKind::unix_socket}), bytes,
                     kind) {
  for (const int error : {0, EINTR, EAGAIN, ENOBUFS}) {
    for (const unsigned every : {2U, 3U, 5U}) {
      if (error == 0 && every != 2U) continue;
      LoopFixture fixture;
      const ShortTransfers injection(static_cast<std::size_t>(bytes), every, error);
      echo_messages(fixture, kind, false);
      if (kind == StreamKind::unix_socket) echo_messages(fixture, kind, true);
    }
  }
}

BOOST_DATA_TEST_CASE(a_message_that_comes_in_two_parts_is_read_at_every_split,
                     data::make({StreamKind::tcp, StreamKind::unix_socket}), kind) {
  LoopFixture fixture;
  auto [client, server] = fixture.stream_pair(kind);
  const std::string message(
      "\0\0\0\x09"
      "delimited\r\nrest",
      19);
  for (std::size_t split = 1; split < message.size(); ++split) {
    auto framed = server.readv_pdu(framing::u32be{});
    const int fd = client.native_handle();
    BOOST_TEST_REQUIRE(::send(fd, message.data(), split, MSG_NOSIGNAL) == static_cast<ssize_t>(split));
    fixture.loop.run_until_idle();
    const std::size_t rest = message.size() - split;
    BOOST_TEST_REQUIRE(::send(fd, message.data() + split, rest, MSG_NOSIGNAL) == static_cast<ssize_t>(rest));
    int err = 0;
    const Pdu pdu = fixture.fetch(framed, err);
    BOOST_TEST(err == 0);
    BOOST_TEST(text_of(pdu.body()) == "delimited");
    auto line = server.readv_pdu(framing::line{});
    BOOST_TEST(text_of(fixture.fetch(line, err).body()).empty());
    std::array<std::byte, 4> last{};
    BOOST_TEST(fixture.error_of(server.read(last)) == 0);
    BOOST_TEST(text_of(last) == "rest");
  }
}

BOOST_AUTO_TEST_SUITE_END()

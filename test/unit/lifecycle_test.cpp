#include "tsock/lifecycle.hpp"

#include <cerrno>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <tsock/layer/layer_over.hpp>
#include <tsock/layer/listen_over.hpp>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/toy_engine.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using namespace tsock::test;

namespace {

struct LifecycleFixture : LoopFixture {
  struct Told {
    LifecycleKind kind;
    std::uint64_t stream;
    std::string name;
    int error;
    Address remote;
  };
  std::vector<Told> told;
  int err = 0;
  Listener listener = Listener::listen(loop, loopback_v4(), {}, err);

  LifecycleFixture() {
    loop.set_lifecycle_observer([this](const LifecycleEvent& event) {
      told.push_back({event.kind, event.stream, event.name, event.error, event.remote});
    });
  }
  ~LifecycleFixture() { loop.set_lifecycle_observer({}); }

  std::pair<Stream, Stream> connected() {
    Request<Stream> accepting = listener.accept();
    Request<Stream> connecting = Stream::connect(loop, listener.local_address());
    Stream first = fetch(connecting, err);
    BOOST_TEST_REQUIRE(err == 0);
    Stream second = fetch(accepting, err);
    BOOST_TEST_REQUIRE(err == 0);
    return {std::move(first), std::move(second)};
  }
  static Request<Stream> toy(Stream below, ToyEngine::Side side) {
    const bool begins = side == ToyEngine::Side::client;
    return layer::layer_over(std::move(below), std::make_unique<ToyEngine>(side),
                             begins ? "toy_connect" : "toy_accept");
  }
  [[nodiscard]] std::string text() const {
    std::string text;
    for (const Told& one : told) {
      if (!text.empty()) text += ' ';
      text += std::string(lifecycle_kind_name(one.kind)) + ':' + one.name;
      if (one.error != 0) text += '=' + std::string(error_name(one.error));
    }
    return text;
  }
  [[nodiscard]] const Told& find(LifecycleKind kind) const {
    for (const Told& one : told) {
      if (one.kind == kind) return one;
    }
    throw std::logic_error("nothing of the kind was told");
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(lifecycle, LifecycleFixture)

BOOST_AUTO_TEST_CASE(connects_accepts_and_ends_are_told_with_one_number) {
  auto [client, server] = connected();
  BOOST_TEST_REQUIRE(told.size() == 2U);
  const Told connected = find(LifecycleKind::connected);
  const Told accepted = find(LifecycleKind::accepted);
  BOOST_TEST(connected.remote == listener.local_address());
  BOOST_TEST(accepted.remote == client.local_address());
  BOOST_TEST(connected.stream != 0U);
  BOOST_TEST(accepted.stream != 0U);
  BOOST_TEST(connected.stream != accepted.stream);
  told.clear();
  static_cast<void>(send_through(client, server, pattern(100)));
  BOOST_TEST(text().empty());
  BOOST_TEST(error_of(server.disconnect()) == 0);
  BOOST_TEST_REQUIRE(text() == "ended:disconnect");
  BOOST_TEST(told[0].stream == accepted.stream);
  BOOST_TEST(told[0].remote == accepted.remote);
  client = Stream();
  server = Stream();
  BOOST_TEST_REQUIRE(text() == "ended:disconnect ended:destroyed");
  BOOST_TEST(told[1].stream == connected.stream);
}

BOOST_AUTO_TEST_CASE(failures_are_told_with_their_error) {
  const Address nobody = listener.local_address();
  listener = {};
  BOOST_TEST(error_of(Stream::connect(loop, nobody)) == ECONNREFUSED);
  BOOST_TEST_REQUIRE(text() == "connected:connect=ECONNREFUSED");
  BOOST_TEST(told[0].stream == 0U);
  BOOST_TEST(told[0].remote == nobody);
}

BOOST_AUTO_TEST_CASE(an_end_tells_what_has_broken_the_connection) {
  auto [client, server] = connected();
  told.clear();
  client.abort();
  BOOST_TEST(text() == "ended:abort");
  std::vector<std::byte> buffer(1);
  BOOST_TEST(error_of(server.read(buffer)) == ECONNRESET);
  server = Stream();
  BOOST_TEST(text() == "ended:abort ended:destroyed=ECONNRESET");
}

BOOST_AUTO_TEST_CASE(the_peers_end_is_no_error_and_a_socket_may_be_given_away) {
  auto [client, server] = connected();
  told.clear();
  std::vector<std::byte> unread;
  UniqueSocket socket = client.release_socket(unread, err);
  BOOST_TEST(text() == "ended:release_socket");
  client = Stream();
  BOOST_TEST(told.size() == 1U);
  socket.reset();
  std::vector<std::byte> buffer(1);
  BOOST_TEST(error_of(server.read(buffer)) == EPIPE);
  server = Stream();
  BOOST_TEST(text() == "ended:release_socket ended:destroyed");
}

BOOST_AUTO_TEST_CASE(a_layer_takes_over_the_number_of_the_stream_below) {
  auto [client, server] = connected();
  const std::uint64_t below = find(LifecycleKind::connected).stream;
  const Address remote = find(LifecycleKind::connected).remote;
  told.clear();
  Request<Stream> there = toy(std::move(client), ToyEngine::Side::client);
  Request<Stream> here = toy(std::move(server), ToyEngine::Side::server);
  client = fetch(there, err);
  BOOST_TEST(err == 0);
  server = fetch(here, err);
  BOOST_TEST(err == 0);
  BOOST_TEST_REQUIRE(told.size() == 2U);
  const std::size_t ours = told[0].name == "toy_connect" ? 0 : 1;
  BOOST_TEST((told[ours].kind == LifecycleKind::handshake));
  BOOST_TEST(told[ours].name == "toy_connect");
  BOOST_TEST(told[ours].stream == below);
  BOOST_TEST(told[ours].remote == remote);
  told.clear();
  client = Stream();
  BOOST_TEST_REQUIRE(text() == "ended:destroyed");
  BOOST_TEST(told[0].stream == below);
}

BOOST_AUTO_TEST_CASE(a_handshake_that_fails_ends_the_stream) {
  auto [client, server] = connected();
  told.clear();
  Request<Stream> here = toy(std::move(server), ToyEngine::Side::server);
  BOOST_TEST(error_of(client.write("this is none of its messages")) == 0);
  client = Stream();
  BOOST_TEST(error_of(here) != 0);
  BOOST_TEST(told.size() == 2U);
  const Told& handshake = find(LifecycleKind::handshake);
  BOOST_TEST(handshake.error != 0);
  BOOST_TEST(handshake.stream != 0U);
  BOOST_TEST(handshake.stream != find(LifecycleKind::ended).stream);
}

BOOST_AUTO_TEST_CASE(a_handshake_that_is_given_up_ends_the_stream) {
  auto [client, server] = connected();
  told.clear();
  Request<Stream> here = toy(std::move(server), ToyEngine::Side::server);
  loop.run_until_idle();
  here = {};
  BOOST_TEST(text() == "ended:toy_accept=ECANCELED");
}

BOOST_AUTO_TEST_CASE(a_listener_of_layers_tells_each_step_once) {
  listener = layer::listen_over(
      std::move(listener), [](Stream below) { return toy(std::move(below), ToyEngine::Side::server); }, {});
  Request<Stream> accepting = listener.accept();
  Request<Stream> connecting = Stream::connect(loop, listener.local_address());
  Stream client = fetch(connecting, err);
  Request<Stream> there = toy(std::move(client), ToyEngine::Side::client);
  client = fetch(there, err);
  BOOST_TEST(err == 0);
  Stream server = fetch(accepting, err);
  BOOST_TEST(err == 0);
  std::vector<Told> of_server;
  for (const Told& one : told) {
    if (one.stream == find(LifecycleKind::accepted).stream) of_server.push_back(one);
  }
  BOOST_TEST_REQUIRE(of_server.size() == 2U);
  BOOST_TEST((of_server[1].kind == LifecycleKind::handshake));
  BOOST_TEST(told.size() == 4U);
  told.clear();
  server = Stream();
  BOOST_TEST_REQUIRE(text() == "ended:destroyed");
  BOOST_TEST(told[0].stream == of_server[0].stream);
}

BOOST_AUTO_TEST_CASE(streams_from_before_and_others_are_not_told) {
  loop.set_lifecycle_observer({});
  auto before = connected();
  loop.set_lifecycle_observer([this](const LifecycleEvent& event) {
    told.push_back({event.kind, event.stream, event.name, event.error, event.remote});
  });
  before = {Stream(), Stream()};
  static_cast<void>(unix_pair());
  static_cast<void>(memory_pair());
  BOOST_TEST(text().empty());
}

BOOST_AUTO_TEST_CASE(an_observer_may_throw_replace_itself_and_destroy_the_loop) {
  loop.set_lifecycle_observer([this](const LifecycleEvent&) {
    loop.set_lifecycle_observer({});
    throw std::runtime_error("by the observer");
  });
  Request<Stream> connecting = Stream::connect(loop, listener.local_address());
  BOOST_CHECK_THROW(loop.run(), std::runtime_error);
  BOOST_TEST(error_of(connecting) == 0);

  auto other = std::make_unique<Loop>();
  other->set_lifecycle_observer([&other](const LifecycleEvent&) { other.reset(); });
  Request<Stream> last = Stream::connect(*other, listener.local_address());
  other->run();
  BOOST_TEST(other.get() == nullptr);
}

BOOST_AUTO_TEST_SUITE_END()

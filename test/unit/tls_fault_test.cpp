// What a peer, and who sits between, can do to a TLS stream: garbage, cuts, flipped bits, silence, storms.
#if defined(TSOCK_TEST_CERTIFICATES)

#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <limits>
#include <ostream>
#include <string>
#include <string_view>
#include <tsock/tls/tls.hpp>
#include <utility>
#include <vector>

#include "support/certificates/certificate.hpp"
#include "support/certificates/openssl_objects.hpp"
#include "support/loop_fixture.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

namespace data = boost::unit_test::data;
using openssl::check;

constexpr std::size_t never = std::numeric_limits<std::size_t>::max();
constexpr std::size_t message_size = 40;
constexpr std::chrono::milliseconds no_time(0);

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// What is made once for the whole program.
class Contexts {
 public:
  explicit Contexts(tls::Version version, bool may_be_cut = false) {
    const tls::ProtocolOptions protocol{
        .lowest = version, .highest = version, .allow_missing_close_notify = may_be_cut};
    const auto key = [](std::string_view) {
      return tls::PreSharedKey("shared", std::vector<std::byte>(32, std::byte{7}));
    };
    int err = 0;
    std::string reason;
    client = tls::Context::client(
        {.trust = {}, .psk = key(""), .remembered_servers = 0, .protocol = protocol}, err, reason);
    BOOST_TEST_REQUIRE(err == 0, reason);
    tls::ServerOptions options{.find_psk = key, .tickets = 0, .protocol = protocol};
    server = tls::Context::server(options, err, reason);
    BOOST_TEST_REQUIRE(err == 0, reason);
  }
  static const Contexts& of(tls::Version version) {
    static const Contexts tls1_2(tls::Version::tls1_2);
    static const Contexts tls1_3(tls::Version::tls1_3);
    return version == tls::Version::tls1_2 ? tls1_2 : tls1_3;
  }

  tls::Context client;
  tls::Context server;
};

// ---- a session of two parties, and who sits between them ----

/// One side: a handshake, a message, the end of its side, the message of the other side, the other's end.
class Party {
 public:
  /// \param sent what is sent \param expected what is to come
  Party(Request<Stream> handshake, std::vector<std::byte> sent, std::vector<std::byte> expected)
      : shaking_(std::move(handshake)),
        sent_(std::move(sent)),
        expected_(std::move(expected)),
        room_(expected_.size()) {}

  /// \return whether something was over
  bool step() {
    int err = 0;
    if (shaking_ && !shaking_.is_in_progress()) {
      stream_ = shaking_.recv(err);
      if (err != 0) return end(err, std::string(shaking_.reason()));
      shaking_ = {};
      is_shaken_ = true;
      writing_ = stream_.write(sent_);
      reading_ = stream_.read(room_);
      return true;
    }
    if (writing_ && !writing_.is_in_progress()) {
      writing_.recv(err);
      writing_ = {};
      if (err == 0) closing_ = stream_.shutdown_write();
      return true;
    }
    if (closing_ && !closing_.is_in_progress()) {
      closing_ = {};
      return true;
    }
    if (reading_ && !reading_.is_in_progress()) {
      reading_.recv(err);
      if (err != 0) return end(err, std::string(reading_.reason()));
      has_message_ = true;
      BOOST_TEST((room_ == expected_), "other bytes than were sent");
      reading_ = stream_.read(std::span(room_).first(1));
      return true;
    }
    return false;
  }
  [[nodiscard]] bool is_over() const noexcept { return is_over_; }
  [[nodiscard]] bool is_shaken() const noexcept { return is_shaken_; }
  /// Whether it got everything and then the end.
  [[nodiscard]] bool has_ended_in_order() const noexcept { return has_message_ && err_ == EPIPE; }
  [[nodiscard]] int err() const noexcept { return err_; }
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
  [[nodiscard]] Request<Stream>& handshake() noexcept { return shaking_; }
  void close() {
    writing_ = {};
    closing_ = {};
    stream_ = {};
  }

 private:
  // Who meets an error gives up. Who is told of the end stays until its own side has ended.
  bool end(int err, std::string reason) {
    err_ = err;
    reason_ = std::move(reason);
    is_over_ = true;
    shaking_ = {};
    reading_ = {};
    if (err != EPIPE) close();
    return true;
  }

  Request<Stream> shaking_;
  Stream stream_;
  std::vector<std::byte> sent_;
  std::vector<std::byte> expected_;
  std::vector<std::byte> room_;
  Request<ssize_t> writing_;
  Request<ssize_t> reading_;
  Request<void> closing_;
  int err_ = 0;
  std::string reason_;
  bool is_shaken_ = false;
  bool has_message_ = false;
  bool is_over_ = false;
};

/// What happens to the bytes of one direction.
struct Harm {
  std::size_t cut = never;   ///< the stream ends behind so many bytes
  std::size_t stop = never;  ///< nothing comes behind so many bytes
  std::size_t flip = never;  ///< a bit of this byte
};

/// Carries the bytes of one direction.
class Way {
 public:
  Way(Stream& from, Stream& to, const Harm& harm) : from_(from), to_(to), harm_(harm) { read(); }

  bool step() {
    int err = 0;
    if (reading_ && !reading_.is_in_progress()) {
      const ssize_t got = reading_.recv(err);
      reading_ = {};
      if (err != 0) return end();
      auto size = static_cast<std::size_t>(got);
      if (harm_.flip >= moved_ && harm_.flip - moved_ < size)
        buffer_[harm_.flip - moved_] ^= std::byte{1} << (harm_.flip % 8);
      size = std::min({size, harm_.cut - moved_, harm_.stop - moved_});
      moved_ += size;
      if (size == 0) return end();
      writing_ = to_.write(std::span<const std::byte>(buffer_).first(size));
      return true;
    }
    if (writing_ && !writing_.is_in_progress()) {
      writing_.recv(err);
      writing_ = {};
      if (moved_ == harm_.cut || err != 0) return end();
      if (moved_ != harm_.stop) read();
      return true;
    }
    if (ending_ && !ending_.is_in_progress()) ending_ = {};
    return false;
  }
  [[nodiscard]] std::size_t moved() const noexcept { return moved_; }
  /// The receiver is told of the end. \return whether it was not before
  bool end() {
    if (has_ended_) return false;
    has_ended_ = true;
    reading_ = {};
    if (harm_.stop == never) ending_ = to_.shutdown_write();
    return true;
  }

 private:
  void read() { reading_ = from_.read_some(buffer_); }

  Stream& from_;
  Stream& to_;
  Harm harm_;
  std::array<std::byte, 512> buffer_{};
  Request<ssize_t> reading_;
  Request<ssize_t> writing_;
  Request<void> ending_;
  std::size_t moved_ = 0;
  bool has_ended_ = false;
};

enum class Direction : std::uint8_t { to_server, to_client };

/// A client and a server over memory, where every byte of the one or the other passes a relay.
class Session {
 public:
  Session(LoopFixture& fixture, const Contexts& contexts, Direction direction, const Harm& harm)
      : fixture_(fixture),
        near_(memory_stream_pair(fixture.loop)),
        far_(memory_stream_pair(fixture.loop)),
        client(tls::connect(std::move(near_.first), contexts.client, {.goodbye_time = no_time}),
               pattern(message_size, 1), pattern(message_size, 2)),
        server(tls::accept(std::move(far_.second), contexts.server, {.goodbye_time = no_time}),
               pattern(message_size, 2), pattern(message_size, 1)),
        to_server(near_.second, far_.first, direction == Direction::to_server ? harm : Harm{}),
        to_client(far_.first, near_.second, direction == Direction::to_client ? harm : Harm{}) {}

  /// Until nothing moves any more.
  void run_until_quiet() {
    for (unsigned turns = 0;; ++turns) {
      BOOST_TEST_REQUIRE(turns < 100000U);
      fixture_.loop.run_until_idle();
      bool is_going = false;
      for (const bool step : {client.step(), server.step(), to_server.step(), to_client.step()})
        is_going = is_going || step;
      if (!is_going) return;
    }
  }
  /// Until both are over; who waits for what does not come is told of the end, and then cut off.
  void run() {
    run_until_quiet();
    if (is_over()) return;
    to_server.end();
    to_client.end();
    run_until_quiet();
    if (is_over()) return;
    near_.second.abort();
    far_.first.abort();
    run_until_quiet();
    BOOST_TEST_REQUIRE(is_over());
  }

 private:
  LoopFixture& fixture_;
  std::pair<Stream, Stream> near_;
  std::pair<Stream, Stream> far_;

 public:
  Party client;
  Party server;
  Way to_server;
  Way to_client;

  [[nodiscard]] bool is_over() const noexcept { return client.is_over() && server.is_over(); }
  [[nodiscard]] Party& receiver(Direction direction) noexcept {
    return direction == Direction::to_server ? server : client;
  }
  [[nodiscard]] Way& way(Direction direction) noexcept {
    return direction == Direction::to_server ? to_server : to_client;
  }
};

struct Course {
  tls::Version version;
  Direction direction;
};
std::ostream& operator<<(std::ostream& out, const Course& course) {
  return out << (course.version == tls::Version::tls1_2 ? "TLS 1.2, " : "TLS 1.3, ")
             << (course.direction == Direction::to_server ? "to the server" : "to the client");
}
constexpr std::array courses{
    Course{tls::Version::tls1_2, Direction::to_server}, Course{tls::Version::tls1_2, Direction::to_client},
    Course{tls::Version::tls1_3, Direction::to_server}, Course{tls::Version::tls1_3, Direction::to_client}};
constexpr std::array versions{tls::Version::tls1_2, tls::Version::tls1_3};

/// Bytes of a session that nobody harms.
std::size_t bytes_of_session(LoopFixture& fixture, const Course& course) {
  Session session(fixture, Contexts::of(course.version), course.direction, {});
  session.run();
  BOOST_TEST(session.client.has_ended_in_order(), session.client.err() << session.client.reason());
  BOOST_TEST(session.server.has_ended_in_order(), session.server.err() << session.server.reason());
  return session.way(course.direction).moved();
}

/// The message and the goodbye come last.
std::size_t bytes_of_goodbye(tls::Version version) {
  return 2 + (version == tls::Version::tls1_3 ? 5 + 1 + 16 : 5 + 16);
}
std::size_t bytes_of_data(tls::Version version) {
  return bytes_of_goodbye(version) + bytes_of_goodbye(version) - 2 + message_size;
}

// ---- a peer of OpenSSL alone ----

using SslContext = openssl::Owner<SSL_CTX, &SSL_CTX_free>;
using Ssl = openssl::Owner<SSL, &SSL_free>;

unsigned give_key(unsigned char* key, unsigned size) {
  BOOST_TEST_REQUIRE(size >= 32U);
  std::fill_n(key, 32, static_cast<unsigned char>(7));
  return 32;
}

/// An SSL at the other end of a socket pair.
class RawPeer {
 public:
  enum class Side : std::uint8_t { client, server };

  RawPeer(LoopFixture& fixture, Side side, tls::Version version, const tls::Context& context)
      : fixture_(fixture),
        context_(check(SSL_CTX_new(side == Side::client ? TLS_client_method() : TLS_server_method()),
                       "SSL_CTX_new")) {
    const int number = version == tls::Version::tls1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
    SSL_CTX_set_min_proto_version(context_.get(), number);
    SSL_CTX_set_max_proto_version(context_.get(), number);
    SSL_CTX_set_num_tickets(context_.get(), 0);
    SSL_CTX_set_psk_client_callback(context_.get(), [](SSL*, const char*, char* identity, unsigned size,
                                                       unsigned char* key, unsigned most) {
      std::string_view("shared").copy(identity, size);
      identity[6] = '\0';
      return give_key(key, most);
    });
    SSL_CTX_set_psk_server_callback(context_.get(), [](SSL*, const char*, unsigned char* key, unsigned most) {
      return give_key(key, most);
    });
    SSL_CTX_set_msg_callback(context_.get(), [](int is_sent, int, int type, const void* bytes, size_t size,
                                                SSL*, void* self) {
      static_cast<RawPeer*>(self)->see(is_sent != 0, type, {static_cast<const unsigned char*>(bytes), size});
    });
    SSL_CTX_set_msg_callback_arg(context_.get(), this);
    auto [near, far] = fixture.unix_pair();
    int err = 0;
    std::vector<std::byte> unread;
    socket_ = far.release_socket(unread, err);
    BOOST_TEST_REQUIRE(err == 0);
    ssl_.reset(check(SSL_new(context_.get()), "SSL_new"));
    check(SSL_set_fd(ssl_.get(), static_cast<int>(socket_.get())), "SSL_set_fd");
    Request<Stream> shaking;
    if (side == Side::client) {
      SSL_set_connect_state(ssl_.get());
      shaking = tls::accept(std::move(near), context);
    } else {
      SSL_set_accept_state(ssl_.get());
      shaking = tls::connect(std::move(near), context);
    }
    BOOST_TEST_REQUIRE(drive([&] { return SSL_do_handshake(ssl_.get()); }) == 1);
    ours = fixture.fetch(shaking, err);
    BOOST_TEST_REQUIRE(err == 0, shaking.reason());
  }

  /// Runs the loop until a call of OpenSSL needs no more input. \return its result
  template <class Call>
  int drive(Call call) {
    int result = 0;
    const bool is_over = fixture_.run_until([&] {
      result = call();
      if (result == 1 || SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) return true;
      fixture_.loop.post([] {});
      return false;
    });
    BOOST_TEST_REQUIRE(is_over);
    return result;
  }
  int write(std::string_view text) {
    std::size_t written = 0;
    return SSL_write_ex(ssl_.get(), text.data(), text.size(), &written);
  }
  std::string read(std::size_t size) {
    std::string text(size, '\0');
    std::size_t got = 0;
    drive([&] { return SSL_read_ex(ssl_.get(), text.data(), size, &got); });
    text.resize(got);
    return text;
  }
  [[nodiscard]] SSL* ssl() const noexcept { return ssl_.get(); }

  Stream ours;
  unsigned key_updates = 0;  ///< that have come
  unsigned alerts = 0;
  unsigned handshake_messages = 0;

 private:
  void see(bool is_sent, int type, std::span<const unsigned char> bytes) {
    if (is_sent || bytes.empty()) return;
    if (type == SSL3_RT_HANDSHAKE) {
      ++handshake_messages;
      if (bytes[0] == SSL3_MT_KEY_UPDATE) ++key_updates;
    }
    if (type == SSL3_RT_ALERT) ++alerts;
  }

  LoopFixture& fixture_;
  SslContext context_;
  UniqueSocket socket_;
  Ssl ssl_;
};

struct FaultFixture : LoopFixture {
  /// A pair with TLS on it.
  std::pair<Stream, Stream> tls_pair(StreamKind kind, const Contexts& contexts,
                                     std::chrono::milliseconds goodbye_time = std::chrono::seconds(2)) {
    return over(stream_pair(kind), contexts, goodbye_time);
  }
  std::pair<Stream, Stream> over(std::pair<Stream, Stream> pair, const Contexts& contexts,
                                 std::chrono::milliseconds goodbye_time = std::chrono::seconds(2)) {
    Request<Stream> left =
        tls::connect(std::move(pair.first), contexts.client, {.goodbye_time = goodbye_time});
    Request<Stream> right =
        tls::accept(std::move(pair.second), contexts.server, {.goodbye_time = goodbye_time});
    int err = 0;
    pair.first = fetch(left, err);
    BOOST_TEST_REQUIRE(err == 0, left.reason());
    pair.second = fetch(right, err);
    BOOST_TEST_REQUIRE(err == 0, right.reason());
    return pair;
  }

  /// What comes of a handshake with a peer that says only this, and then ends.
  std::string reason_after(std::string_view bytes, Direction direction) {
    auto [ours, peer] = tcp_pair();
    const Contexts& contexts = Contexts::of(tls::Version::tls1_3);
    Request<Stream> shaking = direction == Direction::to_server
                                  ? tls::accept(std::move(ours), contexts.server)
                                  : tls::connect(std::move(ours), contexts.client);
    BOOST_TEST(error_of(peer.write(bytes)) == 0);
    BOOST_TEST(error_of(peer.shutdown_write()) == 0);
    BOOST_TEST(error_of(shaking) == EPROTO);
    return std::string(shaking.reason());
  }

  int end_of(Stream& stream) {
    std::byte byte{};
    return error_of(stream.read(std::span(&byte, 1)));
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(tls_fault, FaultFixture)

// ---- what is no TLS ----

BOOST_AUTO_TEST_CASE(http_is_called_by_its_name) {
  const std::string_view words = "the peer speaks HTTP, not TLS";
  for (const std::string_view request :
       {"GET / HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\n\r\n", "HEAD / HTTP/1.0\r\n\r\n"})
    BOOST_TEST(reason_after(request, Direction::to_server) == words);
  BOOST_TEST(contains(reason_after("CONNECT a:1 HTTP/1.1\r\n\r\n", Direction::to_server), "HTTP"));
  BOOST_TEST(reason_after("HTTP/1.1 400 Bad Request\r\n\r\n", Direction::to_client) == words);
}

BOOST_AUTO_TEST_CASE(garbage_is_no_tls) {
  using namespace std::string_literals;
  for (const Direction direction : {Direction::to_server, Direction::to_client}) {
    for (const std::string& garbage :
         {"SSH-2.0-OpenSSH_9.2\r\n"s, "220 mail.example.com ESMTP\r\n"s, std::string(100, '\0'),
          std::string(100, '\xff'), "\x16\x03\x01\x48\x01"s + std::string(100, 'x'),
          "\x15\x03\x01\xff\xff"s + std::string(100, 'x'), "\x16\x03\x01\x00\x04\x0e\x00\x00\x00"s,
          "\x17\x03\x03\x00\x05hello"s, "\x14\x03\x03\x00\x01\x01"s, "\x16\x03\x01\x00\x00"s}) {
      BOOST_TEST(!reason_after(garbage, direction).empty());
    }
    BOOST_TEST(reason_after("SSH-2.0-OpenSSH_9.2\r\n", direction) == "the peer does not speak TLS");
  }
}

BOOST_AUTO_TEST_CASE(peer_that_ends_at_once_has_ended_in_the_middle) {
  for (const Direction direction : {Direction::to_server, Direction::to_client})
    BOOST_TEST(contains(reason_after("\x16", direction), "ended"));
}

// ---- who sits between ----

BOOST_DATA_TEST_CASE(connection_cut_behind_any_byte_is_an_error, data::make(courses), course) {
  const std::size_t total = bytes_of_session(*this, course);
  BOOST_TEST_REQUIRE(total > bytes_of_data(course.version));
  for (std::size_t cut = 0; cut <= total; ++cut) {
    Session session(*this, Contexts::of(course.version), course.direction, {.cut = cut});
    session.run();
    Party& receiver = session.receiver(course.direction);
    BOOST_TEST(receiver.err() == (cut == total ? EPIPE : EPROTO),
               "behind " << cut << " of " << total << ": " << receiver.reason());
    BOOST_TEST(receiver.has_ended_in_order() == (cut == total));
    BOOST_TEST((cut == total || contains(receiver.reason(), "end")), receiver.reason());
  }
}

BOOST_DATA_TEST_CASE(flipped_bit_changes_no_byte_of_the_user, data::make(courses), course) {
  const std::size_t total = bytes_of_session(*this, course);
  for (std::size_t flip = 0; flip < total; ++flip) {
    Session session(*this, Contexts::of(course.version), course.direction, {.flip = flip});
    session.run();
    Party& receiver = session.receiver(course.direction);
    // Some bytes of a handshake are of no account, such as the version in front of the first one.
    const bool is_data = flip >= total - bytes_of_data(course.version);
    BOOST_TEST((receiver.has_ended_in_order() ? !is_data : receiver.err() != EPIPE),
               "byte " << flip << " of " << total << ": " << receiver.err() << ' ' << receiver.reason());
    if (is_data) BOOST_TEST(receiver.err() == EPROTO, "byte " << flip << ": " << receiver.reason());
  }
}

// ---- a peer that stops ----

BOOST_DATA_TEST_CASE(handshake_with_a_peer_that_stops_ends_by_deadline, data::make(courses), course) {
  const std::size_t most = bytes_of_session(*this, course) - bytes_of_data(course.version);
  for (std::size_t stop = 0; stop < most; stop += 7) {
    Session session(*this, Contexts::of(course.version), course.direction, {.stop = stop});
    session.run_until_quiet();
    Party& receiver = session.receiver(course.direction);
    BOOST_TEST_REQUIRE(!receiver.is_over(), "behind " << stop << " bytes: " << receiver.reason());
    BOOST_TEST_REQUIRE(!receiver.is_shaken());
    receiver.handshake().set_timeout(no_time);
    BOOST_TEST_REQUIRE(run_until([&] { return !receiver.handshake().is_in_progress(); }));
    receiver.step();
    BOOST_TEST(receiver.err() == ETIMEDOUT);
  }
}

BOOST_DATA_TEST_CASE(handshake_is_cancelled_at_any_step, data::make(courses), course) {
  const std::size_t most = bytes_of_session(*this, course) - bytes_of_data(course.version);
  for (std::size_t stop = 0; stop < most; stop += 7) {
    Session session(*this, Contexts::of(course.version), course.direction, {.stop = stop});
    session.run_until_quiet();
    Party& receiver = session.receiver(course.direction);
    receiver.handshake().cancel();
    session.run_until_quiet();
    BOOST_TEST(receiver.err() == ECANCELED);
  }
}

BOOST_DATA_TEST_CASE(handshake_is_destroyed_at_any_step, data::make(courses), course) {
  const std::size_t most = bytes_of_session(*this, course) - bytes_of_data(course.version);
  for (std::size_t stop = 0; stop < most; stop += 7) {
    Session session(*this, Contexts::of(course.version), course.direction, {.stop = stop});
    session.run_until_quiet();
    session.receiver(course.direction).handshake() = {};
    loop.run_until_idle();
  }
}

// ---- the end ----

BOOST_AUTO_TEST_CASE(connection_that_ends_without_close_notify_is_cut) {
  for (const tls::Version version : versions) {
    for (const StreamKind kind : {StreamKind::tcp, StreamKind::memory}) {
      auto [left, right] = tls_pair(kind, Contexts::of(version));
      right = Stream();
      std::byte byte{};
      auto reading = left.read(std::span(&byte, 1));
      BOOST_TEST(error_of(reading) == EPROTO);
      BOOST_TEST(reading.reason() == "the peer has ended the connection without a close_notify");
    }
  }
}

BOOST_AUTO_TEST_CASE(missing_close_notify_may_be_allowed) {
  for (const tls::Version version : versions) {
    const Contexts contexts(version, true);
    for (const StreamKind kind : {StreamKind::tcp, StreamKind::memory}) {
      auto [left, right] = tls_pair(kind, contexts);
      right = Stream();
      BOOST_TEST(end_of(left) == EPIPE);
    }
  }
}

// Nobody ends a connection in order inside of a record.
BOOST_AUTO_TEST_CASE(record_that_is_cut_is_an_error_though_close_notify_may_be_missing) {
  for (const Course& course : courses) {
    const Contexts contexts(course.version, true);
    const std::size_t total = bytes_of_session(*this, course);
    const std::size_t before_goodbye = total - bytes_of_goodbye(course.version);
    const std::size_t before_message = total - bytes_of_data(course.version);
    for (std::size_t cut = before_message; cut <= total; ++cut) {
      Session session(*this, contexts, course.direction, {.cut = cut});
      session.run();
      const Party& receiver = session.receiver(course.direction);
      const bool is_between = cut == before_message || cut == before_goodbye || cut == total;
      BOOST_TEST(receiver.err() == (is_between ? EPIPE : EPROTO),
                 course << ", behind " << cut << " of " << total << ": " << receiver.reason());
    }
  }
}

BOOST_AUTO_TEST_CASE(disconnect_says_goodbye_both_ways) {
  for (const tls::Version version : versions) {
    for (const StreamKind kind : {StreamKind::tcp, StreamKind::memory}) {
      auto [left, right] = tls_pair(kind, Contexts::of(version), std::chrono::hours(1));
      auto leaving = left.disconnect();
      BOOST_TEST(end_of(right) == EPIPE);  // not EPROTO: there was a close_notify
      BOOST_TEST(leaving.is_in_progress());
      auto answering = right.disconnect();
      BOOST_TEST(error_of(answering) == 0);
      BOOST_TEST(error_of(leaving) == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(disconnect_waits_for_a_goodbye_no_longer_than_it_is_told) {
  for (const tls::Version version : versions) {
    for (const StreamKind kind : {StreamKind::tcp, StreamKind::memory}) {
      auto [left, right] = tls_pair(kind, Contexts::of(version), std::chrono::milliseconds(1));
      BOOST_TEST(error_of(left.disconnect()) == 0);  // the other side says nothing
      BOOST_TEST(!left.is_open());
    }
  }
}

BOOST_AUTO_TEST_CASE(half_close_leaves_the_other_direction) {
  for (const tls::Version version : versions) {
    for (const StreamKind kind : {StreamKind::tcp, StreamKind::memory}) {
      auto [left, right] = tls_pair(kind, Contexts::of(version));
      auto closing = left.shutdown_write();
      BOOST_TEST(end_of(right) == EPIPE);
      BOOST_TEST(error_of(closing) == 0);
      BOOST_TEST(text_of(send_through(right, left, bytes_of("still there"))) == "still there");
      BOOST_TEST(error_of(left.write("more")) == EPIPE);
    }
  }
}

// ---- small buffers ----

BOOST_AUTO_TEST_CASE(tiny_buffers_carry_a_mebibyte_both_ways) {
  for (const tls::Version version : versions) {
    auto pair = unix_pair();
    for (Stream* const stream : {&pair.first, &pair.second})
      BOOST_TEST_REQUIRE(stream->set_options({.receive_buffer = 1, .send_buffer = 1}) == 0);
    auto [left, right] = over(std::move(pair), Contexts::of(version));
    const std::vector<std::byte> there = pattern(std::size_t{1} << 20U, 3);
    const std::vector<std::byte> back = pattern(std::size_t{1} << 20U, 4);
    std::vector<std::byte> got_there(there.size());
    std::vector<std::byte> got_back(back.size());
    auto writing_there = left.write(there);
    auto writing_back = right.write(back);
    auto reading_there = right.read(got_there);
    auto reading_back = left.read(got_back);
    BOOST_TEST(error_of(reading_there) == 0);
    BOOST_TEST(error_of(reading_back) == 0);
    BOOST_TEST(error_of(writing_there) == 0);
    BOOST_TEST(error_of(writing_back) == 0);
    BOOST_TEST((got_there == there));
    BOOST_TEST((got_back == back));
  }
}

// ---- messages of the protocol ----

BOOST_AUTO_TEST_CASE(client_that_wants_to_renegotiate_is_refused) {
  RawPeer peer(*this, RawPeer::Side::client, tls::Version::tls1_2, Contexts::of(tls::Version::tls1_2).server);
  std::byte byte{};
  auto reading = peer.ours.read(std::span(&byte, 1));
  check(SSL_renegotiate(peer.ssl()), "SSL_renegotiate");
  const unsigned messages = peer.handshake_messages;
  BOOST_TEST(peer.drive([&] { return SSL_do_handshake(peer.ssl()); }) != 1);
  BOOST_TEST(peer.alerts == 1U);
  BOOST_TEST(peer.handshake_messages == messages);
  ERR_clear_error();
}

BOOST_AUTO_TEST_CASE(server_that_wants_to_renegotiate_is_refused_and_the_stream_goes_on) {
  RawPeer peer(*this, RawPeer::Side::server, tls::Version::tls1_2, Contexts::of(tls::Version::tls1_2).client);
  check(SSL_renegotiate(peer.ssl()), "SSL_renegotiate");
  check(SSL_do_handshake(peer.ssl()), "SSL_do_handshake");
  std::byte byte{};
  auto reading = peer.ours.read(std::span(&byte, 1));
  loop.run_until_idle();
  BOOST_TEST(reading.is_in_progress());
  BOOST_TEST(error_of(peer.ours.write("answer")) == 0);
  peer.read(6);
  BOOST_TEST(peer.alerts == 1U);
  ERR_clear_error();
}

BOOST_AUTO_TEST_CASE(key_update_is_answered) {
  for (const RawPeer::Side side : {RawPeer::Side::client, RawPeer::Side::server}) {
    const Contexts& contexts = Contexts::of(tls::Version::tls1_3);
    RawPeer peer(*this, side, tls::Version::tls1_3,
                 side == RawPeer::Side::client ? contexts.server : contexts.client);
    for (unsigned round = 1; round <= 3; ++round) {
      check(SSL_key_update(peer.ssl(), SSL_KEY_UPDATE_REQUESTED), "SSL_key_update");
      BOOST_TEST(peer.write("request") == 1);
      std::array<std::byte, 7> request{};
      BOOST_TEST(error_of(peer.ours.read(request)) == 0);
      BOOST_TEST(text_of(request) == "request");
      BOOST_TEST(error_of(peer.ours.write("answer")) == 0);
      BOOST_TEST(peer.read(6) == "answer");
      BOOST_TEST(peer.key_updates == round);
    }
  }
}

BOOST_AUTO_TEST_CASE(storm_of_key_updates_ends_the_stream) {
  RawPeer peer(*this, RawPeer::Side::client, tls::Version::tls1_3, Contexts::of(tls::Version::tls1_3).server);
  std::byte byte{};
  auto reading = peer.ours.read(std::span(&byte, 1));
  unsigned sent = 0;
  BOOST_TEST(run_until([&] {
    for (unsigned i = 0; i < 50 && reading.is_in_progress(); ++i) {
      SSL_key_update(peer.ssl(), SSL_KEY_UPDATE_REQUESTED);
      if (SSL_do_handshake(peer.ssl()) == 1) ++sent;
    }
    loop.post([] {});
    return !reading.is_in_progress();
  }));
  BOOST_TEST(error_of(reading) == EPROTO);
  BOOST_TEST(contains(reading.reason(), "no data"), reading.reason());
  BOOST_TEST(sent < 10000U);
  ERR_clear_error();
}

// What is sent in between excuses a storm, but not that its answers are kept for a peer that never reads.
BOOST_AUTO_TEST_CASE(answers_to_a_peer_that_does_not_read_are_bounded) {
  RawPeer peer(*this, RawPeer::Side::server, tls::Version::tls1_2, Contexts::of(tls::Version::tls1_2).client);
  std::array<std::byte, 64> room{};
  auto reading = peer.ours.read_some(room);
  unsigned rounds = 0;
  int err = 0;
  BOOST_TEST(run_until([&] {
    for (unsigned i = 0; i < 50 && err == 0; ++i) {
      if (SSL_renegotiate(peer.ssl()) == 1 && SSL_do_handshake(peer.ssl()) == 1 && peer.write("x") == 1)
        ++rounds;
      loop.run_until_idle();
      if (reading.is_in_progress()) continue;
      reading.recv(err);
      if (err == 0) reading = peer.ours.read_some(room);
    }
    loop.post([] {});
    return err != 0 || rounds > 200000;
  }));
  BOOST_TEST(err == EPROTO);
  BOOST_TEST(contains(reading.reason(), "does not read"), reading.reason());
  ERR_clear_error();
}

BOOST_AUTO_TEST_SUITE_END()

#endif

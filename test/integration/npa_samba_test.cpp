// Our pipes against Samba: a client of samba-dcerpcd, and a server whose clients come through smbd.
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <tsock/npa/npa.hpp>
#include <utility>
#include <vector>

#include "support/npa_fixture.hpp"
#include "support/rpc.hpp"
#include "support/samba.hpp"

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;

std::uint32_t number_at(const std::string& text, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;)
    value = value << 8U | static_cast<std::uint32_t>(static_cast<unsigned char>(text.at(at + i)));
  return value;
}

npa::Identity ordinary_user() {
  int err = -1;
  const npa::Sid sid = npa::Sid::parse("S-1-5-21-1-2-3-1000", err);
  return npa::Identity::user(sid, "SCOUT", "somebody", {.uid = 1000, .gid = 1000, .groups = {1000}},
                             npa_address("127.0.0.1", 1234), npa_address("127.0.0.1", 445));
}

/// Answers each message, or what has come, with the same bytes.
class PipeEcho {
 public:
  PipeEcho(Stream stream, npa::FileType mode) : stream_(std::move(stream)), mode_(mode), bytes_(70000) {
    read();
  }
  [[nodiscard]] bool has_ended() const noexcept { return end_ != 0; }
  [[nodiscard]] int end() const noexcept { return end_; }
  [[nodiscard]] const std::vector<std::size_t>& sizes() const noexcept { return sizes_; }
  [[nodiscard]] const Stream& stream() const noexcept { return stream_; }

 private:
  void read() {
    if (mode_ == npa::FileType::message_mode) {
      message_ = stream_.read_message();
      message_.set_callback([this](Request<Pdu>& request) {
        int err = 0;
        pdu_ = request.recv(err);
        if (err == 0) {
          write(pdu_.bytes());
        } else {
          end_ = err;
        }
      });
    } else {
      some_ = stream_.read_some(bytes_);
      some_.set_callback([this](Request<ssize_t>& request) {
        int err = 0;
        const ssize_t got = request.recv(err);
        if (err == 0) {
          write(std::span(bytes_).first(static_cast<std::size_t>(got)));
        } else {
          end_ = err;
        }
      });
    }
  }
  void write(std::span<const std::byte> bytes) {
    sizes_.push_back(bytes.size());
    writing_ = stream_.write(bytes);
    writing_.set_callback([this](Request<ssize_t>& request) {
      int err = 0;
      request.recv(err);
      if (err == 0) {
        read();
      } else {
        end_ = err;
      }
    });
  }

  Stream stream_;
  npa::FileType mode_;
  std::vector<std::byte> bytes_;
  Pdu pdu_;
  Request<Pdu> message_;
  Request<ssize_t> some_;
  Request<ssize_t> writing_;
  int end_ = 0;
  std::vector<std::size_t> sizes_;
};

/// Calls samba-dcerpcd for a client of smbd, in his name: each message of one goes to the other.
class PipeGateway {
 public:
  PipeGateway(Loop& loop, const std::string& directory, const char* pipe, Stream client)
      : client_(std::move(client)) {
    connecting_ = npa::connect(loop, directory, pipe, *npa::identity(client_));
    connecting_.set_callback([this](Request<Stream>& request) {
      server_ = request.recv(err_);
      if (err_ != 0) return;
      pass(client_, server_, there_);
      pass(server_, client_, back_);
    });
  }
  [[nodiscard]] bool has_ended() const noexcept { return err_ != 0; }

 private:
  struct Way {
    Request<Pdu> reading = {};
    Request<ssize_t> writing = {};
  };
  void pass(Stream& from, Stream& to, Way& way) {
    way.reading = from.read_message();
    way.reading.set_callback([this, &from, &to, &way](Request<Pdu>& request) {
      Pdu message = request.recv(err_);
      if (err_ != 0) return;
      way.writing = to.write(std::move(message));
      way.writing.set_callback([this, &from, &to, &way](Request<ssize_t>&) { pass(from, to, way); });
    });
  }

  Stream client_;
  Stream server_;
  Request<Stream> connecting_;
  Way there_;
  Way back_;
  int err_ = 0;
};

struct SambaFixture : NpaFixture {
  std::string talk(Stream& stream, const std::string& pdu) {
    BOOST_TEST(error_of(stream.write(pdu)) == 0);
    return message_of(stream);
  }
  Stream connected_to(const SambaPlace& place, const char* pipe, const npa::Identity& who) {
    Request<Stream> connecting = npa::connect(loop, place.ncalrpc(), pipe, who);
    int err = -1;
    Stream stream = fetch(connecting, err);
    BOOST_TEST_REQUIRE(err == 0, connecting.reason());
    return stream;
  }
  static constexpr const char* user = "daemon";  // an account that every system has
  static constexpr const char* password = "secret";
  static void add_user(const SambaPlace& place) {
    Process smbpasswd({"smbpasswd", "-c", place.config(), "-s", "-a", user});
    smbpasswd.write(password + std::string("\n") + password + "\n");
    BOOST_TEST_REQUIRE(smbpasswd.finish() == 0, smbpasswd.error());
  }
  /// A program of Samba that talks to smbd.
  static std::vector<std::string> client_of_smbd(const char* program, const SambaPlace& place, bool is_user) {
    return {program,
            "-s",
            place.config(),
            "-p",
            std::to_string(Smbd::port),
            "-U",
            is_user ? user + std::string("%") + password : "%"};
  }
  void serve_a_client_of_smbd(npa::FileType mode, bool is_user) {
    const SambaPlace place(true);
    if (is_user) add_user(place);
    int err = -1;
    std::string reason;
    std::vector<std::string> failures;
    npa::ListenOptions options{.each = {.reply = {.file_type = mode}}};
    options.handshakes.on_failure = [&](const Address&, int, std::string_view why) {
      failures.emplace_back(why);
    };
    Listener listener = npa::listen(loop, place.pipes(), "OurPipe", options, err, reason);
    BOOST_TEST_REQUIRE(err == 0, reason);
    std::optional<PipeEcho> echo;
    for_each_accept(listener, [&](Stream stream) { echo.emplace(std::move(stream), mode); });

    const Smbd daemon(place);
    std::vector<std::string> words = libsmb_client(place);
    if (is_user) {
      words.emplace_back(user);
      words.emplace_back(password);
    }
    Process client(words);
    BOOST_TEST_REQUIRE(run_until([&] { return echo.has_value() || !failures.empty(); }));
    BOOST_TEST_REQUIRE(failures.empty(), (failures.empty() ? "" : failures.front()));

    const npa::Identity* const who = npa::identity(echo->stream());
    BOOST_TEST_REQUIRE(who != nullptr);
    BOOST_TEST(who->is_anonymous() == !is_user);
    BOOST_TEST(who->is_authenticated() == is_user);
    BOOST_TEST((who->transport == npa::Transport::ncacn_np));
    BOOST_TEST(who->remote_address.string().starts_with("ipv4:127.0.0.1"));
    BOOST_TEST(who->session_key.size() == 16U);
    BOOST_TEST_REQUIRE(who->account.has_value());
    BOOST_TEST_REQUIRE(who->unix_token.has_value());
    BOOST_TEST_REQUIRE(who->unix_names.has_value());
    if (is_user) {
      BOOST_TEST(who->account->account_name.value() == user);
      BOOST_TEST(who->account->domain_name.value() == "SCOUT");
      BOOST_TEST(who->unix_token->uid == 1U);
    } else {
      BOOST_TEST(who->account->account_name.value() == "ANONYMOUS LOGON");
    }

    BOOST_TEST(run_until([&] { return echo->has_ended(); }));
    BOOST_TEST((echo->end() == EPIPE || echo->end() == ECONNRESET));
    BOOST_TEST(client.finish() == 0, client.error());
    BOOST_TEST(client.output() == echoed_to_libsmb);
    if (mode == npa::FileType::message_mode) {
      const std::vector<std::size_t> expected{5, 3000, 60000};
      BOOST_TEST(echo->sizes() == expected, boost::test_tools::per_element());
    }
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(npa_samba, SambaFixture)

BOOST_AUTO_TEST_CASE(our_client_calls_samba_dcerpcd) {
  if (!has_samba_dcerpcd()) return;
  const SambaPlace place;
  const SambaDcerpcd daemon(place);
  for (const npa::Identity& who : {anonymous_client(), ordinary_user()}) {
    Stream epmapper = connected_to(place, "epmapper", who);
    const std::string bound = talk(epmapper, rpc_bind(epmapper_interface));
    BOOST_TEST(bound.at(type_of_rpc_pdu) == rpc_bind_ack);
    int err = -1;
    BOOST_TEST(npa::reply(epmapper, err).file_type == npa::FileType::message_mode);

    Stream srvsvc = connected_to(place, "SRVSVC", who);
    BOOST_TEST(talk(srvsvc, rpc_bind(srvsvc_interface)).at(type_of_rpc_pdu) == rpc_bind_ack);
    const std::string answer = talk(srvsvc, rpc_time_request());  // pointer, seconds since 1970, ...
    BOOST_TEST_REQUIRE(answer.size() >= 32U);
    BOOST_TEST(answer.at(type_of_rpc_pdu) == rpc_response);
    const auto seconds = static_cast<std::time_t>(number_at(answer, 28));
    BOOST_TEST(std::abs(seconds - std::time(nullptr)) < 1000);
    BOOST_TEST(error_of(srvsvc.disconnect()) == 0);
  }
}

BOOST_AUTO_TEST_CASE(samba_dcerpcd_refuses_what_it_does_not_like) {
  if (!has_samba_dcerpcd()) return;
  const SambaPlace place;
  const SambaDcerpcd daemon(place);
  // Only one of the two is spoken; the other is a silent end.
  int spoken = 0;
  for (const npa::Level level : {npa::Level::level7, npa::Level::level8}) {
    Request<Stream> connecting =
        npa::connect(loop, place.ncalrpc(), "epmapper", anonymous_client(), {.level = level});
    const int err = error_of(connecting);
    spoken += err == 0 ? 1 : 0;
    if (err != 0) BOOST_TEST(connecting.reason().starts_with("the server has closed without a reply"));
  }
  BOOST_TEST(spoken == 1);
  BOOST_TEST(error_of(npa::connect(loop, place.ncalrpc(), "nosuchpipe", anonymous_client())) == ENOENT);
}

BOOST_DATA_TEST_CASE_F(SambaFixture, clients_of_smbd_reach_our_server,
                       data::make({npa::FileType::message_mode, npa::FileType::byte_mode}) *
                           data::make({false, true}),
                       mode, is_user) {
  if (const SmbdTurn turn; turn) serve_a_client_of_smbd(mode, is_user);
}

BOOST_DATA_TEST_CASE_F(SambaFixture, a_file_that_smbclient_puts_is_a_message_of_its_user,
                       data::make({false, true}), is_user) {
  const SmbdTurn turn;
  if (!turn) return;
  const SambaPlace place(true);
  if (is_user) add_user(place);
  const TemporaryFolder folder;
  const std::string bytes = text_of(pattern(60000));
  int err = -1;
  std::string reason;
  Listener listener = npa::listen(loop, place.pipes(), "OurPipe", {}, err, reason);
  BOOST_TEST_REQUIRE(err == 0, reason);
  Request<Stream> accepting = listener.accept();

  const Smbd daemon(place);
  std::vector<std::string> words = client_of_smbd("smbclient", place, is_user);
  words.insert(words.end(), {"//127.0.0.1/IPC$", "-c", "put " + folder.write("file", bytes) + " OurPipe"});
  Process client(words);
  Stream stream = fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST_REQUIRE(npa::identity(stream) != nullptr);
  BOOST_TEST(npa::identity(stream)->is_authenticated() == is_user);
  BOOST_TEST((message_of(stream) == bytes));
  BOOST_TEST(sees_end(stream));
  BOOST_TEST(client.finish() == 0, client.error());
}

BOOST_DATA_TEST_CASE_F(SambaFixture, rpcclient_calls_samba_dcerpcd_through_our_server,
                       data::make({false, true}), is_user) {
  const SmbdTurn turn;
  if (!turn || !has_samba_dcerpcd()) return;
  const SambaPlace behind;
  const SambaDcerpcd server(behind);
  const SambaPlace place(true);
  if (is_user) add_user(place);
  int err = -1;
  std::string reason;
  Listener listener = npa::listen(loop, place.pipes(), "srvsvc", {}, err, reason);
  BOOST_TEST_REQUIRE(err == 0, reason);
  std::optional<PipeGateway> gateway;
  for_each_accept(
      listener, [&](Stream stream) { gateway.emplace(loop, behind.ncalrpc(), "srvsvc", std::move(stream)); });

  const Smbd daemon(place);
  std::vector<std::string> words = client_of_smbd("rpcclient", place, is_user);
  words.insert(words.end(), {"127.0.0.1", "-c", "srvinfo"});
  Process client(words);
  BOOST_TEST(run_until([&] { return gateway.has_value() && gateway->has_ended(); }));
  BOOST_TEST(client.finish() == 0, client.error());
  BOOST_TEST(client.output().find("platform_id     :\t500\n") != std::string::npos, client.output());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test

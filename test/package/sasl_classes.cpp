// Uses every public class and every free function of tsock::sasl, so that a shared one is known to export
// them.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <tsock/memory_stream.hpp>
#include <tsock/sasl/sasl.hpp>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

namespace sasl = tsock::sasl;

void require(bool right, const char* what) {
  if (right) return;
  std::fprintf(stderr, "wrong: %s\n", what);
  std::exit(1);
}

template <class T>
T result(tsock::Request<T> request, const char* what) {
  int err = 0;
  require(request.wait(err), what);
  T value = request.recv(err);
  require(err == 0, what);
  return value;
}

sasl::SecurityOptions anonymous() { return {.allow_by_name = {"ANONYMOUS"}}; }

sasl::ClientOptions client_options() {
  sasl::ClientOptions options;
  options.service = "test";
  options.host = "localhost";
  options.mechanisms = {"ANONYMOUS"};
  options.user = [] { return std::string("me"); };
  options.security = anonymous();
  return options;
}

sasl::ServerOptions server_options() {
  sasl::ServerOptions options;
  options.service = "test";
  options.host = "localhost";
  options.mechanisms = {"ANONYMOUS"};
  options.security = anonymous();
  return options;
}

void use_sessions(tsock::Loop& loop) {
  int err = 0;
  std::string reason;
  auto client = sasl::ClientSession::create(client_options(), err, reason);
  require(err == 0, reason.c_str());
  auto server = sasl::ServerSession::create(server_options(), err, reason);
  require(err == 0 && bool(server), reason.c_str());
  require(server.mechanisms().size() == 1, "mechanisms()");
  const sasl::Reply first = client.start("ANONYMOUS", err);
  require(err == 0 && first.bytes.has_value(), "start() of the client");
  const sasl::Reply last = server.start(client.peer().mechanism, *first.bytes, err);
  require(err == 0 && last.is_done && server.is_done(), "start() of the server");
  static_cast<void>(server.step("x", err));
  require(err != 0 && server.reason().find("secret") == std::string::npos, "step() of the server");
  static_cast<void>(client.step("x", err));
  static_cast<void>(sasl::ClientSession().step(loop, "x"));
  static_cast<void>(sasl::ClientSession().start(loop, "x"));
  static_cast<void>(sasl::ServerSession().step(loop, "x"));
  static_cast<void>(sasl::ServerSession().start(loop, "x", std::nullopt));
  auto below = tsock::memory_stream_pair(loop);
  static_cast<void>(result(sasl::wrap(std::move(below.first), std::move(server)), "wrap()"));
}

void use_streams(tsock::Loop& loop) {
  auto below = tsock::memory_stream_pair(loop);
  auto connecting = sasl::connect(std::move(below.first), client_options());
  auto accepting = sasl::accept(std::move(below.second), server_options());
  const tsock::Stream client = result(std::move(connecting), "connect()");
  const tsock::Stream server = result(std::move(accepting), "accept()");
  int err = 0;
  require(sasl::peer(client, err).mechanism == "ANONYMOUS" && err == 0, "peer()");
  require(sasl::peer(server, err).strength == 0 && err == 0, "peer() of the server");
}

}  // namespace

int main() {
  tsock::Loop loop;
  use_sessions(loop);
  use_streams(loop);
  return 0;
}

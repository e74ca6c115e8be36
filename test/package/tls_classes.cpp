// Uses every public class and every free function of tsock::tls, so that a shared one is known to export
// them.
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <tsock/layer/listen_over.hpp>
#include <tsock/memory_stream.hpp>
#include <tsock/tls/tls.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

namespace {

namespace tls = tsock::tls;

void require(bool right, const char* what) {
  if (right) return;
  std::fprintf(stderr, "wrong: %s\n", what);
  std::exit(1);
}

template <class T>
T result(tsock::Request<T>& request, const char* what) {
  int err = 0;
  require(request.wait(err), what);
  T value = request.recv(err);
  require(err == 0, what);
  return value;
}

tls::PreSharedKey key() { return {"me", std::vector<std::byte>(32, std::byte{7})}; }

tls::Context client_context() {
  tls::ClientOptions options;
  options.trust.system_cas = false;
  options.psk = key();
  int err = 0;
  std::string reason;
  tls::Context context = tls::Context::client(options, err, reason);
  require(err == 0 && bool(context), reason.c_str());
  return context;
}

tls::Context server_context() {
  tls::ServerOptions options;
  options.find_psk = [](std::string_view identity) { return identity == "me" ? key() : tls::PreSharedKey(); };
  require(options.ticket_keys.rotate() == 0, "rotate()");
  const std::array<std::byte, tls::TicketKeys::key_size> shared{};
  require(options.ticket_keys.rotate(shared) == 0, "rotate() to a key of ours");
  int err = 0;
  std::string reason;
  tls::Context context = tls::Context::server(options, err, reason);
  require(err == 0, reason.c_str());
  return context;
}

void use_streams(tsock::Loop& loop) {
  auto below = tsock::memory_stream_pair(loop);
  const tls::Context copy = client_context();
  auto connecting = tls::connect(std::move(below.first), copy);
  auto accepting = tls::accept(std::move(below.second), server_context());
  tsock::Stream client = result(connecting, "connect()");
  tsock::Stream server = result(accepting, "accept()");
  int err = 0;
  const tls::Peer peer = tls::peer(server, err);
  require(err == 0 && peer.psk_identity == "me" && peer.version == "TLSv1.3", "peer()");
  const auto binding = tls::channel_binding(client, tls::ChannelBinding::exporter, err);
  require(err == 0 && binding == tls::channel_binding(server, tls::ChannelBinding::exporter, err),
          "channel_binding()");
  require(tls::export_keying_material(client, "EXPERIMENTAL label", "", 32, err).size() == 32 && err == 0,
          "export_keying_material()");
}

void use_listeners(tsock::Loop& loop) {
  int err = 0;
  const auto any = tsock::Address::inet_from_strings("ip", "127.0.0.1", 0, err);
  const tls::Context server = server_context();
  auto listener = tls::listen(tsock::Listener::tcp(loop, any, {}, err), server);
  require(err == 0, "listen()");
  auto accepting = listener.accept();
  auto opening = tsock::Stream::connect(loop, listener.local_address());
  auto connecting = tls::connect(result(opening, "a connection"), client_context());
  require(result(connecting, "connect() over TCP").is_open(), "a stream");
  require(result(accepting, "accept() of a listener").is_open(), "another one");
  auto reloading = tls::listen(tsock::Listener::tcp(loop, any, {}, err), [server] { return server; });
  require(err == 0 && reloading.local_address().port() != 0, "listen() with a function");
}

}  // namespace

int main() {
  tsock::Loop loop;
  use_streams(loop);
  use_listeners(loop);
  int err = 0;
  require(tls::describe_certificate("none", err).subject.empty() && err == EINVAL, "describe_certificate()");
  std::puts("every public class of TLS: ok");
}

// Uses every public class and every free function of tsock::gssapi, so that a shared one is known to export
// them. There is no KDC here: what needs one fails as it should.
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <tsock/gssapi/gssapi.hpp>
#include <tsock/memory_stream.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

namespace {

namespace gssapi = tsock::gssapi;

void require(bool right, const char* what) {
  if (right) return;
  std::fprintf(stderr, "wrong: %s\n", what);
  std::exit(1);
}

int error_of(tsock::Request<tsock::Stream> request) {
  int err = 0;
  require(request.wait(err), "wait()");
  static_cast<void>(request.recv(err));
  return err;
}

void use_credentials() {
  gssapi::Credentials credentials;
  require(!credentials, "the system's credentials");
  credentials = gssapi::Credentials::with_password("me@EXAMPLE.COM", "secret");
  const gssapi::Credentials copy = credentials;
  require(bool(copy), "with_password()");
  std::string reason;
  require(gssapi::Credentials().store("MEMORY:none", reason) == EINVAL, "store()");
  require(bool(gssapi::Credentials::from_ccache("FILE:/nonexistent")), "from_ccache()");
  require(bool(gssapi::Credentials::from_keytab("/nonexistent", "me@EXAMPLE.COM")), "from_keytab()");
}

void use_streams(tsock::Loop& loop) {
  auto below = tsock::memory_stream_pair(loop);
  int err = 0;
  static_cast<void>(gssapi::peer(below.first, err));
  require(err == ENOTSUP, "peer()");
  require(error_of(gssapi::connect(std::move(below.first), {})) == EINVAL, "connect()");
  require(error_of(gssapi::accept(std::move(below.second))) == EPROTO, "accept()");
  const std::array<std::byte, 4> value{};
  require(!gssapi::channel_bindings("tls-server-end-point", value).empty(), "channel_bindings()");
}

void use_contexts() {
  std::vector<std::byte> bytes;
  bool answers = false;
  gssapi::SecurityContext context;
  require(context.step({}, bytes, answers) == EINVAL, "no context");
  context = gssapi::SecurityContext::server();
  require(!context.is_established() && context.peer().name.empty(), "server()");
  const std::array<std::byte, 4> token{};
  require(context.step(token, bytes, answers) != 0 && !context.reason().empty(), "step()");
  context = gssapi::SecurityContext::client({.target = "host@localhost"});
  gssapi::Protection protection = gssapi::Protection::integrity;
  require(context.wrap("text", protection, bytes) == EINVAL, "wrap()");
  require(context.unwrap(bytes, bytes, protection) == EINVAL, "unwrap()");
  require(context.sign("text", bytes) == EINVAL && context.verify("text", "text") == EINVAL, "sign()");
  require(context.wrap_size_limit(100, protection) == 0, "wrap_size_limit()");
}

}  // namespace

int main() {
  tsock::Loop loop;
  use_credentials();
  use_streams(loop);
  use_contexts();
  return 0;
}

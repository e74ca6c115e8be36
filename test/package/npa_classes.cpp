// Uses every public class and every free function of tsock::npa, so that a shared one is known to export
// them.
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <tsock/memory_stream.hpp>
#include <tsock/npa/npa.hpp>
#include <tsock/tsock.hpp>
#include <unordered_set>
#include <utility>

namespace {

namespace npa = tsock::npa;

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

npa::Identity user() {
  int err = 0;
  const npa::Sid sid = npa::Sid::parse("S-1-5-21-1-2-3-1000", err);
  require(err == 0 && sid.to_string() == "S-1-5-21-1-2-3-1000", "Sid");
  std::ostringstream out;
  out << npa::Sid::from_parts(5, sid.sub_authorities(), err);
  require(out.str() == sid.to_string() && std::unordered_set<npa::Sid>{sid}.contains(sid),
          "Sid::from_parts()");
  npa::Identity identity = npa::Identity::user(sid, "DOMAIN", "me", {.uid = 1000, .gid = 1000},
                                               tsock::Address::parse("127.0.0.1:1", err),
                                               tsock::Address::parse("127.0.0.1:2", err));
  const std::array<std::byte, 16> key{};
  identity.session_key = npa::SecretBytes(key);
  npa::SecretBytes other;
  require(other.reset(16).size() == 16 && other == identity.session_key, "SecretBytes");
  other = identity.session_key;
  other.clear();
  require(identity.is_authenticated() && !identity.is_anonymous() && !identity.to_string().empty() &&
              identity.token.has(sid) && !identity.token.identities().empty() &&
              identity.token.claims.empty(),
          "Identity");
  return identity;
}

void use_streams(tsock::Loop& loop) {
  auto below = tsock::memory_stream_pair(loop);
  const npa::Identity identity = user();
  auto connecting = npa::connect(std::move(below.first), identity);
  require(!npa::is_root_or_self(below.second), "is_root_or_self()");
  auto accepting =
      npa::accept(std::move(below.second), {.trusts = [](const tsock::Stream&) { return true; }});
  const tsock::Stream client = result(connecting, "connect()");
  const tsock::Stream server = result(accepting, "accept()");
  int err = 0;
  require(npa::identity(server) != nullptr && npa::identity(server)->token == identity.token, "identity()");
  require(npa::reply(client, err).status.to_string().find("OK") != std::string::npos && err == 0, "reply()");
  require(npa::level(client, err) == npa::Level::level8, "level()");
}

void use_pipes(tsock::Loop& loop) {
  std::string directory = (std::filesystem::temp_directory_path() / "tsock-npa-XXXXXX").string();
  require(::mkdtemp(directory.data()) != nullptr, "mkdtemp");
  int err = 0;
  std::string reason;
  require(!npa::pipe_address(directory, "Pipe", err).is_empty(), "pipe_address()");
  tsock::Listener listener = npa::listen(loop, directory, "Pipe", {}, err, reason);
  require(err == 0, reason.c_str());
  auto accepting = listener.accept();
  auto connecting = npa::connect(loop, directory, "pipe", npa::Identity::anonymous({}, {}));
  static_cast<void>(result(connecting, "connect() by name"));
  static_cast<void>(result(accepting, "accept() of a listener"));
  listener = npa::listen(std::move(listener));
  listener = {};
  std::filesystem::remove_all(directory);
}

}  // namespace

int main() {
  tsock::Loop loop;
  use_streams(loop);
  use_pipes(loop);
  return 0;
}

#pragma once

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstddef>
#include <tsock/gssapi/security_context.hpp>
#include <utility>
#include <vector>

namespace tsock::test {

/// Client and server without a stream between them, whose handshake is over. The server asks for the
/// protection that the client has.
inline std::pair<gssapi::SecurityContext, gssapi::SecurityContext> security_contexts(
    const gssapi::ConnectOptions& options) {
  auto client = gssapi::SecurityContext::client(options);
  auto server = gssapi::SecurityContext::server({.protection = options.protection});
  std::vector<std::byte> token;
  bool answers = false;
  int client_err = EAGAIN;
  int server_err = EAGAIN;
  while (client_err == EAGAIN || server_err == EAGAIN) {
    if (client_err == EAGAIN) client_err = client.step(std::exchange(token, {}), token, answers);
    if (server_err == EAGAIN) server_err = server.step(std::exchange(token, {}), token, answers);
  }
  BOOST_TEST_REQUIRE(client_err == 0, client.reason());
  BOOST_TEST_REQUIRE(server_err == 0, server.reason());
  return {std::move(client), std::move(server)};
}

}  // namespace tsock::test

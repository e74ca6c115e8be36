// Prints the first line that a server says, asked through a proxy:
//   through_proxy socks5 127.0.0.1:1080 mail.example.org 25
//   through_proxy http 127.0.0.1:3128 mail.example.org 25
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <tsock/proxy/proxy.hpp>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

int complain(const char* what, int err, std::string_view reason = {}) {
  const std::string text = reason.empty() ? tsock::error_text(err) : std::string(reason);
  std::fprintf(stderr, "%s: %s\n", what, text.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: through_proxy socks5|http proxy host port\n");
    return 2;
  }
  const bool is_socks = std::string_view(argv[1]) == "socks5";
  const tsock::proxy::Target target{.host = argv[3], .port = static_cast<std::uint16_t>(std::atoi(argv[4]))};
  tsock::Loop loop;
  int err = 0;
  const auto proxy = tsock::Address::parse(argv[2], err);
  if (err != 0) return complain(argv[2], err);
  auto reaching = tsock::Stream::connect(loop, proxy);
  if (!reaching.wait(err)) return complain(argv[2], err);
  tsock::Stream below = reaching.recv(err);
  if (err != 0) return complain(argv[2], err);

  auto connecting = is_socks ? tsock::proxy::socks5_connect(std::move(below), target)
                             : tsock::proxy::http_connect(std::move(below), target);
  connecting.set_timeout(std::chrono::seconds(10));
  if (!connecting.wait(err)) return complain(argv[3], err);
  tsock::Stream stream = connecting.recv(err);
  if (err != 0) return complain(argv[3], err, connecting.reason());

  auto reading = stream.readv_pdu(tsock::framing::line{.max_body = 4096});
  reading.set_timeout(std::chrono::seconds(10));
  if (!reading.wait(err)) return complain(argv[3], err);
  const tsock::Pdu line = reading.recv(err);
  if (err != 0) return complain(argv[3], err);
  const auto body = line.body();
  std::printf("%.*s\n", static_cast<int>(body.size()), reinterpret_cast<const char*>(body.data()));
}

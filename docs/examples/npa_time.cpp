// Binds to the endpoint mapper of a Samba server over its named pipe, and asks it for the time of day over
// another: npa_time /run/samba/ncalrpc
// (the directory is samba-dcerpcd's "ncalrpc dir"; its sockets are for root, or for the user it runs as)
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <tsock/npa/npa.hpp>
#include <tsock/tsock.hpp>

namespace {

// DCERPC, written out: a bind to version 3.0 of an interface, with NDR.
using Uuid = std::array<std::uint8_t, 16>;
constexpr Uuid epmapper{0x08, 0x83, 0xaf, 0xe1, 0x1f, 0x5d, 0xc9, 0x11,
                        0x91, 0xa4, 0x08, 0x00, 0x2b, 0x14, 0xa0, 0xfa};
constexpr Uuid srvsvc{0xc8, 0x4f, 0x32, 0x4b, 0x70, 0x16, 0xd3, 0x01,
                      0x12, 0x78, 0x5a, 0x47, 0xbf, 0x6e, 0xe1, 0x88};
constexpr auto bind_to(const Uuid& interface) {
  auto pdu = std::to_array<std::uint8_t>(
      {5,    0,    11,   3,    16,   0,    0,    0,    72,   0,    0,    0,    1,    0,    0, 0, 0xd0, 0x16,
       0xd0, 0x16, 0,    0,    0,    0,    1,    0,    0,    0,    0,    0,    1,    0,    0, 0, 0,    0,
       0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    3,    0,    0, 0, 0x04, 0x5d,
       0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60, 2, 0, 0,    0});
  constexpr std::size_t place_of_interface = 32;
  std::ranges::copy(interface, pdu.begin() + place_of_interface);
  return pdu;
}
// NetrRemoteTOD of srvsvc (operation 28), without a server name.
constexpr auto call = std::to_array<std::uint8_t>(
    {5, 0, 0, 3, 16, 0, 0, 0, 28, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 0, 0, 28, 0, 0, 0, 0, 0});
constexpr std::size_t type_of_pdu = 2;
constexpr std::byte bind_ack{12};
constexpr std::byte response{2};
constexpr std::size_t seconds_in_response = 28;  // behind header and pointer: seconds since 1970

class Clock {
 public:
  Clock(tsock::Loop& loop, const char* directory) : loop_(loop), directory_(directory) {}
  void start() {
    open("epmapper", epmapper, [this] {
      std::puts("the endpoint mapper is there");
      open("srvsvc", srvsvc, [this] { ask(call, [this](auto time) { on_time(time); }); });
    });
  }
  [[nodiscard]] int error() const { return err_; }

 private:
  // Connects to a pipe, in place of the one before, and binds to its interface.
  template <class Function>
  void open(const char* pipe, const Uuid& interface, Function then) {
    int err = 0;
    const auto here = tsock::Address::inet_from_strings("ip", "127.0.0.1", 0, err);
    connecting_ = tsock::npa::connect(loop_, directory_, pipe, tsock::npa::Identity::anonymous(here, here));
    connecting_.set_timeout(std::chrono::seconds(10));
    connecting_.set_callback([this, interface, then](auto& request) {
      stream_ = request.recv(err_);
      if (err_ != 0) return fail("connect", request);
      bind_ = bind_to(interface);
      ask(bind_, [this, then](auto answer) {
        if (answer.size() <= type_of_pdu || answer[type_of_pdu] != bind_ack) return refuse();
        then();
      });
    });
  }
  // One message each way.
  template <class Function>
  void ask(std::span<const std::uint8_t> question, Function function) {
    writing_ = stream_.write(std::as_bytes(question));
    reading_ = stream_.read_message();
    reading_.set_timeout(std::chrono::seconds(10));
    reading_.set_callback([this, function](auto& request) {
      answer_ = request.recv(err_);
      if (err_ != 0) return fail("read", request);
      function(answer_.body());
    });
  }
  void on_time(std::span<const std::byte> answer) {
    if (answer.size() < seconds_in_response + 4 || answer[type_of_pdu] != response) return refuse();
    std::uint32_t seconds = 0;
    for (std::size_t i = 4; i-- > 0;)
      seconds = seconds << 8U | std::to_integer<std::uint32_t>(answer[seconds_in_response + i]);
    std::printf("%u seconds since 1970\n", static_cast<unsigned>(seconds));
  }

  void refuse() {
    std::fputs("the server does not answer the call\n", stderr);
    err_ = EPROTO;
  }
  template <class T>
  void fail(const char* what, const tsock::Request<T>& request) {
    const std::string reason(request.reason());
    std::fprintf(stderr, "%s: %s%s%s\n", what, tsock::error_text(err_).c_str(), reason.empty() ? "" : ": ",
                 reason.c_str());
    writing_ = {};
  }

  tsock::Loop& loop_;
  const char* directory_;
  decltype(bind_to(epmapper)) bind_{};
  tsock::Stream stream_;
  tsock::Pdu answer_;
  tsock::Request<tsock::Stream> connecting_;
  tsock::Request<tsock::ssize_t> writing_;
  tsock::Request<tsock::Pdu> reading_;
  int err_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: npa_time DIRECTORY\n", stderr);
    return EXIT_FAILURE;
  }
  tsock::Loop loop;
  Clock clock(loop, argv[1]);
  clock.start();
  loop.run();
  return clock.error() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

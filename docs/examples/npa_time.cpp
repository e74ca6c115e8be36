// Asks a Samba server for the time of day over its named pipe: npa_time /run/samba/ncalrpc
// (the directory is samba-dcerpcd's "ncalrpc dir"; its sockets are for root, or for the user it runs as)
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

// DCERPC, written out: a bind to srvsvc 3.0 with NDR, and NetrRemoteTOD (operation 28) without a server name.
constexpr auto bind = std::to_array<std::uint8_t>(
    {5,    0,    11,   3,    16,   0,    0,    0,    72,   0,    0,    0,    1,    0,    0,
     0,    0xd0, 0x16, 0xd0, 0x16, 0,    0,    0,    0,    1,    0,    0,    0,    0,    0,
     1,    0,    0xc8, 0x4f, 0x32, 0x4b, 0x70, 0x16, 0xd3, 0x01, 0x12, 0x78, 0x5a, 0x47, 0xbf,
     0x6e, 0xe1, 0x88, 3,    0,    0,    0,    0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11,
     0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60, 2,    0,    0,    0});
constexpr auto call = std::to_array<std::uint8_t>(
    {5, 0, 0, 3, 16, 0, 0, 0, 28, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 0, 0, 28, 0, 0, 0, 0, 0});
constexpr std::size_t type_of_pdu = 2;
constexpr std::byte bind_ack{12};
constexpr std::byte response{2};
constexpr std::size_t seconds_in_response = 28;  // behind header and pointer: seconds since 1970

class Clock {
 public:
  void start(tsock::Loop& loop, const char* directory) {
    int err = 0;
    const auto here = tsock::Address::inet_from_strings("ip", "127.0.0.1", 0, err);
    connecting_ = tsock::npa::connect(loop, directory, "srvsvc", tsock::npa::Identity::anonymous(here, here));
    connecting_.set_timeout(std::chrono::seconds(10));
    connecting_.set_callback([this](auto& request) {
      stream_ = request.recv(err_);
      if (err_ != 0) return fail("connect", request);
      ask(bind, [this](auto answer) { on_bound(answer); });
    });
  }
  [[nodiscard]] int error() const { return err_; }

 private:
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
  void on_bound(std::span<const std::byte> answer) {
    if (answer.size() <= type_of_pdu || answer[type_of_pdu] != bind_ack) return refuse();
    ask(call, [this](auto time) { on_time(time); });
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
  Clock clock;
  clock.start(loop, argv[1]);
  loop.run();
  return clock.error() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

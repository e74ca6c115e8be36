// Serves a named pipe that gives every message back: npa_echo_server /some/dir ourpipe
// smbd brings its clients with "external_rpc_pipe:socket_dir = /some/dir".
#include <cstdio>
#include <cstdlib>
#include <string>
#include <tsock/npa/npa.hpp>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

class Session {
 public:
  explicit Session(tsock::Stream stream) : stream_(std::move(stream)) { read(); }

 private:
  void read() {
    reading_ = stream_.read_message();
    reading_.set_callback([this](auto& request) {
      int err = 0;
      tsock::Pdu message = request.recv(err);
      if (err != 0) {
        delete this;
        return;
      }
      writing_ = stream_.write(std::move(message));
      writing_.set_callback([this](auto&) { read(); });
    });
  }

  tsock::Stream stream_;
  tsock::Request<tsock::Pdu> reading_;
  tsock::Request<tsock::ssize_t> writing_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: npa_echo_server DIRECTORY PIPE\n", stderr);
    return EXIT_FAILURE;
  }
  tsock::Loop loop;
  int err = 0;
  std::string reason;
  tsock::Listener listener = tsock::npa::listen(loop, argv[1], argv[2], {}, err, reason);
  if (err != 0) {
    std::fprintf(stderr, "%s: %s\n", tsock::error_text(err).c_str(), reason.c_str());
    return EXIT_FAILURE;
  }
  tsock::for_each_accept(listener, [](tsock::Stream stream) {
    std::printf("%s\n", tsock::npa::identity(stream)->to_string().c_str());
    std::fflush(stdout);
    new Session(std::move(stream));
  });
  std::printf("listening on %s\n", listener.local_address().to_string().c_str());
  std::fflush(stdout);
  loop.run();
  return EXIT_SUCCESS;
}

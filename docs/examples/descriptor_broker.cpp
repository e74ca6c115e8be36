// Opens files for others: a server on a unix socket looks at who asks, and passes the open file's descriptor.
// Client and server run in this process.
//
//   descriptor_broker FILE
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <tsock/tsock.hpp>

namespace {

// Serves one client: one path, answered with "ok" and a descriptor, or with the error.
class Session {
 public:
  explicit Session(tsock::Stream stream) : stream_(std::move(stream)) {}

  void start() {
    int err = 0;
    const tsock::PeerCredentials client = stream_.peer_credentials(err);
    if (err != 0 || client.uid != ::geteuid()) return end();  // the kernel's word, not the client's
    reading_ = stream_.readv_pdu(tsock::framing::line{.max_body = 4096});
    reading_.set_callback([this](auto& request) {
      int read_err = 0;
      const tsock::Pdu path = request.recv(read_err);
      if (read_err != 0) return end();
      answer(std::string(reinterpret_cast<const char*>(path.body().data()), path.body().size()));
    });
  }

 private:
  void answer(const std::string& path) {
    file_ = tsock::UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    reply_ = file_.get() < 0 ? tsock::error_text(errno) + "\n" : "ok\n";
    const std::array fds{file_.get()};
    const std::array vectors{tsock::make_vector(std::as_bytes(std::span(reply_)))};
    writing_ = file_.get() < 0 ? stream_.writev(vectors) : stream_.writev_with_fds(vectors, fds);
    writing_.set_callback([this](auto&) { end(); });  // the descriptor had to stay open until now
  }

  void end() {
    std::move(stream_).disconnect().detach();
    delete this;
  }

  tsock::Stream stream_;
  tsock::UniqueFd file_;
  std::string reply_;
  tsock::Request<tsock::Pdu> reading_;
  tsock::Request<tsock::ssize_t> writing_;
};

void read_first_line(tsock::UniqueFd file) {
  std::array<char, 256> text{};
  const auto count = ::read(file.get(), text.data(), text.size());
  const std::string_view all(text.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  const std::string_view line = all.substr(0, all.find('\n'));
  std::printf("the file says: %.*s\n", static_cast<int>(line.size()), line.data());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: descriptor_broker FILE\n"), 1;
  const auto folder = std::filesystem::temp_directory_path() / ("broker-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  tsock::Loop loop;
  int err = 0;
  const auto address = tsock::Address::parse("unix:" + (folder / "socket").string(), err);

  tsock::ListenerOptions options;
  options.mode = 0600;  // before anybody can connect
  auto listener = tsock::Listener::listen(loop, address, options, err);
  if (err != 0) return std::fprintf(stderr, "listen: %s\n", tsock::error_text(err).c_str()), 1;
  auto accepting = listener.accept();
  accepting.set_callback([](auto& request) {
    int accept_err = 0;
    tsock::Stream stream = request.recv(accept_err);
    if (accept_err == 0) (new Session(std::move(stream)))->start();
  });

  auto connecting = tsock::Stream::connect(loop, address, {.stream = {.receive_fds = true}});
  if (connecting.wait(err)) {
    tsock::Stream stream = connecting.recv(err);
    auto asking = stream.write(std::string(argv[1]) + "\n");
    auto reading = stream.readv_pdu(tsock::framing::line{.max_body = 256});
    if (reading.wait(err)) {
      const tsock::Pdu reply = reading.recv(err);
      auto fds = stream.take_received_fds();
      if (!fds.empty()) {
        read_first_line(std::move(fds.front()));
      } else {
        std::printf("refused: %.*s\n", static_cast<int>(reply.body().size()),
                    reinterpret_cast<const char*>(reply.body().data()));
      }
    }
  }
  listener = {};
  loop.run();
  std::filesystem::remove_all(folder);
  return err == 0 ? 0 : 1;
}

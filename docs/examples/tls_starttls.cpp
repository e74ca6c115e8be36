// A protocol that begins in the clear and goes on with TLS, both ends in memory: tls_starttls chain.pem
// key.pem name
#include <cstdio>
#include <string>
#include <tsock/tls/tls.hpp>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

using tsock::framing::line;

std::string text_of(const tsock::Pdu& pdu) {
  return {reinterpret_cast<const char*>(pdu.body().data()), pdu.body().size()};
}

class Server {
 public:
  Server(tsock::Stream stream, tsock::tls::Context context)
      : stream_(std::move(stream)), context_(std::move(context)) {}

  void read_command() {
    reading_ = stream_.readv_pdu(line{});
    reading_.set_callback([this](auto& request) {
      int err = 0;
      const tsock::Pdu command = request.recv(err);
      if (err != 0) return;
      std::printf("server: %s\n", text_of(command).c_str());
      if (text_of(command) == "STARTTLS") return start_tls();
      stream_.write(std::string("250 fine\n")).detach();
      read_command();
    });
  }

 private:
  // The answer leaves in the clear, although it is not waited for; what was read ahead belongs to TLS.
  void start_tls() {
    stream_.write(std::string("220 go ahead\n")).detach();
    handshake_ = tsock::tls::accept(std::move(stream_), context_);
    handshake_.set_callback([this](auto& request) {
      int err = 0;
      stream_ = request.recv(err);
      if (err == 0) read_command();
    });
  }

  tsock::Stream stream_;
  tsock::tls::Context context_;
  tsock::Request<tsock::Pdu> reading_;
  tsock::Request<tsock::Stream> handshake_;
};

class Client {
 public:
  Client(tsock::Stream stream, tsock::tls::Context context, std::string name)
      : stream_(std::move(stream)), context_(std::move(context)), name_(std::move(name)) {}

  void start() {
    ask("STARTTLS", [this] {
      handshake_ = tsock::tls::connect(std::move(stream_), context_, {.peer_name = name_});
      handshake_.set_callback([this](auto& request) {
        int err = 0;
        stream_ = request.recv(err);
        if (err != 0) {
          std::fprintf(stderr, "%s\n", std::string(request.reason()).c_str());
          return;
        }
        ask("HELLO", [this] {
          is_done_ = true;
          std::move(stream_).disconnect().detach();
        });
      });
    });
  }
  [[nodiscard]] bool is_done() const { return is_done_; }

 private:
  template <class F>
  void ask(std::string command, F then) {
    stream_.write(std::move(command) + '\n').detach();
    reading_ = stream_.readv_pdu(line{});
    reading_.set_callback([then](auto& request) {
      int err = 0;
      const tsock::Pdu answer = request.recv(err);
      if (err != 0) return;
      std::printf("client: %s\n", text_of(answer).c_str());
      then();
    });
  }

  tsock::Stream stream_;
  tsock::tls::Context context_;
  std::string name_;
  tsock::Request<tsock::Pdu> reading_;
  tsock::Request<tsock::Stream> handshake_;
  bool is_done_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: tls_starttls chain.pem key.pem name\n");
    return 2;
  }
  int err = 0;
  std::string reason;
  tsock::tls::ServerOptions server_options;
  server_options.identities = {{.certificate_file = argv[1], .key_file = argv[2]}};
  auto server_context = tsock::tls::Context::server(server_options, err, reason);
  tsock::tls::Context client_context;
  if (err == 0) client_context = tsock::tls::Context::client({.trust = {.ca_file = argv[1]}}, err, reason);
  if (err != 0) {
    std::fprintf(stderr, "%s\n", reason.c_str());
    return 1;
  }
  tsock::Loop loop;
  auto [near, far] = tsock::memory_stream_pair(loop);
  Server server(std::move(far), std::move(server_context));
  Client client(std::move(near), std::move(client_context), argv[3]);
  server.read_command();
  client.start();
  loop.run();
  return client.is_done() ? 0 : 1;
}

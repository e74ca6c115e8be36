// Binds to an LDAP server with SASL and asks it who one is, through the security layer if there is one. The
// password comes from standard input: sasl_ldap_whoami localhost 389 SCRAM-SHA-256 alice
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <iostream>
#include <span>
#include <string>
#include <string_view>
#include <tsock/sasl/sasl.hpp>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

// As much of LDAP's encoding (BER) as is needed here.
std::string element(unsigned char tag, std::string_view content) {
  std::string text{static_cast<char>(tag), '\x82', static_cast<char>(content.size() >> 8U),
                   static_cast<char>(content.size() & 0xffU)};
  return text.append(content);
}
std::string message(char id, std::string_view operation) {
  return element(0x30, element(0x02, std::string(1, id)).append(operation));
}
/// Takes the next element off. \return its content, empty where there is none
std::string_view next(std::string_view& bytes, unsigned char& tag) {
  tag = bytes.empty() ? 0 : static_cast<unsigned char>(bytes[0]);
  std::size_t header = 2;
  std::size_t length = bytes.size() < 2 ? 0 : static_cast<unsigned char>(bytes[1]);
  if (length > 0x80 && bytes.size() > length - 0x80 + 1) {
    header += length - 0x80;
    length = 0;
    for (std::size_t i = 2; i < header; ++i) length = length << 8U | static_cast<unsigned char>(bytes[i]);
  }
  const std::string_view content = bytes.substr(std::min(header, bytes.size()), length);
  bytes.remove_prefix(std::min(header + content.size(), bytes.size()));
  return content;
}

class Whoami {
 public:
  Whoami(tsock::Loop& loop, tsock::sasl::ClientSession session) : loop_(loop), session_(std::move(session)) {}

  void start(const char* host, const char* port, std::string_view mechanism) {
    connecting_ = tsock::connect_to_host(loop_, host, port);
    connecting_.set_callback([this, name = std::string(mechanism)](auto& request) {
      stream_ = request.recv(err_);
      if (err_ != 0) return fail(tsock::error_text(err_));
      // A step may have to ask a KDC, so it runs on a worker thread.
      stepping_ = session_.start(loop_, name);
      stepping_.set_callback([this](auto&) { bind(); });
    });
  }
  [[nodiscard]] int error() const { return err_; }

 private:
  void bind() {
    const tsock::sasl::Reply reply = stepping_.recv(err_);
    if (err_ != 0) return fail(session_.reason());
    if (is_accepted_) return wrap();
    std::string credentials = element(0x04, session_.peer().mechanism);
    if (reply.bytes) {
      credentials += element(
          0x04, std::string_view(reinterpret_cast<const char*>(reply.bytes->data()), reply.bytes->size()));
    }
    const std::string version = element(0x02, std::string(1, '\3'));
    exchange(element(0x60, version + element(0x04, "") + element(0xa3, credentials)));
  }

  void on_bound(int code, std::string_view words, std::string_view challenge, bool has_challenge) {
    constexpr int success = 0;
    constexpr int in_progress = 14;
    if (code != success && code != in_progress) return fail(words);
    is_accepted_ = code == success;
    if (is_accepted_ && !has_challenge) return wrap();
    stepping_ = session_.step(loop_, challenge);
    stepping_.set_callback([this](auto&) { bind(); });
  }

  void wrap() {
    // A server that accepts too early has not proved that it knows the password.
    if (!session_.is_done()) return fail("the server is not to be trusted");
    const tsock::sasl::Peer peer = session_.peer();
    std::printf("%s, strength %u\n", peer.mechanism.c_str(), peer.strength);
    wrapping_ = tsock::sasl::wrap(std::move(stream_), std::move(session_));
    wrapping_.set_callback([this](auto& request) {
      stream_ = request.recv(err_);
      if (err_ != 0) return fail(tsock::error_text(err_));
      exchange(element(0x77, element(0x80, "1.3.6.1.4.1.4203.1.11.3")));
    });
  }

  // Sends a request, and reads the answer: the head of its outermost element, its length if that is long, the
  // rest.
  void exchange(std::string_view operation) {
    writing_ = stream_.write(message(++id_, operation));
    answer_.clear();
    reading_ = stream_.readv_pdu([this](tsock::VectorList& vectors) { return next_part(vectors); });
    reading_.set_callback([this](auto& request) {
      request.recv(err_);
      if (err_ != 0) return fail(tsock::error_text(err_) + " " + std::string(request.reason()));
      take_answer();
    });
  }

  int next_part(tsock::VectorList& vectors) {
    const std::size_t have = answer_.size();
    std::size_t total = 2;
    if (have >= 2) {
      total += static_cast<unsigned char>(answer_[1]);
      if (total > 0x82) {
        total -= 0x80;  // the head with its length
        if (total > 6) return EMSGSIZE;
        if (have >= total) {
          std::size_t length = 0;
          for (std::size_t i = 2; i < total; ++i)
            length = length << 8U | static_cast<unsigned char>(answer_[i]);
          if (length > most_answer) return EMSGSIZE;
          total += length;
        }
      }
    }
    if (total <= have) return 0;
    answer_.resize(total);
    vectors.add(std::as_writable_bytes(std::span(answer_).subspan(have)));
    return 0;
  }

  void take_answer() {
    unsigned char tag = 0;
    std::string_view bytes = answer_;
    std::string_view envelope = next(bytes, tag);
    next(envelope, tag);  // the number of the message
    std::string_view operation = next(envelope, tag);
    const bool is_bind = tag == 0x61;
    const std::string_view code = next(operation, tag);
    next(operation, tag);
    const std::string_view words = next(operation, tag);
    const int result = code.size() == 1 ? code[0] : -1;
    const std::string_view value = next(operation, tag);
    if (is_bind) return on_bound(result, words, value, tag == 0x87);
    if (result != 0) return fail(words);
    std::printf("%.*s\n", static_cast<int>(value.size()), value.data());
    stream_ = {};
  }

  void fail(std::string_view words) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(words.size()), words.data());
    if (err_ == 0) err_ = EPROTO;
  }

  static constexpr std::size_t most_answer = std::size_t{64} * 1024;
  tsock::Loop& loop_;
  tsock::sasl::ClientSession session_;
  tsock::Stream stream_;
  std::string answer_;
  char id_ = 0;
  bool is_accepted_ = false;
  int err_ = 0;
  tsock::Request<tsock::Stream> connecting_;
  tsock::Request<tsock::sasl::Reply> stepping_;
  tsock::Request<tsock::Stream> wrapping_;
  tsock::Request<tsock::ssize_t> writing_;
  tsock::Request<tsock::ssize_t> reading_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: sasl_ldap_whoami host port mechanism user < password\n");
    return 2;
  }
  std::string password;
  std::getline(std::cin, password);
  tsock::sasl::ClientOptions options{.service = "ldap", .host = argv[1]};
  options.user = [user = std::string(argv[4])] { return user; };
  options.password = [password] { return password; };
  int err = 0;
  std::string reason;
  tsock::sasl::ClientSession session = tsock::sasl::ClientSession::create(options, err, reason);
  if (err != 0) {
    std::fprintf(stderr, "%s\n", reason.c_str());
    return 1;
  }
  tsock::Loop loop;
  Whoami whoami(loop, std::move(session));
  whoami.start(argv[1], argv[2], argv[3]);
  loop.run();
  return whoami.error() == 0 ? 0 : 1;
}

#include "support/tls_peer.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <initializer_list>
#include <ostream>
#include <string_view>
#include <utility>

namespace tsock::test {
namespace {

using Words = std::vector<std::string>;

void append(Words& words, const Words& more) { words.insert(words.end(), more.begin(), more.end()); }

std::string joined(const Words& words, std::string_view between) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += between;
    text += word;
  }
  return text;
}

std::string command_of(TlsProgram program, bool is_server) {
  switch (program) {
    case TlsProgram::openssl:
      return "openssl";
    case TlsProgram::gnutls:
      return is_server ? "gnutls-serv" : "gnutls-cli";
    case TlsProgram::socat:
      return "socat";
    case TlsProgram::ncat:
      return "ncat";
    case TlsProgram::curl:
      return "curl";
    case TlsProgram::nginx:
      return "nginx";
    case TlsProgram::haproxy:
      return "haproxy";
  }
  return {};
}

// Servers of the system are not in everybody's PATH.
std::string executable_of(TlsProgram program, bool is_server) {
  const std::string command = command_of(program, is_server);
  std::string path = "/usr/sbin/" + command;
  return ::access(path.c_str(), X_OK) == 0 ? path : command;
}

bool is_installed(TlsProgram program, bool is_server) {
  const std::string path = executable_of(program, is_server);
  return path.starts_with('/') || has_program(path);
}

std::string gnutls_priority(const std::string& version) {
  return "--priority=NORMAL" + (version.empty() ? "" : ":-VERS-ALL:+VERS-TLS" + version);
}

std::string openssl_version(std::string version) {
  version[version.find('.')] = '_';
  return "-tls" + version;
}

// What both addresses of socat take.
std::string socat_version(const std::string& version) {
  if (version.empty()) return {};
  return ",openssl-min-proto-version=TLS" + version + ",openssl-max-proto-version=TLS" + version;
}

// The files of one peer.
struct Files {
  std::string chain;
  std::string certificate;    // the first of the chain
  std::string intermediates;  // the rest; empty if there is none
  std::string key;
  std::string chain_and_key;
  std::string trusted;
};

Files write_files(const TemporaryFolder& folder, const TlsPeerOptions& options) {
  constexpr std::string_view end_of_first = "-----END CERTIFICATE-----\n";
  Files files;
  if (!options.chain.empty()) {
    const std::size_t end = options.chain.find(end_of_first);
    BOOST_TEST_REQUIRE(end != std::string::npos);
    const std::string rest = options.chain.substr(end + end_of_first.size());
    files.chain = folder.write("chain.pem", options.chain);
    files.certificate = folder.write("certificate.pem", options.chain.substr(0, end + end_of_first.size()));
    if (!rest.empty()) files.intermediates = folder.write("intermediates.pem", rest);
    files.key = folder.write("key.pem", options.key);
    files.chain_and_key = folder.write("chain_and_key.pem", options.chain + options.key);
  }
  if (!options.trusted.empty()) files.trusted = folder.write("trusted.pem", options.trusted);
  return files;
}

sockaddr_in loopback_address(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// A bound socket that does not listen: the kernel gives its port to nobody, but lets those have it who ask
// for it by number, with SO_REUSEADDR.
UniqueSocket bound_socket(std::uint16_t& port) {
  UniqueSocket fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  BOOST_TEST_REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
  sockaddr_in address = loopback_address(0);
  socklen_t size = sizeof(address);
  BOOST_TEST_REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
  BOOST_TEST_REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port = ntohs(address.sin_port);
  return fd;
}

// The port in the first line of `text` that holds `host`, an address of ours; 0 if the line is not complete
// yet.
std::uint16_t port_in_line(const std::string& text, std::string_view host) {
  const std::size_t begin = text.find(host);
  if (begin == std::string::npos) return 0;
  const std::size_t end = text.find('\n', begin);
  if (end == std::string::npos) return 0;
  return static_cast<std::uint16_t>(std::stoul(text.substr(begin + host.size(), end)));
}

// ---- the command lines of servers
// --------------------------------------------------------------------------

Words openssl_server(const Files& files, const TlsPeerOptions& options) {
  Words words{"s_server", "-accept", "127.0.0.1:0", "-cert", files.certificate, "-key", files.key};
  if (!files.intermediates.empty()) append(words, {"-cert_chain", files.intermediates});
  if (!files.trusted.empty())
    append(words, {"-CAfile", files.trusted, "-Verify", "5", "-verify_return_error"});
  if (!options.version.empty()) words.push_back(openssl_version(options.version));
  if (!options.alpn.empty()) append(words, {"-alpn", joined(options.alpn, ",")});
  return words;
}

Words gnutls_server(const Files& files, const TlsPeerOptions& options, std::uint16_t port) {
  Words words{"--echo",        "-p",     std::to_string(port), "--x509certfile", files.chain,
              "--x509keyfile", files.key};
  words.push_back(gnutls_priority(options.version));
  if (files.trusted.empty()) {
    words.emplace_back("--disable-client-cert");
  } else {
    append(words, {"--require-client-cert", "--verify-client-cert", "--x509cafile", files.trusted});
  }
  for (const std::string& protocol : options.alpn) words.push_back("--alpn=" + protocol);
  return words;
}

Words socat_server(const Files& files, const TlsPeerOptions& options) {
  std::string address = "OPENSSL-LISTEN:0,bind=127.0.0.1,cert=" + files.chain + ",key=" + files.key;
  address += files.trusted.empty() ? ",verify=0" : ",verify=1,cafile=" + files.trusted;
  return {"-d", "-d", "-t10", address + socat_version(options.version), "-"};
}

Words ncat_server(const Files& files, std::uint16_t port) {
  return {"-v",        "-l",      "--ssl",     "--ssl-cert",        files.chain,
          "--ssl-key", files.key, "127.0.0.1", std::to_string(port)};
}

Words nginx_server(const TemporaryFolder& folder, const Files& files, const TlsPeerOptions& options,
                   std::uint16_t port) {
  std::string text = "daemon off; master_process off; error_log stderr notice; pid " + folder.file("pid") +
                     ";\nevents { worker_connections 64; }\nhttp {\n  access_log off;\n";
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
    text += std::string("  ") + kind + "_temp_path " + folder.file(kind) + ";\n";
  }
  text += "  server {\n    listen 127.0.0.1:" + std::to_string(port) + " ssl;\n    ssl_certificate " +
          files.chain + ";\n    ssl_certificate_key " + files.key + ";\n    ssl_protocols " +
          (options.version.empty() ? "TLSv1.2 TLSv1.3" : "TLSv" + options.version) + ";\n";
  if (!files.trusted.empty()) {
    text += "    ssl_verify_client on;\n    ssl_client_certificate " + files.trusted + ";\n";
  }
  text += "    location / { return 200 answer; }\n  }\n}\n";
  return {"-e", "stderr", "-p", folder.file(""), "-c", folder.write("nginx.conf", text)};
}

Words haproxy_server(const TemporaryFolder& folder, const Files& files, const TlsPeerOptions& options,
                     int fd) {
  std::string text =
      "defaults\n  mode http\n  timeout client 60s\n  timeout server 60s\n  timeout connect 60s\n"
      "frontend tls\n  bind fd@" +
      std::to_string(fd) + " ssl crt " + files.chain_and_key;
  if (!options.version.empty())
    text += " ssl-min-ver TLSv" + options.version + " ssl-max-ver TLSv" + options.version;
  if (!options.alpn.empty()) text += " alpn " + joined(options.alpn, ",");
  if (!files.trusted.empty()) text += " verify required ca-file " + files.trusted;
  text += "\n  http-request return status 200 content-type text/plain string answer\n";
  return {"-db", "-f", folder.write("haproxy.cfg", text)};
}

// ---- the command lines of clients
// --------------------------------------------------------------------------

Words openssl_client(const Files& files, const TlsPeerOptions& options, const std::string& port) {
  Words words{"s_client",          "-brief",      "-no_ign_eof", "-connect",
              "127.0.0.1:" + port, "-servername", options.name};
  if (!files.trusted.empty()) {
    append(words, {"-CAfile", files.trusted, "-verify_return_error", "-verify_hostname", options.name});
  }
  if (!files.chain.empty()) append(words, {"-cert", files.certificate, "-key", files.key});
  if (!files.intermediates.empty()) append(words, {"-cert_chain", files.intermediates});
  if (!options.version.empty()) words.push_back(openssl_version(options.version));
  if (!options.alpn.empty()) append(words, {"-alpn", joined(options.alpn, ",")});
  return words;
}

Words gnutls_client(const Files& files, const TlsPeerOptions& options, const std::string& port) {
  Words words{"--logfile=/dev/stderr", "-p", port, "--sni-hostname=" + options.name,
              gnutls_priority(options.version)};
  if (files.trusted.empty()) {
    words.emplace_back("--insecure");
  } else {
    append(words, {"--x509cafile", files.trusted, "--verify-hostname=" + options.name});
  }
  if (!files.chain.empty()) append(words, {"--x509certfile", files.chain, "--x509keyfile", files.key});
  for (const std::string& protocol : options.alpn) words.push_back("--alpn=" + protocol);
  words.emplace_back("127.0.0.1");
  return words;
}

Words socat_client(const Files& files, const TlsPeerOptions& options, const std::string& port) {
  std::string address =
      "OPENSSL:127.0.0.1:" + port + ",snihost=" + options.name + ",commonname=" + options.name;
  address += files.trusted.empty() ? ",verify=0" : ",verify=1,cafile=" + files.trusted;
  if (!files.chain.empty()) address += ",cert=" + files.chain + ",key=" + files.key;
  return {"-d", "-d", "-t10", "-", address + socat_version(options.version)};
}

Words ncat_client(const Files& files, const TlsPeerOptions& options, const std::string& port) {
  Words words{"-v", "--ssl", "--ssl-servername", options.name};
  if (!files.trusted.empty()) append(words, {"--ssl-verify", "--ssl-trustfile", files.trusted});
  if (!files.chain.empty()) append(words, {"--ssl-cert", files.chain, "--ssl-key", files.key});
  if (!options.alpn.empty()) append(words, {"--ssl-alpn", joined(options.alpn, ",")});
  append(words, {"127.0.0.1", port});
  return words;
}

Words curl_client(const Files& files, const TlsPeerOptions& options, const std::string& port) {
  const std::string at = options.name + ":" + port;
  Words words{"-sSv", "--http1.1", "--noproxy", "*", "--resolve", at + ":127.0.0.1"};
  if (files.trusted.empty()) {
    words.emplace_back("--insecure");
  } else {
    append(words, {"--cacert", files.trusted});
  }
  if (!files.chain.empty()) append(words, {"--cert", files.chain, "--key", files.key});
  if (!options.version.empty()) append(words, {"--tlsv" + options.version, "--tls-max", options.version});
  words.push_back("https://" + at + "/");
  return words;
}

std::unique_ptr<Process> start(const std::string& path, Words words, const TlsPeerOptions& options,
                               const Process::Inherited& inherited = {}) {
  // Before an address, but after the command of openssl.
  words.insert(path == "openssl" ? words.end() : words.begin(), options.more.begin(), options.more.end());
  words.insert(words.begin(), path);
  return std::make_unique<Process>(std::move(words), inherited);
}

}  // namespace

std::ostream& operator<<(std::ostream& out, TlsProgram program) {
  return out << (program == TlsProgram::gnutls ? "gnutls" : command_of(program, true));
}

std::vector<TlsProgram> tls_servers() {
  return {TlsProgram::openssl, TlsProgram::gnutls, TlsProgram::socat,
          TlsProgram::ncat,    TlsProgram::nginx,  TlsProgram::haproxy};
}

std::vector<TlsProgram> tls_clients() {
  return {TlsProgram::openssl, TlsProgram::gnutls, TlsProgram::socat, TlsProgram::ncat, TlsProgram::curl};
}

bool can_serve(TlsProgram program, const TlsPeerOptions& options) {
  using enum TlsProgram;
  if (program == curl) return false;
  if (!options.version.empty() && program == ncat) return false;
  if (!options.trusted.empty() && program == ncat) return false;
  if (!options.alpn.empty() && (program == socat || program == ncat || program == nginx)) return false;
  if (!options.more.empty() && (program == nginx || program == haproxy)) return false;
  return is_installed(program, true);
}

bool can_connect(TlsProgram program, const TlsPeerOptions& options) {
  using enum TlsProgram;
  if (program == nginx || program == haproxy) return false;
  if (!options.version.empty() && program == ncat) return false;
  if (!options.alpn.empty() && (program == socat || program == curl)) return false;
  return is_installed(program, false);
}

TlsServer::TlsServer(TlsProgram program, const TlsPeerOptions& options) : program_(program) {
  const Files files = write_files(folder_, options);
  const std::string path = executable_of(program, true);
  switch (program) {
    case TlsProgram::openssl:
      process_ = start(path, openssl_server(files, options), options);
      process_->wait_until(
          [&] { return (port_ = port_in_line(process_->output(), "ACCEPT 127.0.0.1:")) != 0; }, "its port");
      break;
    case TlsProgram::gnutls:
      reservation_ = bound_socket(port_);
      process_ = start(path, gnutls_server(files, options, port_), options);
      process_->error_line("Echo Server listening on IPv4");
      break;
    case TlsProgram::socat:
      process_ = start(path, socat_server(files, options), options);
      process_->wait_until(
          [&] { return (port_ = port_in_line(process_->error(), "listening on AF=2 127.0.0.1:")) != 0; },
          "its port");
      break;
    case TlsProgram::ncat:
      reservation_ = bound_socket(port_);
      process_ = start(path, ncat_server(files, port_), options);
      process_->error_line("Ncat: Listening on ");
      break;
    case TlsProgram::nginx:
      reservation_ = bound_socket(port_);
      process_ = start(path, nginx_server(folder_, files, options, port_), options);
      process_->wait_for_error(" event method");  // it has its sockets before it says so
      break;
    case TlsProgram::haproxy: {
      // It says nothing when it is ready, but takes a socket that listens already.
      const UniqueSocket listening = bound_socket(port_);
      BOOST_TEST_REQUIRE(::listen(listening.get(), SOMAXCONN) == 0);
      process_ = start(path, haproxy_server(folder_, files, options, listening.get()), options,
                       {.given = {listening.get()}});
      break;
    }
    case TlsProgram::curl:
      BOOST_TEST_REQUIRE(false, "curl is no server");
      break;
  }
}

TlsConversation TlsServer::conversation() const noexcept {
  if (program_ == TlsProgram::gnutls) return TlsConversation::echo;
  const bool is_http = program_ == TlsProgram::nginx || program_ == TlsProgram::haproxy;
  return is_http ? TlsConversation::http : TlsConversation::text;
}

TlsClient::TlsClient(TlsProgram program, std::uint16_t port, const TlsPeerOptions& options)
    : program_(program) {
  const Files files = write_files(folder_, options);
  const std::string port_text = std::to_string(port);
  Words words;
  switch (program) {
    case TlsProgram::openssl:
      words = openssl_client(files, options, port_text);
      break;
    case TlsProgram::gnutls:
      words = gnutls_client(files, options, port_text);
      break;
    case TlsProgram::socat:
      words = socat_client(files, options, port_text);
      break;
    case TlsProgram::ncat:
      words = ncat_client(files, options, port_text);
      break;
    case TlsProgram::curl:
      words = curl_client(files, options, port_text);
      break;
    case TlsProgram::nginx:
    case TlsProgram::haproxy:
      BOOST_TEST_REQUIRE(false, program << " is no client");
      break;
  }
  process_ = start(executable_of(program, false), std::move(words), options);
}

TlsConversation TlsClient::conversation() const noexcept {
  return program_ == TlsProgram::curl ? TlsConversation::http : TlsConversation::text;
}

}  // namespace tsock::test

// TLS by the library's public headers.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <tsock/error.hpp>
#include <tsock/tls/tls.hpp>
#include <utility>
#include <vector>

#include "secret.hpp"
#include "system.hpp"
#include "tls.hpp"

namespace tsock_cat {
namespace {

namespace tls = tsock::tls;

constexpr std::array<std::pair<std::string_view, tls::VerifyLevel>, 5> verify_levels{
    {{"no_check", tls::VerifyLevel::no_check},
     {"ca_only", tls::VerifyLevel::ca_only},
     {"ca_and_name_if_available", tls::VerifyLevel::ca_and_name_if_available},
     {"ca_and_name", tls::VerifyLevel::ca_and_name},
     {"as_strict_as_possible", tls::VerifyLevel::as_strict_as_possible}}};

constexpr std::array<std::pair<std::string_view, tls::ClientAuth>, 3> client_auths{
    {{"none", tls::ClientAuth::none},
     {"request", tls::ClientAuth::request},
     {"require", tls::ClientAuth::require}}};

// The command line was checked.
template <class Value, std::size_t size>
Value named(const std::array<std::pair<std::string_view, Value>, size>& names, std::string_view name) {
  const auto found =
      std::find_if(names.begin(), names.end(), [name](const auto& each) { return each.first == name; });
  return found->second;
}

tls::Version version_of(std::string_view text) {
  return text == "1.2" ? tls::Version::tls1_2 : tls::Version::tls1_3;
}

std::optional<std::vector<std::byte>> bytes_of_hex(std::string_view hex) {
  constexpr std::string_view hex_values = "0123456789abcdef";
  std::vector<std::byte> bytes;
  if (hex.empty() || hex.size() % 2 != 0) return std::nullopt;
  bytes.reserve(hex.size() / 2);  // a vector that grows leaves parts of the key behind
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    unsigned value = 0;
    for (const char c : hex.substr(i, 2)) {
      const std::size_t digit = hex_values.find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
      if (digit == std::string_view::npos) return std::nullopt;
      value = value * 16 + static_cast<unsigned>(digit);
    }
    bytes.push_back(static_cast<std::byte>(value));
  }
  return bytes;
}

// Lines of "identity:hexadecimal key", as those of GnuTLS' psktool.
std::vector<tls::PreSharedKey> read_keys(const TlsOptions& options, Failure& failure) {
  std::vector<tls::PreSharedKey> keys;
  const auto text = read_secret(options.psk_file, options.allow_readable_key, failure);
  if (!text) return keys;
  std::string_view rest = text->text();
  for (std::size_t number = 1; !rest.empty(); ++number) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const std::size_t colon = line.rfind(':');
    auto bytes = colon == std::string_view::npos ? std::nullopt : bytes_of_hex(line.substr(colon + 1));
    if (!bytes || colon == 0) {
      failure = file_failure(
          options.psk_file, "line " + std::to_string(number) + " is not identity:key in hexadecimal", EINVAL);
      return {};
    }
    keys.emplace_back(std::string(line.substr(0, colon)), std::move(*bytes));
  }
  if (keys.empty()) failure = file_failure(options.psk_file, "no key in it", EINVAL);
  return keys;
}

std::vector<tls::Identity> identities_of(const TlsOptions& options, Failure& failure) {
  std::vector<tls::Identity> identities;
  Secret password;
  if (!options.password_file.empty()) {
    const auto text = read_secret(options.password_file, options.allow_readable_key, failure);
    if (!text) return {};
    password = text->first_line();
  }
  for (std::size_t i = 0; i < options.certificate_files.size(); ++i) {
    tls::Identity identity;
    identity.certificate_file = options.certificate_files[i];
    identity.key_file = options.key_files.empty() ? identity.certificate_file : options.key_files[i];
    identities.push_back(std::move(identity));
  }
  for (const std::string& file : options.pkcs12_files) {
    tls::Identity identity;
    identity.pkcs12_file = file;
    identities.push_back(std::move(identity));
  }
  for (tls::Identity& identity : identities) {
    identity.password = password.text();
    identity.allow_readable_key = options.allow_readable_key;
  }
  return identities;
}

// Lines that are appended, by others as well: each with one write(2).
std::function<void(std::string_view)> key_log_to(const std::string& path, int& err) {
  const std::shared_ptr<std::FILE> file(append_private(path.c_str()), [](std::FILE* open) {
    if (open != nullptr) std::fclose(open);
  });
  err = file == nullptr ? errno : 0;
  if (err != 0) return {};
  return [file](std::string_view line) {
    std::string text(line);
    text += '\n';
    std::fwrite(text.data(), 1, text.size(), file.get());
    std::fflush(file.get());
  };
}

tls::ProtocolOptions protocol_of(const TlsOptions& options, Report& report, Failure& failure) {
  tls::ProtocolOptions protocol;
  protocol.lowest = version_of(options.lowest);
  protocol.highest = version_of(options.highest);
  protocol.ciphers = options.ciphers;
  protocol.cipher_suites = options.cipher_suites;
  protocol.groups = options.groups;
  protocol.alpn = options.alpn;
  protocol.allow_missing_close_notify = options.allow_truncation;
  const char* const environment = std::getenv("SSLKEYLOGFILE");
  const std::string from_environment = environment != nullptr ? environment : "";
  const std::string& path = options.key_log_file.empty() ? from_environment : options.key_log_file;
  if (path.empty()) return protocol;
  int err = 0;
  protocol.key_log = key_log_to(path, err);
  if (err == 0) return protocol;
  if (options.key_log_file.empty()) {
    report.note(0, "SSLKEYLOGFILE: " + path + ": " + tsock::error_text(err));
  } else {
    failure = file_failure(path, "", err);
  }
  return protocol;
}

tls::Trust trust_of(const TlsOptions& options, bool system_cas) {
  tls::Trust trust;
  trust.system_cas = system_cas;
  trust.ca_file = options.ca_file;
  trust.ca_directory = options.ca_directory;
  trust.crl_file = options.crl_file;
  trust.pinned_keys = options.pins;
  return trust;
}

TlsCertificate describe_one(const std::string& pem) {
  int err = 0;
  tls::CertificateInfo info = tls::describe_certificate(pem, err);
  TlsCertificate certificate;
  certificate.subject = std::move(info.subject);
  certificate.issuer = std::move(info.issuer);
  certificate.serial = std::move(info.serial);
  certificate.not_before = info.not_before;
  certificate.not_after = info.not_after;
  certificate.names = std::move(info.names);
  certificate.key = std::move(info.key_kind);
  if (!info.key_group.empty()) certificate.key += " " + info.key_group;
  certificate.key += ", " + std::to_string(info.key_bits) + " bits";
  certificate.signature = std::move(info.signature_hash);
  certificate.pin = std::move(info.public_key_pin);
  return certificate;
}

// Who it is: the subject of a certificate in PEM, or its file.
std::string name_of(const tls::Identity& identity) {
  const std::string& path =
      identity.certificate_file.empty() ? identity.pkcs12_file : identity.certificate_file;
  std::ifstream file(path);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  int err = 0;
  const std::string subject = tls::describe_certificate(text, err).subject;
  return subject.empty() ? path : subject;
}

// Bits of the key, by the name of the cipher in either style.
unsigned strength_of(std::string_view cipher) {
  for (const std::string_view strong : {"AES_256", "AES256", "CHACHA20", "ARIA256", "CAMELLIA256"}) {
    if (cipher.find(strong) != std::string_view::npos) return 256;
  }
  return 128;
}

class OpenTls final : public Tls {
 public:
  explicit OpenTls(const Options& options) : options_(options) {}

  // Of the two sides those that the endpoints have.
  [[nodiscard]] Failure read(Report& report) {
    const auto& endpoints = options_.endpoints;
    const auto has = [&endpoints](bool listens) {
      return std::any_of(endpoints.begin(), endpoints.end(), [listens](const Endpoint& endpoint) {
        return endpoint.is_tls && endpoint.is_listener() == listens;
      });
    };
    Failure failure;
    std::vector<tls::Identity> identities = identities_of(options_.tls, failure);
    if (failure) return failure;
    if (!options_.tls.psk_file.empty()) keys_ = read_keys(options_.tls, failure);
    if (failure) return failure;
    const tls::ProtocolOptions protocol = protocol_of(options_.tls, report, failure);
    if (failure) return failure;
    if (has(true)) {
      failure = make_server(std::exchange(identities, {}), protocol);
      if (failure) return failure;
    }
    if (has(false) || options_.proxy.endpoint.is_tls) failure = make_client(identities, protocol);
    return failure;
  }

  [[nodiscard]] tsock::Request<tsock::Stream> connect(tsock::Stream below,
                                                      const Endpoint& endpoint) const override {
    tls::ConnectOptions options;
    // The names are those of the ADDRESS, not of a proxy in front of it.
    if (&endpoint != &options_.proxy.endpoint) {
      options.peer_name = options_.tls.peer_name;
      options.server_name = options_.tls.server_name;
    }
    // A server without the key is not to be believed because of its name.
    if (options.peer_name.empty() && keys_.empty()) options.peer_name = endpoint.host;
    return tls::connect(std::move(below), client_, options);
  }

  [[nodiscard]] tsock::Listener listen(tsock::Listener below, OnHandshakeFailure on_failure) const override {
    tsock::layer::ListenOptions options;
    options.handshake_time = std::chrono::ceil<std::chrono::milliseconds>(options_.handshake_timeout);
    options.on_failure = [on_failure = std::move(on_failure)](const tsock::Address& peer, int err,
                                                              std::string_view reason) {
      on_failure(handshake_failure("TLS", peer.to_string(), err, reason));
    };
    return tls::listen(std::move(below), server_, std::move(options));
  }

  [[nodiscard]] TlsReport describe(const tsock::Stream& stream) const override {
    int err = 0;
    tls::Peer peer = tls::peer(stream, err);
    TlsReport report;
    report.version = std::move(peer.version);
    report.cipher = std::move(peer.cipher);
    report.group = std::move(peer.group);
    report.alpn = printable(peer.alpn);
    report.server_name = printable(peer.server_name);
    report.psk_identity = printable(peer.psk_identity);
    report.verification = printable(peer.verification);
    report.is_verified = peer.is_verified;
    report.is_resumed = peer.is_resumed;
    for (const std::string& pem : peer.chain) report.chain.push_back(describe_one(pem));
    return report;
  }

  [[nodiscard]] TlsBinding binding(const tsock::Stream& stream) const override {
    int err = 0;
    TlsBinding binding;
    const tls::Peer peer = tls::peer(stream, err);
    binding.strength = strength_of(peer.cipher);
    binding.server_end_point = tls::channel_binding(stream, tls::ChannelBinding::server_end_point, err);
    if (peer.is_verified && !peer.chain.empty())
      binding.peer_name = tls::describe_certificate(peer.chain.front(), err).subject;
    binding.own_name = own_name_;
    return binding;
  }

 private:
  [[nodiscard]] Failure make_server(std::vector<tls::Identity> identities,
                                    const tls::ProtocolOptions& protocol) {
    tls::ServerOptions options;
    options.identities = std::move(identities);
    options.client_auth = named(client_auths, options_.tls.client_auth);
    options.trust = trust_of(options_.tls, false);
    options.protocol = protocol;
    if (!keys_.empty()) {
      options.find_psk = [keys = keys_](std::string_view identity) {
        const auto found = std::find_if(keys.begin(), keys.end(), [identity](const tls::PreSharedKey& key) {
          return key.identity == identity;
        });
        return found != keys.end() ? *found : tls::PreSharedKey();
      };
    }
    int err = 0;
    std::string reason;
    server_ = tls::Context::server(options, err, reason);
    return context_failure(err, reason);
  }

  [[nodiscard]] Failure make_client(const std::vector<tls::Identity>& identities,
                                    const tls::ProtocolOptions& protocol) {
    tls::ClientOptions options;
    options.trust = trust_of(options_.tls, !options_.tls.no_system_cas);
    options.verify = named(verify_levels, options_.tls.verify);
    if (!identities.empty()) {
      options.identity = identities.front();
      own_name_ = name_of(identities.front());
    }
    if (!keys_.empty()) options.psk = keys_.front();
    options.protocol = protocol;
    int err = 0;
    std::string reason;
    client_ = tls::Context::client(options, err, reason);
    return context_failure(err, reason);
  }

  [[nodiscard]] static Failure context_failure(int err, const std::string& reason) {
    if (err == 0) return {};
    Failure failure = file_failure("TLS", reason, err);
    if (err == EINVAL) failure.code = ExitCode::usage;
    return failure;
  }

  const Options& options_;
  std::vector<tls::PreSharedKey> keys_;
  std::string own_name_;  // of the client
  tls::Context client_;
  tls::Context server_;
};

}  // namespace

std::unique_ptr<Tls> Tls::make(const Options& options, Report& report, Failure& failure) {
  const auto& endpoints = options.endpoints;
  if (!options.proxy.endpoint.is_tls &&
      std::none_of(endpoints.begin(), endpoints.end(),
                   [](const Endpoint& endpoint) { return endpoint.is_tls; })) {
    return nullptr;
  }
  auto made = std::make_unique<OpenTls>(options);
  failure = made->read(report);
  if (failure) return nullptr;
  return made;
}

}  // namespace tsock_cat

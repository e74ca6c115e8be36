// SASL by the library's public headers.
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tsock/sasl/sasl.hpp>
#include <utility>

#include "secret.hpp"
#include "security_layer.hpp"
#include "tls_report.hpp"

namespace tsock_cat {
namespace {

namespace sasl = tsock::sasl;

constexpr const char* password_variable = "TSOCK_CAT_SASL_PASSWORD";

// Passwords by user.
class Passwords {
 public:
  void add(std::string user, Secret password) { by_user_[std::move(user)] = std::move(password); }
  // Whoever asks wipes the result.
  [[nodiscard]] std::optional<std::string> find(std::string_view user) const {
    const auto found = by_user_.find(user);
    if (found == by_user_.end()) return std::nullopt;
    return std::string(found->second.text());
  }
  [[nodiscard]] bool is_empty() const noexcept { return by_user_.empty(); }

 private:
  std::map<std::string, Secret, std::less<>> by_user_;
};

// Lines of "user:password".
std::shared_ptr<const Passwords> read_users(const std::string& path, Failure& failure) {
  auto users = std::make_shared<Passwords>();
  const auto text = read_secret(path, false, failure);
  if (!text) return users;
  std::string_view rest = text->text();
  for (std::size_t number = 1; !rest.empty() && !failure; ++number) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) {
      failure = file_failure(path, "line " + std::to_string(number) + " is not user:password", EINVAL);
    } else {
      users->add(std::string(line.substr(0, colon)), Secret(line.substr(colon + 1)));
    }
  }
  if (users->is_empty() && !failure) failure = file_failure(path, "no user in it", EINVAL);
  return users;
}

// The client's own, from where it was said to be; without one there is none.
std::shared_ptr<const Passwords> read_password(const SaslOptions& options, Failure& failure) {
  std::optional<Secret> text;
  if (!options.password_file.empty()) {
    text = read_secret(options.password_file, false, failure);
  } else if (options.password_descriptor >= 0) {
    text = read_secret_from(options.password_descriptor, failure);
  } else {
    text = take_secret_variable(password_variable);
  }
  auto password = std::make_shared<Passwords>();
  if (!text) return password;
  password->add(options.user, text->first_line());
  return password;
}

class OpenSasl final : public SecurityLayer {
 public:
  explicit OpenSasl(const SaslOptions& options) : options_(options) {}

  // Of the two sides those that the endpoints have.
  [[nodiscard]] Failure read() {
    Failure failure;
    if (!options_.mechanism.empty()) password_ = read_password(options_, failure);
    if (!options_.users_file.empty() && !failure) users_ = read_users(options_.users_file, failure);
    return failure;
  }

  [[nodiscard]] std::string_view protocol() const noexcept override { return "SASL"; }

  [[nodiscard]] tsock::Request<tsock::Stream> connect(tsock::Stream below, const Endpoint& endpoint,
                                                      const TlsBinding& tls) const override {
    sasl::ClientOptions options;
    options.service = options_.service;
    options.host = options_.host;
    if (options.host.empty()) options.host = endpoint.host.empty() ? "localhost" : endpoint.host;
    options.mechanisms = {options_.mechanism};
    if (!options_.user.empty()) options.user = [user = options_.user] { return user; };
    if (!password_->is_empty()) {
      options.password = [password = password_, user = options_.user] {
        return password->find(user).value_or("");
      };
    }
    if (!options_.authorization_name.empty())
      options.authorization_name = [name = options_.authorization_name] { return name; };
    options.security = security(tls);
    options.security.external_name = tls.own_name;
    // It shows no password, and was asked for by name.
    if (options_.mechanism == "ANONYMOUS") options.security.allow_by_name.emplace_back("ANONYMOUS");
    return sasl::connect(std::move(below), options);
  }

  [[nodiscard]] tsock::Request<tsock::Stream> accept(tsock::Stream below,
                                                     const TlsBinding& tls) const override {
    sasl::ServerOptions options;
    options.service = options_.service;
    options.host = options_.host;
    options.realm = options_.realm;
    options.mechanisms = options_.offers;
    options.sasldb_file = options_.database_file;
    if (users_) options.password_of = [users = users_](std::string_view user) { return users->find(user); };
    options.security = security(tls);
    options.security.external_name = tls.peer_name;
    const auto& offers = options_.offers;
    if (std::find(offers.begin(), offers.end(), "ANONYMOUS") != offers.end())
      options.security.allow_by_name.emplace_back("ANONYMOUS");
    return sasl::accept(std::move(below), options);
  }

  [[nodiscard]] PeerReport describe(const tsock::Stream& stream) const override {
    int err = 0;
    const sasl::Peer peer = sasl::peer(stream, err);
    PeerReport report;
    report.event = "sasl";
    const std::string mechanism = printable(peer.mechanism);
    const std::string user = printable(peer.user);
    const std::string name = printable(peer.authentication_name);
    report.text = "SASL " + mechanism + ", " + (user.empty() ? "anonymous" : "user " + user);
    if (!name.empty() && name != user) report.text += " by " + name;
    report.text += peer.strength == 0   ? ", no security layer"
                   : peer.strength == 1 ? ", signed only"
                                        : ", sealed, " + std::to_string(peer.strength) + " bits";
    report.fields = {{"mechanism", mechanism},
                     {"user", user},
                     {"authentication_name", name},
                     {"strength", static_cast<std::uint64_t>(peer.strength)}};
    return report;
  }

 private:
  [[nodiscard]] sasl::SecurityOptions security(const TlsBinding& tls) const {
    sasl::SecurityOptions security;
    security.lowest_strength = options_.lowest_strength;
    security.highest_strength = options_.highest_strength;
    security.external_strength = tls.strength;
    if (options_.allows_plaintext) security.allow_by_name = {"PLAIN", "LOGIN"};
    if (!options_.has_no_binding && !tls.server_end_point.empty())
      security.channel_binding = {.type = "tls-server-end-point", .bytes = tls.server_end_point};
    return security;
  }

  const SaslOptions& options_;
  std::shared_ptr<const Passwords> password_;
  std::shared_ptr<const Passwords> users_;
};

}  // namespace

std::unique_ptr<SecurityLayer> SecurityLayer::make_sasl(const Options& options, Failure& failure) {
  if (options.sasl.mechanism.empty() && !options.sasl.accepts) return nullptr;
  auto made = std::make_unique<OpenSasl>(options.sasl);
  failure = made->read();
  if (failure) return nullptr;
  return made;
}

}  // namespace tsock_cat

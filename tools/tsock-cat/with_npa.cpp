// NPA by the library's public headers.
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tsock/npa/npa.hpp>
#include <utility>

#include "npa.hpp"

namespace tsock_cat {
namespace {

namespace npa = tsock::npa;

constexpr std::size_t longest_npa_message = 65535;

std::optional<npa::Level> level_of(const NpaOptions& options) {
  if (options.level == "7") return npa::Level::level7;
  if (options.level == "8") return npa::Level::level8;
  return std::nullopt;
}

// The SID of a user without one is Samba's for a user of the system.
npa::Identity identity_of(const NpaOptions& options) {
  int err = 0;
  const auto here = tsock::Address::inet_from_strings("ip", "127.0.0.1", 0, err);
  if (options.user.empty()) return npa::Identity::anonymous(here, here);
  npa::UnixToken token;
  token.uid = options.uid.value_or(::geteuid());
  token.gid = options.gid.value_or(::getegid());
  token.groups.assign(options.groups.begin(), options.groups.end());
  const npa::Sid sid = options.sid.empty() ? npa::Sid::unix_user(static_cast<std::uint32_t>(token.uid))
                                           : npa::Sid::parse(options.sid, err);
  return npa::Identity::user(sid, options.domain, options.user, token, here, here);
}

class OpenNpa final : public Npa {
 public:
  explicit OpenNpa(const Options& options) : options_(options) {}

  [[nodiscard]] tsock::Request<tsock::Stream> connect(tsock::Loop& loop,
                                                      const Endpoint& endpoint) const override {
    return npa::connect(loop, endpoint.path, endpoint.pipe, identity_of(options_.npa),
                        {.level = level_of(options_.npa)});
  }

  // A socket that cannot be connected to has nothing to say in words.
  [[nodiscard]] bool is_of_handshake(int /*err*/, std::string_view reason) const override {
    return !reason.empty();
  }

  [[nodiscard]] tsock::Listener listen(tsock::Loop& loop, const Endpoint& endpoint,
                                       OnHandshakeFailure on_failure, Failure& failure) const override {
    npa::ListenOptions options;
    options.each.level = level_of(options_.npa);
    options.each.reply.file_type =
        options_.npa.mode == "byte" ? npa::FileType::byte_mode : npa::FileType::message_mode;
    options.socket = options_.listener;
    options.handshakes.handshake_time =
        std::chrono::ceil<std::chrono::milliseconds>(options_.handshake_timeout);
    // Clients of a unix socket have no address that would tell one from another.
    options.handshakes.on_failure = [on_failure = std::move(on_failure), name = endpoint.text,
                                     level = options.each.level](const tsock::Address&, int err,
                                                                 std::string_view reason) {
      Failure refused = handshake_failure("NPA", "a client of " + name, err, reason);
      // A client tries level 8, and connects again for level 7.
      refused.comes_back = level == npa::Level::level7 && err == EPROTONOSUPPORT;
      on_failure(refused);
    };
    return npa::listen(loop, endpoint.path, endpoint.pipe, options, failure.err, failure.text);
  }

  void describe(Channel& channel) const override {
    int err = 0;
    const bool has_messages = npa::reply(channel.stream, err).file_type == npa::FileType::message_mode;
    const auto level = static_cast<std::uint64_t>(npa::level(channel.stream, err));
    if (err != 0) return;
    if (has_messages) channel.most_message = longest_npa_message;
    PeerReport report;
    report.event = "npa";
    const std::string mode = has_messages ? "message" : "byte";
    report.text = "NPA level " + std::to_string(level) + ", " + mode + " mode";
    report.fields = {{"level", level}, {"mode", mode}};
    if (const npa::Identity* const client = npa::identity(channel.stream)) {
      report.text += ", client " + client->to_string();
      report.fields.emplace_back("client", client->to_string());
    }
    channel.peer = std::move(report);
  }

 private:
  const Options& options_;
};

}  // namespace

std::unique_ptr<Npa> Npa::make(const Options& options, Failure& failure) {
  bool is_used = false;
  int err = 0;
  if (!options.npa.sid.empty()) static_cast<void>(npa::Sid::parse(options.npa.sid, err));
  if (err != 0) {
    failure.code = ExitCode::usage;
    failure.what = "--npa-sid";
    failure.text = options.npa.sid + " is no SID, such as S-1-5-21-1-2-3-1000";
    return nullptr;
  }
  for (const Endpoint& endpoint : options.endpoints) {
    if (!endpoint.is_npa) continue;
    is_used = true;
    static_cast<void>(npa::pipe_address(endpoint.path, endpoint.pipe, err));
    if (err == 0) continue;
    failure.code = ExitCode::usage;
    failure.what = endpoint.text;
    failure.err = err;
    if (err == EINVAL) failure.text = "no name of a pipe";
    return nullptr;
  }
  return is_used ? std::make_unique<OpenNpa>(options) : nullptr;
}

}  // namespace tsock_cat

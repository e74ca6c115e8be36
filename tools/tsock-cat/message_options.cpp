#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>

#include "option_group.hpp"

namespace tsock_cat {
namespace {

tsock::Framing framing_named(const std::string& name, std::size_t max_body) {
  namespace framing = tsock::framing;
  if (name == "u8") return framing::u8{.max_body = std::min(max_body, std::size_t{0xff})};
  if (name == "u16be") return framing::u16be{.max_body = std::min(max_body, std::size_t{0xffff})};
  if (name == "u16le") return framing::u16le{.max_body = std::min(max_body, std::size_t{0xffff})};
  if (name == "u32be") return framing::u32be{.max_body = max_body};
  if (name == "u32le") return framing::u32le{.max_body = max_body};
  if (name == "crlf") return framing::delimiter{.end = "\r\n", .max_body = max_body};
  return framing::line{.max_body = max_body};
}

void add_message_options(CLI::App& app, Options& options) {
  app.add_option("--pdu", options.pdu_name,
                 "Lines of input are sent as messages, messages printed as lines.\n"
                 "FRAMING is u8, u16be, u16le, u32be, u32le, line or crlf; a datagram is a message by itself")
      ->check(CLI::IsMember({"u8", "u16be", "u16le", "u32be", "u32le", "line", "crlf"}))
      ->type_name("FRAMING");
  app.add_option("--max-pdu", options.max_pdu, "Longest body of a PDU in bytes (1 MiB)")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 30));
  app.add_option("-W,--recv-limit", options.most_messages, "End after N datagrams, or messages of --pdu")
      ->type_name("N")
      ->check(CLI::Range(std::uint64_t{1}, std::numeric_limits<std::uint64_t>::max()));
  app.add_option("--read-exact", options.read_exact, "End after N bytes of a stream; fewer are an error")
      ->type_name("N")
      ->check(CLI::Range(std::uint64_t{1}, std::numeric_limits<std::uint64_t>::max()));
}

// -W and --read-exact.
bool check_amount(const Options& options, std::string& error) {
  const Endpoint& remote = options.endpoints.back();
  if (options.most_messages && !remote.is_datagram() && options.pdu_name.empty()) {
    error = "-W is for datagrams, or needs --pdu; --read-exact counts bytes";
  } else if (options.read_exact && (remote.is_datagram() || !options.pdu_name.empty())) {
    error = "--read-exact is for the bytes of streams; -W counts messages";
  } else if (options.read_exact && options.keep_listening) {
    error = "--read-exact and -k exclude each other";
  }
  return error.empty();
}

bool apply_messages(const std::string& /*first_option*/, Options& options, std::string& error) {
  if (!check_amount(options, error)) return false;
  const std::string& name = options.pdu_name;
  if (name.empty()) return true;
  options.pdu = NamedFraming{name, framing_named(name, options.max_pdu), name == "line" || name == "crlf"};
  const auto& endpoints = options.endpoints;
  const bool has_stdio = endpoints.front().kind == Endpoint::Kind::stdio;
  if (!has_stdio && endpoints.front().is_datagram() == endpoints.back().is_datagram()) {
    error = "--pdu is for standard input and output, or between a stream and datagrams";
  } else if (options.keep_listening && has_stdio) {
    error = "--pdu and -k exclude each other with standard input and output";
  } else if (options.crlf) {
    error = "--pdu and -C exclude each other";
  }
  return error.empty();
}

}  // namespace

const OptionGroup message_options{"Messages", add_message_options, apply_messages};

}  // namespace tsock_cat

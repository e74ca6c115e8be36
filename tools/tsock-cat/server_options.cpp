#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>

#include "option_group.hpp"

namespace tsock_cat {
namespace {

void add_unix_socket_options(CLI::App& app, tsock::ListenerOptions& listener) {
  const auto set_unlink = [&listener](const std::string& how) {
    if (how == "fail") listener.stale_socket = tsock::StaleSocket::fail;
    if (how == "force") listener.stale_socket = tsock::StaleSocket::replace;
  };
  app.add_option_function<std::string>("--unlink", set_unlink,
                                       "When the socket's path exists: fail, probe (replace if dead), force")
      ->check(CLI::IsMember({"fail", "probe", "force"}))
      ->type_name("HOW");
  const auto set_mode = [&listener](const std::string& mode) {
    if (mode.size() > 4 || mode.find_first_not_of("01234567") != std::string::npos)
      throw CLI::ValidationError("--mode", mode + " is not octal, such as 0660");
    listener.mode = static_cast<unsigned>(std::stoul(mode, nullptr, 8));
  };
  app.add_option_function<std::string>("--mode", set_mode, "Permission bits of the unix socket, octal")
      ->type_name("MODE");
  app.add_option("--group", listener.group, "Group of the unix socket, name or number")->type_name("GROUP");
}

void add_server_options(CLI::App& app, Options& options) {
  app.add_flag("-k,--keep-open", options.keep_listening, "Go on listening; serve many clients at once");
  app.add_flag("--once", options.once, "Serve one client, then end. This is the default");
  app.add_option("--max-conns", options.max_connections, "With -k: at most N clients; others wait")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 20));
  app.add_flag("--announce", options.announce, "Print 'listening ADDRESS' with the port really bound");
  app.add_option("--backlog", options.listener.backlog, "Connections that wait to be accepted")
      ->type_name("N")
      ->check(CLI::Range(1, std::numeric_limits<int>::max()));
  app.add_flag("--reuseport", options.listener.reuse_port,
               "Share the port with other listeners (SO_REUSEPORT)");
  add_unix_socket_options(app, options.listener);
}

bool apply_server(const std::string& /*first_option*/, Options& options, std::string& error) {
  const auto& endpoints = options.endpoints;
  const bool listens = std::any_of(endpoints.begin(), endpoints.end(),
                                   [](const Endpoint& endpoint) { return endpoint.is_listener(); });
  const bool uses_fd = std::any_of(endpoints.begin(), endpoints.end(), [](const Endpoint& endpoint) {
    return endpoint.kind == Endpoint::Kind::fd;
  });
  if (options.once && (options.keep_listening || !listens)) {
    error =
        options.keep_listening ? "--once and -k exclude each other" : "--once needs an ADDRESS to listen on";
  } else if (options.keep_listening && !listens) {
    error = "-k needs an ADDRESS to listen on";
  } else if (options.keep_listening && uses_fd) {
    error = "-k is for many connections, fd:N for one";
  } else if (options.max_connections && !options.keep_listening) {
    error = "--max-conns needs -k";
  }
  return error.empty();
}

}  // namespace

const OptionGroup server_options{"Server", add_server_options, apply_server};

}  // namespace tsock_cat

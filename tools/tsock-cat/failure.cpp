#include "failure.hpp"

#include <cerrno>
#include <tsock/error.hpp>

namespace tsock_cat {

std::string hint(const Failure& failure) {
  const bool connects = failure.code == ExitCode::connect;
  const bool listens = failure.code == ExitCode::listen;
  switch (failure.err) {
    case ENOENT:
      return connects ? "the name of a socket or pipe is made by who listens" : "";
    case ENETUNREACH:
    case EHOSTUNREACH:
      return connects ? "see ip route get ADDRESS; -4 or -6 leaves a family out" : "";
    case EADDRINUSE:
      return listens ? "ss -lnp shows who has it" : "";
    case EADDRNOTAVAIL:
      return listens ? "ip address shows what this host has" : "";
    case EACCES:
      return listens ? "ports below 1024 and foreign directories are for others" : "";
    case EMFILE:
      return "ulimit -n is how many descriptors there may be; --max-conns limits the clients";
    default:
      return "";
  }
}

std::string sentence(const Failure& failure) {
  std::string out = failure.what;
  if (!failure.where.empty()) out += " at " + failure.where;
  if (!failure.text.empty()) out += (out.empty() ? "" : ": ") + failure.text;
  if (failure.err != 0 && failure.text.empty())
    out += (out.empty() ? "" : ": ") + tsock::error_text(failure.err);
  return out;
}

}  // namespace tsock_cat

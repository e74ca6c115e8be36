#include "lookup.hpp"

#include <cerrno>
#include <string>
#include <tsock/error.hpp>

namespace tsock_cat {
namespace {

// The errno values that resolve() gives its own meaning.
std::string resolve_text(int err, bool numeric) {
  if (numeric && (err == EINVAL || err == ENXIO)) return "not a numeric address (-n)";
  switch (err) {
    case ENXIO:
      return "no such host, or it has no address of this family";
    case EAGAIN:
      return "no answer from the name servers";
    case EIO:
      return "the name server failed";
    case EAFNOSUPPORT:
      return "an address of another family";
    default:
      return tsock::error_text(err);
  }
}

// Broadcasts and groups have a family of their own.
tsock::AddressFamily datagram_family(const Options& options) {
  if (options.datagram.broadcast) return tsock::AddressFamily::ipv4;
  if (options.groups.empty()) return tsock::AddressFamily::any;
  return options.groups.front().address.is_ipv4() ? tsock::AddressFamily::ipv4 : tsock::AddressFamily::ipv6;
}

}  // namespace

tsock::ResolveOptions resolve_options(const Options& options, const Endpoint& endpoint) {
  tsock::ResolveOptions wanted;
  wanted.numeric_only = options.numeric;
  wanted.datagram = endpoint.is_datagram();
  if (endpoint.is_datagram()) wanted.family = datagram_family(options);
  if (options.ipv4_only) wanted.family = tsock::AddressFamily::ipv4;
  if (options.ipv6_only) wanted.family = tsock::AddressFamily::ipv6;
  return wanted;
}

Failure resolve_failure(const Options& options, const Endpoint& endpoint, int err) {
  Failure failure;
  failure.code = ExitCode::connect;
  failure.what = "resolve " + endpoint.host;
  failure.err = err;
  // A name was not asked for then: what is wrong is the text.
  const bool bad_text = err == EINVAL && !tsock::is_host_text(endpoint.host);
  failure.text =
      bad_text ? tsock::Address::parse_error_text(endpoint.host) : resolve_text(err, options.numeric);
  return failure;
}

}  // namespace tsock_cat

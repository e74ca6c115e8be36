#pragma once

#include <string>
#include <tsock/resolver.hpp>
#include <vector>

/// Names of hosts and services by the system's resolver.
namespace tsock::inline v0::os {

/// Asks the system, which may take any time. \return addresses, each once, in the system's order; empty with
/// `err`: ENXIO when the name has no address of that family, EAGAIN, EIO, EINVAL, EAFNOSUPPORT, ENAMETOOLONG,
/// ENOMEM, or the error of a call that the resolver made
std::vector<Address> look_up(const std::string& host, const std::string& service,
                             const ResolveOptions& options, int& err) noexcept;

}  // namespace tsock::inline v0::os

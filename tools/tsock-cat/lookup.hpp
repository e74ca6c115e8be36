#pragma once

#include <tsock/resolver.hpp>

#include "endpoint.hpp"
#include "failure.hpp"
#include "options.hpp"

namespace tsock_cat {

/// How the host of an endpoint is looked up.
[[nodiscard]] tsock::ResolveOptions resolve_options(const Options& options, const Endpoint& endpoint);

/// What to say when that failed.
[[nodiscard]] Failure resolve_failure(const Options& options, const Endpoint& endpoint, int err);

}  // namespace tsock_cat

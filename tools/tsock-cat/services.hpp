#pragma once

#include <tsock/loop.hpp>

#include "npa.hpp"
#include "options.hpp"
#include "report.hpp"
#include "tls.hpp"
#include "transcript.hpp"

namespace tsock_cat {

/// What every part needs; all of it lives as long as the process.
struct Services {
  tsock::Loop& loop;
  const Options& options;
  Report& report;
  Transcript& transcript;
  const Tls* tls = nullptr;  ///< there if an endpoint is for TLS
  const Npa* npa = nullptr;  ///< there if an endpoint is for NPA
};

}  // namespace tsock_cat

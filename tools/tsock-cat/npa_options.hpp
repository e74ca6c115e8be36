#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tsock_cat {

/// What the options for npa:// and npa-listen:// say, in the words of the command line.
struct NpaOptions {
  std::string mode = "message";
  std::string level = "any";

  // who a client is; anonymous without a user
  std::string user;
  std::string domain;
  std::string sid;
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::vector<std::uint32_t> groups;
};

}  // namespace tsock_cat

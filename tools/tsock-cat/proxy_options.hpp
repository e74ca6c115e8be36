#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tsock/proxy/header.hpp>
#include <tsock/proxy/network.hpp>
#include <vector>

#include "endpoint.hpp"

namespace tsock_cat {

/// Proxies in front of those that we reach, and in front of us.
struct ProxyOptions {
  enum class Protocol : std::uint8_t { none, socks5, http };

  // in the words of the command line
  std::string url;
  std::string sent_version;
  std::vector<std::string> trusted_texts;

  // made of them
  Protocol protocol = Protocol::none;
  Endpoint endpoint;  ///< the proxy, with TLS for https
  std::string user;
  std::string password_file;
  int password_descriptor = -1;

  std::optional<tsock::proxy::Header::Version> sent_header;
  bool accepts_header = false;
  std::vector<tsock::proxy::Network> trusted;

  [[nodiscard]] bool is_used_for(const Endpoint& target) const noexcept {
    return protocol != Protocol::none && target.kind == Endpoint::Kind::tcp;
  }
};

}  // namespace tsock_cat

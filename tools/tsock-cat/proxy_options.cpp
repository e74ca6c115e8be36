#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "option_group.hpp"

namespace tsock_cat {
namespace {

struct ProxyScheme {
  std::string_view prefix;
  ProxyOptions::Protocol protocol;
  bool is_tls;
};
constexpr std::array<ProxyScheme, 4> proxy_schemes{{
    {"socks5://", ProxyOptions::Protocol::socks5, false},
    {"socks5h://", ProxyOptions::Protocol::socks5, false},  // as curl has it: names go to the proxy
    {"http://", ProxyOptions::Protocol::http, false},
    {"https://", ProxyOptions::Protocol::http, true},
}};

bool read_proxy_url(const std::string& url, ProxyOptions& proxy, std::string& error) {
  for (const ProxyScheme& scheme : proxy_schemes) {
    if (!url.starts_with(scheme.prefix)) continue;
    std::string_view rest = std::string_view(url).substr(scheme.prefix.size());
    if (rest.ends_with('/')) rest.remove_suffix(1);
    if (rest.find('@') != std::string_view::npos) {
      // The password would be seen by all users of the machine.
      error = "--proxy: the user is for --proxy-auth, and the password for --proxy-password-file";
      return false;
    }
    const auto endpoint = parse_endpoint("tcp://" + std::string(rest), error);
    if (!endpoint) {
      const std::size_t colon = error.find(": ");
      error.replace(0, colon != std::string::npos ? colon : 0, "--proxy " + url);
      return false;
    }
    proxy.endpoint = *endpoint;
    proxy.endpoint.text = url;
    proxy.endpoint.is_tls = scheme.is_tls;
    proxy.protocol = scheme.protocol;
    return true;
  }
  error = "--proxy " + url + ": socks5://HOST:PORT, http://HOST:PORT or https://HOST:PORT";
  return false;
}

bool read_networks(const std::vector<std::string>& words, ProxyOptions& proxy, std::string& error) {
  for (const std::string& word : words) {
    int err = 0;
    proxy.trusted.push_back(tsock::proxy::Network::parse(word, err));
    if (err == 0) continue;
    error = "--accept-proxy-from: " + word + " is no network, such as 10.0.0.0/8";
    return false;
  }
  return true;
}

template <class Predicate>
bool has_endpoint_like(const Options& options, Predicate predicate) {
  return std::any_of(options.endpoints.begin(), options.endpoints.end(), predicate);
}

bool is_proxied_kind(const Endpoint& endpoint) {
  return endpoint.is_network() && !endpoint.is_datagram() && !endpoint.is_npa;
}

void add_proxy_options(CLI::App& app, Options& options) {
  ProxyOptions& proxy = options.proxy;
  app.add_option("--proxy", proxy.url,
                 "Connect to tcp and tls ADDRESSes through a proxy:\n"
                 "socks5://HOST:PORT, http://HOST:PORT, https://HOST:PORT")
      ->type_name("URL");
  app.add_option("--proxy-auth", proxy.user, "The user for the proxy")->type_name("USER");
  auto* const file = app.add_option("--proxy-password-file", proxy.password_file,
                                    "The first line is the password; also by TSOCK_CAT_PROXY_PASSWORD")
                         ->type_name("FILE");
  app.add_option("--proxy-password-fd", proxy.password_descriptor, "The same from a descriptor")
      ->excludes(file)
      ->check(CLI::Range(3, std::numeric_limits<int>::max()))
      ->type_name("N");
  app.add_option("--send-proxy", proxy.sent_version,
                 "Tell whom we connect to who the client is, by the PROXY protocol: v1 or v2")
      ->check(CLI::IsMember({"v1", "v2"}))
      ->type_name("VERSION");
  app.add_flag("--accept-proxy", proxy.accepts_header,
               "Clients come through a proxy, which tells who they are by the PROXY protocol");
  app.add_option("--accept-proxy-from", proxy.trusted_texts, "Only proxies of these networks")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NET,...");
}

bool apply_proxy(const std::string& /*first_option*/, Options& options, std::string& error) {
  ProxyOptions& proxy = options.proxy;
  if (!proxy.url.empty() && !read_proxy_url(proxy.url, proxy, error)) return false;
  if (!read_networks(proxy.trusted_texts, proxy, error)) return false;
  if (!proxy.sent_version.empty()) {
    using Version = tsock::proxy::Header::Version;
    proxy.sent_header = proxy.sent_version == "v1" ? Version::v1 : Version::v2;
  }
  const bool has_password = !proxy.password_file.empty() || proxy.password_descriptor >= 0;
  if (proxy.url.empty() && (!proxy.user.empty() || has_password)) {
    error = "--proxy-auth and --proxy-password-* need --proxy";
  } else if (proxy.user.empty() && has_password) {
    error = "--proxy-password-* needs --proxy-auth USER";
  } else if (!proxy.url.empty() && !has_endpoint_like(options, [&proxy](const Endpoint& each) {
               return proxy.is_used_for(each);
             })) {
    error = "--proxy is for tcp:// and tls://";
  } else if (proxy.sent_header && !has_endpoint_like(options, [](const Endpoint& each) {
               return is_proxied_kind(each) && !each.is_listener();
             })) {
    error = "--send-proxy is for an ADDRESS that connects a stream";
  } else if (!proxy.accepts_header && !proxy.trusted.empty()) {
    error = "--accept-proxy-from needs --accept-proxy";
  } else if (proxy.accepts_header && !has_endpoint_like(options, [](const Endpoint& each) {
               return is_proxied_kind(each) && each.is_listener();
             })) {
    error = "--accept-proxy is for an ADDRESS that listens for streams";
  }
  return error.empty();
}

}  // namespace

const OptionGroup proxy_options{"Proxies", add_proxy_options, apply_proxy};

}  // namespace tsock_cat

#include <memory>
#include <tsock/layer/layer_over.hpp>
#include <tsock/proxy/http_connect.hpp>
#include <tsock/proxy/socks5_connect.hpp>
#include <utility>

#include "proxy/http_engine.hpp"
#include "proxy/socks5_engine.hpp"

namespace tsock::inline v0::proxy {

Request<Stream> socks5_connect(Stream below, const Target& target, const Socks5Options& options,
                               CallSite site) {
  return layer::layer_over(std::move(below), std::make_unique<Socks5Engine>(target, options),
                           "proxy_socks5_connect", {}, site);
}

Request<Stream> http_connect(Stream below, const Target& target, const HttpOptions& options, CallSite site) {
  return layer::layer_over(std::move(below), std::make_unique<HttpEngine>(target, options),
                           "proxy_http_connect", {}, site);
}

}  // namespace tsock::inline v0::proxy

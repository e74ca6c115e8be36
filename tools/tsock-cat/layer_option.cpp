#include "layer_option.hpp"

#include <algorithm>

namespace tsock_cat {
namespace {

// The last ADDRESS of streams that connects, or that listens.
Endpoint* stream_endpoint(Options& options, bool listens) {
  auto& endpoints = options.endpoints;
  const auto found = std::find_if(endpoints.rbegin(), endpoints.rend(), [listens](const Endpoint& endpoint) {
    return endpoint.is_network() && !endpoint.is_datagram() && endpoint.is_listener() == listens;
  });
  return found != endpoints.rend() ? &*found : nullptr;
}

}  // namespace

bool put_layer(Options& options, bool listens, Endpoint::Layer layer, const char* option,
               std::string& error) {
  Endpoint* const endpoint = stream_endpoint(options, listens);
  if (endpoint == nullptr) {
    error = std::string(option) + " is for an ADDRESS of streams that " + (listens ? "listens" : "connects");
  } else if (endpoint->is_npa) {
    error = std::string(option) + " is not for a named pipe";
  } else if (endpoint->layer != Endpoint::Layer::none) {
    error = "one of --gssapi and --sasl for an ADDRESS";
  } else {
    endpoint->layer = layer;
  }
  return error.empty();
}

}  // namespace tsock_cat

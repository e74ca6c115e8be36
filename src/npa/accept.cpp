#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <tsock/layer/layer_over.hpp>
#include <tsock/loop.hpp>
#include <tsock/npa/accept.hpp>
#include <utility>

#include "core/loop/loop_core.hpp"
#include "core/stream/stream_access.hpp"
#include "layer/failed_engine.hpp"
#include "npa/pipe_codec.hpp"

namespace tsock::inline v0::npa {

namespace {

// Why the peer is not believed; empty when it is.
std::string distrust(const Stream& below, const AcceptOptions& options) {
  try {
    if (options.trusts ? options.trusts(below) : is_root_or_self(below)) return {};
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {
    return "the function that decides about trust has failed";
  }
  int err = 0;
  const PeerCredentials peer = below.peer_credentials(err);
  if (err != 0) return "the stream does not tell whose process its peer is";
  return "the peer is a process of uid " + std::to_string(peer.uid) + ", which is not trusted";
}

}  // namespace

bool is_root_or_self(const Stream& stream) noexcept {
  int err = 0;
  const PeerCredentials peer = stream.peer_credentials(err);
  return err == 0 && (peer.uid == 0 || peer.uid == ::geteuid());
}

Request<Stream> accept(Stream below, const AcceptOptions& options, CallSite site) {
  std::unique_ptr<layer::Engine> engine;
  // One that is closed is told by layer_over().
  std::string why = below.is_open() ? distrust(below, options) : std::string();
  // The function that decides may have destroyed the Loop.
  Loop* const loop = StreamAccess::loop(below);
  if (loop == nullptr) return {};
  if (!why.empty()) {
    engine = std::make_unique<layer::FailedEngine>(EACCES, std::move(why));
  } else {
    engine = make_engine(std::make_unique<ServerCodec>(options), loop->core().memory());
  }
  return layer::layer_over(std::move(below), std::move(engine), "npa_accept", {}, site);
}

}  // namespace tsock::inline v0::npa

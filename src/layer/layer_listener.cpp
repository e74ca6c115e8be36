#include "layer/layer_listener.hpp"

#include <cerrno>
#include <new>
#include <string>
#include <tsock/error.hpp>
#include <tsock/loop.hpp>
#include <utility>

#include "core/listener/listener_access.hpp"
#include "core/listener/listener_core.hpp"
#include "core/loop/loop_core.hpp"

namespace tsock::inline v0::layer {

namespace {

constexpr std::chrono::seconds log_distance(1);

}  // namespace

LayerListener::LayerListener(Listener below, std::function<Request<Stream>(Stream)> handshake,
                             ListenOptions options)
    : below_(std::move(below)),
      start_(std::make_shared<const std::function<Request<Stream>(Stream)>>(std::move(handshake))),
      options_(std::move(options)),
      on_failure_(std::make_shared<const std::function<void(const Address&, int, std::string_view)>>(
          std::move(options_.on_failure))) {
  ListenerAccess::core(below_)->give_up_accepts();
}

int LayerListener::try_accept_stream(Stream& stream) noexcept {
  int err = EAGAIN;
  if (!finished_.empty()) {
    stream = std::move(finished_.front().stream);
    finished_.pop_front();
    err = 0;
  } else if (error_ != 0) {
    return std::exchange(error_, 0);
  }
  take_more();
  return err;
}

Readiness LayerListener::want_acceptable() noexcept {
  if (!finished_.empty() || error_ != 0) return Readiness::now;
  take_more();
  return Readiness::later;
}

void LayerListener::take_more() noexcept {
  if (accepting_ || error_ != 0 || handshakes_.size() + finished_.size() >= options_.most_handshakes) return;
  try {
    accepting_ = below_.accept();
    accepting_.set_callback([this](Request<Stream>& accepted) { on_connection(accepted); });
  } catch (const std::bad_alloc&) {
    accepting_ = {};
    error_ = ENOMEM;
  }
}

void LayerListener::on_connection(Request<Stream>& accepted) {
  int err = 0;
  Stream stream = accepted.recv(err);
  accepting_ = {};
  if (err != 0) {
    error_ = err;
    events_->on_acceptable();
    return;
  }
  Address peer;
  try {
    peer = stream.remote_address();
  } catch (const std::bad_alloc&) {
    // It goes without a name.
  }
  const std::weak_ptr alive(start_);
  err = begin_handshake(std::move(stream), peer);
  if (alive.expired()) return;
  take_more();
  if (error_ != 0) events_->on_acceptable();
  if (err != 0) report(peer, err, {});
}

int LayerListener::begin_handshake(Stream stream, const Address& peer) noexcept {
  try {
    handshakes_.push_back({.peer = peer, .request = {}, .stream = {}});
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
  const auto place = std::prev(handshakes_.end());
  const auto start = start_;
  Request<Stream> request;
  int err = 0;
  try {
    request = (*start)(std::move(stream));
    if (!request) err = ECONNABORTED;
  } catch (const std::bad_alloc&) {
    err = ENOMEM;
  } catch (...) {
    err = ECONNABORTED;
  }
  if (start.use_count() == 1) return ECANCELED;  // it has destroyed the listener
  try {
    if (err == 0) {
      place->request = std::move(request);
      place->request.set_timeout(options_.handshake_time);
      place->request.set_callback([this, place](Request<Stream>&) { on_handshake(place); });
    }
  } catch (const std::bad_alloc&) {
    err = ENOMEM;
  }
  Handshakes failed;
  if (err != 0) failed.splice(failed.begin(), handshakes_, place);
  return err;
}

void LayerListener::on_handshake(Handshakes::iterator handshake) {
  int err = 0;
  Handshakes ended;
  ended.splice(ended.begin(), handshakes_, handshake);
  Request<Stream> request = std::move(handshake->request);
  handshake->stream = request.recv(err);
  if (err == 0 && !handshake->stream.is_open()) err = ECONNABORTED;
  if (err == 0) finished_.splice(finished_.end(), ended);
  take_more();
  if (!finished_.empty() || error_ != 0) events_->on_acceptable();
  if (err != 0) report(ended.front().peer, err, request.reason());
}

// The last that is done, as the function may destroy the listener.
void LayerListener::report(const Address& peer, int err, std::string_view reason) {
  const auto on_failure = on_failure_;
  if (*on_failure) {
    (*on_failure)(peer, err, reason);
  } else {
    log_failure(peer, err, reason);
  }
}

void LayerListener::log_failure(const Address& peer, int err, std::string_view reason) {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_log_) return;
  next_log_ = now + log_distance;
  try {
    std::string text = "listener on " + local_address().string() + ": handshake of " + peer.string() +
                       " failed: " + error_text(err);
    if (!reason.empty()) text.append(", ").append(reason);
    below_.loop().core().log_warning(text.c_str());
  } catch (const std::bad_alloc&) {
    // It goes on without a word.
  }
}

Listener listen_over(Listener below, std::function<Request<Stream>(Stream)> handshake,
                     ListenOptions options) {
  if (!below) return {};
  Loop& loop = below.loop();
  const StreamOptions stream = options.stream;
  std::unique_ptr<ListenerBackend> backend =
      std::make_unique<LayerListener>(std::move(below), std::move(handshake), std::move(options));
  return {loop, std::move(backend), stream};
}

}  // namespace tsock::inline v0::layer

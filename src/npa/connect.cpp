#include <algorithm>
#include <cerrno>
#include <memory>
#include <new>
#include <ostream>
#include <string>
#include <tsock/layer/layer_over.hpp>
#include <tsock/loop.hpp>
#include <tsock/npa/connect.hpp>
#include <utility>
#include <vector>

#include "core/loop/loop_core.hpp"
#include "core/stream/stream_access.hpp"
#include "layer/failed_engine.hpp"
#include "npa/pipe_codec.hpp"
#include "npa/request.hpp"

namespace tsock::inline v0::npa {

namespace {

using detail::LoopCore;

constexpr const char* operation_name = "npa_connect";

/// What is said to a server at one level.
struct Attempt {
  Level level;
  SecretBytes request;
};

bool is_silence(int err) noexcept { return err == EPROTO || err == ECONNRESET || err == EPIPE; }

/// Connects and shakes hands, at one level after the other.
class PipeConnectState : public detail::ResultState<Stream> {
 public:
  PipeConnectState(LoopCore& core, CallSite site) noexcept : ResultState(core, site) {}
  [[nodiscard]] const char* name() const noexcept override { return operation_name; }

  void start(const Address& address, int err, const Identity& identity, const ConnectOptions& options) {
    if (err != 0) {
      explain("no name for a pipe");
      finish(err);
      return;
    }
    address_ = address;
    options_ = options;
    std::string reason;
    for (const Level level : {Level::level7, Level::level8}) {
      if (options.level && *options.level != level) continue;
      Attempt attempt{.level = level, .request = {}};
      err = encode_request(identity, level, attempt.request, reason);
      if (err != 0) {
        explain(reason);
        finish(err);
        return;
      }
      attempts_.push_back(std::move(attempt));
    }
    connect();
  }

  // A child may be what calls: they go on delivery.
  void interrupt(int err) override { finish(err); }
  void on_deadline() override {
    if (!look_again()) interrupt(ETIMEDOUT);
  }
  void describe(std::ostream& out) const override { out << ", to " << address_.string(); }

 private:
  void connect() {
    socket_ = Stream::connect(loop(), address_, {.stream = options_.stream}, site());
    socket_.set_callback([this](Request<Stream>& request) { on_socket(request); });
  }

  void on_socket(Request<Stream>& request) {
    if (!is_unfinished()) return;
    int err = 0;
    Stream below = request.recv(err);
    if (err != 0) {
      explain(request.reason());
      finish(err);
      return;
    }
    try {
      Attempt attempt = std::move(attempts_.back());
      attempts_.pop_back();
      auto codec = std::make_unique<ClientCodec>(std::move(attempt.request), attempt.level);
      handshake_ = layer::layer_over(std::move(below), make_engine(std::move(codec), core().memory()),
                                     operation_name, {}, site());
      handshake_.set_callback([this](Request<Stream>& ended) { on_handshake(ended); });
    } catch (const std::bad_alloc&) {
      finish(ENOMEM);
    }
  }

  void on_handshake(Request<Stream>& request) {
    if (!is_unfinished()) return;
    int err = 0;
    Stream stream = request.recv(err);
    if (err == 0) {
      finish_with(std::move(stream));
    } else if (is_silence(err) && !attempts_.empty()) {
      try {
        connect();
      } catch (const std::bad_alloc&) {
        finish(ENOMEM);
      }
    } else {
      explain(is_silence(err) ? silent_server : request.reason());
      finish(err);
    }
  }

  void drop() noexcept {
    socket_ = {};
    handshake_ = {};
    attempts_.clear();
  }
  void on_delivery() noexcept override { drop(); }
  void on_abandon() noexcept override { drop(); }

  Address address_;
  ConnectOptions options_;
  std::vector<Attempt> attempts_;  // the next one is the last
  Request<Stream> socket_;
  Request<Stream> handshake_;
};

}  // namespace

Address pipe_address(std::string_view directory, std::string_view pipe, int& err) {
  err = EINVAL;
  constexpr std::string_view separators("/\0", 2);
  if (pipe.empty() || pipe == "." || pipe == ".." || pipe.find_first_of(separators) != std::string_view::npos)
    return {};
  std::string path(directory);
  path += "/np/";
  std::ranges::transform(pipe, std::back_inserter(path), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  });
  return Address::unix_from_path(path, err);
}

Request<Stream> connect(Loop& loop, std::string_view directory, std::string_view pipe,
                        const Identity& identity, const ConnectOptions& options, CallSite site) {
  auto* const state = detail::make_state<PipeConnectState>(loop.core(), site);
  Request<Stream> request(state);
  const detail::ParentScope scope(*state);
  if (!state->is_unfinished()) return request;
  int err = 0;
  const Address address = pipe_address(directory, pipe, err);
  state->start(address, err, identity, options);
  return request;
}

Request<Stream> connect(Stream below, const Identity& identity, const ConnectOptions& options,
                        CallSite site) {
  Loop* const loop = StreamAccess::loop(below);
  if (loop == nullptr) return {};
  const Level level = options.level.value_or(Level::level8);
  SecretBytes message;
  std::string reason;
  std::unique_ptr<layer::Engine> engine;
  if (const int err = encode_request(identity, level, message, reason); err != 0) {
    engine = std::make_unique<layer::FailedEngine>(err, std::move(reason));
  } else {
    engine = make_engine(std::make_unique<ClientCodec>(std::move(message), level), loop->core().memory());
  }
  return layer::layer_over(std::move(below), std::move(engine), operation_name, {}, site);
}

}  // namespace tsock::inline v0::npa

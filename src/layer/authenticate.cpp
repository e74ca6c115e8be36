#include "layer/authenticate.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <tsock/layer/layer_over.hpp>
#include <tsock/loop.hpp>
#include <tsock/operation.hpp>
#include <tsock/worker.hpp>
#include <utility>
#include <vector>

#include "core/stream/stream_access.hpp"
#include "core/stream/stream_core.hpp"
#include "layer/takeover_state.hpp"
#include "layer/wiped_bytes.hpp"

namespace tsock::inline v0::layer {

namespace {

using detail::LoopCore;

// The length of a long token is only the peer's word: memory grows with what has come.
constexpr std::size_t first_piece = std::size_t{16} * 1024;

/// What one step of a mechanism has come to.
struct StepResult {
  int err = EIO;
  bool answers = false;
  WipedBytes answer = {};
};

StepResult take_step(Mechanism& mechanism, std::span<const std::byte> token) noexcept {
  StepResult result;
  std::vector<std::byte> answer;
  result.err = mechanism.step(token, answer, result.answers);
  result.answer = WipedBytes(std::move(answer));
  return result;
}

/// Carries tokens until the mechanism is done, then puts the layer on.
class AuthenticationState : public TakeoverState {
 public:
  AuthenticationState(LoopCore& core, const char* name, std::shared_ptr<Mechanism> mechanism,
                      const RecordEngine::Format& format, CallSite site) noexcept
      : TakeoverState(core, name, site), format_(format), mechanism_(std::move(mechanism)) {}
  using TakeoverState::take_over;

 private:
  void on_drained(int err, std::string_view reason) override {
    if (err == 0) read_no_secrets_ahead();
    if (err != 0) {
      fail(err, reason);
    } else if (mechanism_->begins()) {
      step();
    } else {
      format_.greeting = {};
      read_header();
    }
  }

  // What is read ahead lies in memory of the loop, which nobody wipes. What was read before is not the
  // handshake's.
  void read_no_secrets_ahead() noexcept {
    detail::StreamCore* const source = StreamAccess::core(below());
    if (source == nullptr) return;
    read_ahead_ = source->read_ahead();
    source->set_read_ahead(0);
  }

  void read_header() {
    reading_ = below().read(std::span(header_).first(format_.handshake.header_size()), site());
    reading_.set_callback([this](Request<ssize_t>& done) {
      if (!has_read(done)) return;
      const std::size_t length = format_.handshake.read(header_);
      if (!format_.handshake.allows(length)) {
        std::array<char, 96> text{};
        fail(EMSGSIZE, refuse_length(format_.handshake, length, text));
      } else if (format_.handshake.skips(length)) {
        read_header();
      } else {
        read_body(length);
      }
    });
  }

  void read_body(std::size_t length) {
    const std::size_t begin = token_.size();
    const std::size_t piece = std::min(length - begin, std::max(begin, first_piece));
    if (piece == 0) {
      step();
      return;
    }
    try {
      token_.resize(begin + piece);
    } catch (const std::bad_alloc&) {
      finish(ENOMEM);
      return;
    }
    reading_ = below().read(token_.bytes().subspan(begin), site());
    reading_.set_callback([this, length](Request<ssize_t>& done) {
      if (has_read(done)) read_body(length);
    });
  }

  bool has_read(Request<ssize_t>& done) {
    int err = 0;
    done.recv(err);
    if (err == 0) return is_unfinished();
    if (err == EPIPE) {
      fail(EPROTO, "the peer ended the stream during the handshake");
    } else {
      fail(err, done.reason());
    }
    return false;
  }

  void step() {
    if (!mechanism_->may_block()) {
      StepResult result = take_step(*mechanism_, token_.bytes());
      token_.clear();
      on_step(std::move(result));
      return;
    }
    stepping_ = run_on_worker({loop(), site()}, [mechanism = mechanism_, token = std::move(token_)] {
      return take_step(*mechanism, token.bytes());
    });
    stepping_.set_callback([this](Request<StepResult>& done) {
      int err = 0;
      StepResult result = done.recv(err);
      if (!is_unfinished()) return;
      if (err != 0) {
        fail(err, done.reason());
      } else {
        on_step(std::move(result));
      }
    });
  }

  void on_step(StepResult result) {
    err_ = result.err;
    if (!result.answers) {
      go_on();
      return;
    }
    if (!format_.handshake.allows(result.answer.size())) {
      std::array<char, 96> text{};
      fail(EMSGSIZE, refuse_length(format_.handshake, result.answer.size(), text));
      return;
    }
    try {
      frame_answer(result.answer.bytes());
    } catch (const std::bad_alloc&) {
      finish(ENOMEM);
      return;
    }
    writing_ = below().write(std::as_const(answer_).bytes(), site());
    writing_.set_callback([this](Request<ssize_t>& done) {
      int err = 0;
      done.recv(err);
      answer_.clear();
      if (!is_unfinished()) return;
      if (err != 0 && (err_ == 0 || err_ == EAGAIN)) {
        fail(err, done.reason());
      } else {
        go_on();
      }
    });
  }

  // In one piece, as small ones are gathered in memory of the loop, which nobody wipes.
  void frame_answer(std::span<const std::byte> answer) {
    const auto greeting = std::as_bytes(std::span(std::exchange(format_.greeting, {})));
    const std::size_t header = format_.handshake.header_size();
    answer_.resize(greeting.size() + header + answer.size());
    const std::span<std::byte> frame = answer_.bytes();
    std::ranges::copy(greeting, frame.begin());
    format_.handshake.write(answer.size(), frame.subspan(greeting.size(), header));
    std::ranges::copy(answer, frame.subspan(greeting.size() + header).begin());
  }

  void go_on() {
    if (err_ == EAGAIN) {
      read_header();
    } else if (err_ != 0) {
      fail(err_, mechanism_->reason());
    } else {
      put_layer_on();
    }
  }

  void put_layer_on() {
    std::unique_ptr<Codec> codec;
    std::unique_ptr<Engine> engine;
    try {
      codec = mechanism_->codec(format_);
      if (codec == nullptr) engine = mechanism_->engine();
    } catch (const std::bad_alloc&) {
      finish(ENOMEM);
      return;
    }
    reading_ = {};
    // A layer passes it on to the stream above.
    if (detail::StreamCore* const source = StreamAccess::core(below()); source != nullptr)
      source->set_read_ahead(read_ahead_);
    if (codec == nullptr && engine == nullptr) {
      finish_with(std::move(below()));
      return;
    }
    layering_ = codec != nullptr ? protect(std::move(below()), std::move(codec), format_, name(), site())
                                 : layer_over(std::move(below()), std::move(engine), name(), {}, site());
    layering_.set_callback([this](Request<Stream>& done) {
      int err = 0;
      Stream stream = done.recv(err);
      if (err != 0) {
        fail(err, done.reason());
      } else {
        finish_with(std::move(stream));
      }
    });
  }

  void release_all() noexcept override {
    reading_ = {};
    stepping_ = {};
    writing_ = {};
    layering_ = {};
    token_.clear();
    answer_.clear();
    mechanism_.reset();
  }

  RecordEngine::Format format_;
  std::shared_ptr<Mechanism> mechanism_;  // kept until delivery, as what it owns may destroy the request
  int err_ = 0;                           // of the last step
  std::size_t read_ahead_ = 0;            // of the stream below, before and after the handshake
  std::array<std::byte, LengthFormat::longest_header> header_{};
  WipedBytes token_;
  WipedBytes answer_;
  Request<ssize_t> reading_;
  Request<StepResult> stepping_;
  Request<ssize_t> writing_;
  Request<Stream> layering_;
};

/// A stream that stays as it is.
class StreamAsItIs final : public Operation<Stream> {
 public:
  explicit StreamAsItIs(Stream stream) noexcept : stream_(std::move(stream)) {}
  void start() override { done(std::move(stream_)); }

 private:
  Stream stream_;
};

}  // namespace

Request<Stream> authenticate(Stream below, std::shared_ptr<Mechanism> mechanism,
                             const RecordEngine::Format& format, const char* name, CallSite site) {
  Loop* const loop = StreamAccess::loop(below);
  if (loop == nullptr) return {};
  auto* const state =
      detail::make_state<AuthenticationState>(loop->core(), name, std::move(mechanism), format, site);
  Request<Stream> request(state);
  const detail::ParentScope scope(*state);
  if (state->is_unfinished()) state->take_over(std::move(below));
  return request;
}

Request<Stream> protect(Stream below, std::unique_ptr<Codec> codec, const RecordEngine::Format& format,
                        const char* name, CallSite site) {
  Loop* const loop = StreamAccess::loop(below);
  if (loop == nullptr) return {};
  if (codec == nullptr) return make_request<StreamAsItIs>({*loop, site}, std::move(below));
  auto engine = std::make_unique<RecordEngine>(std::move(codec), format, loop->core().memory());
  return layer_over(std::move(below), std::move(engine), name, {}, site);
}

const Codec* codec_of(const Stream& stream) noexcept {
  const auto* const engine = dynamic_cast<const RecordEngine*>(engine_of(stream));
  return engine != nullptr ? &engine->codec() : nullptr;
}

}  // namespace tsock::inline v0::layer

#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tsock/loop.hpp>
#include <tsock/stream.hpp>
#include <tsock/stream_backend.hpp>
#include <utility>

namespace tsock::test {

/// A stream whose other end is the test itself: what comes, how much goes and how long a goodbye takes are
/// decided line by line.
class ScriptedBackend final : public StreamBackend {
 public:
  /// What the test moves; shared with it, so that it lives longer than the stream.
  struct Script {
    std::string input = {};                ///< what can be read
    int read_error = EAGAIN;               ///< what a read gives when `input` is empty; 0 is the end
    std::string output = {};               ///< what was written
    std::size_t room = std::string::npos;  ///< bytes that writes may still take
    std::size_t most_per_write = std::string::npos;
    bool short_is_final = false;
    int write_error = EAGAIN;  ///< what a write gives without room
    int flush_result = 0;
    int shutdown_result = 0;
    int disconnect_result = 0;  ///< EAGAIN: the goodbye takes time
    unsigned disconnect_calls = 0;
    bool aborted = false;
    bool alive = true;
    StreamEvents* events = nullptr;
  };

  explicit ScriptedBackend(std::shared_ptr<Script> script) noexcept : script_(std::move(script)) {}
  ~ScriptedBackend() override { script_->alive = false; }

  void attach(StreamEvents& events) noexcept override { script_->events = &events; }

  ssize_t try_readv(std::span<const iovec> vectors, int& err) noexcept override {
    std::size_t got = 0;
    for (const iovec& vector : vectors) {
      const std::size_t step = std::min(vector.iov_len, script_->input.size());
      std::memcpy(vector.iov_base, script_->input.data(), step);
      script_->input.erase(0, step);
      got += step;
    }
    if (got != 0) return static_cast<ssize_t>(got);
    if (script_->read_error == 0) return 0;
    err = script_->read_error;
    return -1;
  }

  ssize_t try_writev(std::span<const iovec> vectors, int& err) noexcept override {
    std::size_t taken = 0;
    for (const iovec& vector : vectors) {
      const std::size_t step = std::min({vector.iov_len, script_->room, script_->most_per_write - taken});
      script_->output.append(static_cast<const char*>(vector.iov_base), step);
      if (script_->room != std::string::npos) script_->room -= step;
      taken += step;
    }
    if (taken != 0) return static_cast<ssize_t>(taken);
    err = script_->write_error;
    return -1;
  }

  int try_flush() noexcept override { return script_->flush_result; }
  int try_shutdown_write() noexcept override { return script_->shutdown_result; }
  int try_disconnect(Linger& /*linger*/) noexcept override {
    ++script_->disconnect_calls;
    return script_->disconnect_result;
  }
  void abort() noexcept override { script_->aborted = true; }
  Readiness want_readable() noexcept override { return Readiness::later; }
  Readiness want_writable() noexcept override { return Readiness::later; }
  void want_broken() noexcept override {}
  [[nodiscard]] StreamTraits traits() const noexcept override {
    return {.short_is_final = script_->short_is_final};
  }
  std::size_t pending_bytes(int& err) noexcept override {
    if (script_->input.empty() && script_->read_error != EAGAIN)
      err = script_->read_error == 0 ? EPIPE : script_->read_error;
    return script_->input.size();
  }

 private:
  std::shared_ptr<Script> script_;
};

inline std::shared_ptr<ScriptedBackend::Script> make_script(const ScriptedBackend::Script& script) {
  return std::make_shared<ScriptedBackend::Script>(script);
}

inline Stream scripted_stream(Loop& loop, std::shared_ptr<ScriptedBackend::Script> script) {
  return Stream(loop, std::make_unique<ScriptedBackend>(std::move(script)));
}

}  // namespace tsock::test

#pragma once

#include <span>
#include <tsock/stream_backend.hpp>
#include <utility>

#include "uv/pipe_stream.hpp"

namespace tsock::inline v0::detail {

/// Two pipes as one stream: it reads from one and writes to the other.
class PipePairStream final : public StreamBackend {
 public:
  PipePairStream(LoopImpl& loop, UniqueFd reading, UniqueFd writing) noexcept
      : reading_(loop, {.fd = std::move(reading)}), writing_(loop, {.fd = std::move(writing)}) {}

  /// Begins to watch the descriptors. \return 0 or an errno value.
  int open();

  void attach(StreamEvents& events) noexcept override;
  ssize_t try_readv(std::span<const iovec> vectors, int& err) noexcept override {
    return reading_.try_readv(vectors, err);
  }
  ssize_t try_writev(std::span<const iovec> vectors, int& err) noexcept override {
    return writing_.try_writev(vectors, err);
  }
  int try_shutdown_write() noexcept override { return writing_.try_shutdown_write(); }
  int try_disconnect(Linger& linger) noexcept override;
  void abort() noexcept override;
  Readiness want_readable() noexcept override { return reading_.want_readable(); }
  Readiness want_writable() noexcept override { return writing_.want_writable(); }
  /// The peer ends its side of a connection by closing the pipe that is read.
  void want_broken() noexcept override { reading_.want_broken(); }
  std::size_t pending_bytes(int& err) noexcept override { return reading_.pending_bytes(err); }
  [[nodiscard]] StreamTraits traits() const noexcept override { return reading_.traits(); }
  void watch_for_breaks(bool on) noexcept override { reading_.watch_for_breaks(on); }

 private:
  PipeStream reading_;
  PipeStream writing_;
};

}  // namespace tsock::inline v0::detail

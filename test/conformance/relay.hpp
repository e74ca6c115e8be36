#pragma once

#include <memory>
#include <tsock/stream_backend.hpp>
#include <utility>

namespace tsock::test {

/// A backend that passes everything on to another one: the smallest layer.
class Relay : public StreamBackend {
 public:
  explicit Relay(std::unique_ptr<StreamBackend> below) noexcept : below_(std::move(below)) {}

  void attach(StreamEvents& events) noexcept override { below_->attach(events); }
  ssize_t try_readv(std::span<const iovec> vectors, int& err) noexcept override {
    return below_->try_readv(vectors, err);
  }
  ssize_t try_writev(std::span<const iovec> vectors, int& err) noexcept override {
    return below_->try_writev(vectors, err);
  }
  int try_flush() noexcept override { return below_->try_flush(); }
  [[nodiscard]] std::size_t unsent_bytes() const noexcept override { return below_->unsent_bytes(); }
  int try_shutdown_write() noexcept override { return below_->try_shutdown_write(); }
  int try_disconnect(Linger& linger) noexcept override { return below_->try_disconnect(linger); }
  void abort() noexcept override { below_->abort(); }
  [[nodiscard]] Readiness want_readable() noexcept override { return below_->want_readable(); }
  [[nodiscard]] Readiness want_writable() noexcept override { return below_->want_writable(); }
  void want_broken() noexcept override { below_->want_broken(); }
  void unwant_readable() noexcept override { below_->unwant_readable(); }
  void unwant_broken() noexcept override { below_->unwant_broken(); }
  std::size_t pending_bytes(int& err) noexcept override { return below_->pending_bytes(err); }
  [[nodiscard]] StreamTraits traits() const noexcept override { return below_->traits(); }
  void watch_for_breaks(bool on) noexcept override { below_->watch_for_breaks(on); }
  int apply(const StreamOptions& options) noexcept override { return below_->apply(options); }

 private:
  std::unique_ptr<StreamBackend> below_;
};

}  // namespace tsock::test

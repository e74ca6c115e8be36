// A user-defined stream: combines every byte with a key on its way through the stream below.
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <span>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

class XorBackend final : public tsock::StreamBackend {
 public:
  XorBackend(tsock::Stream below, std::byte key) : below_(std::move(below)), key_(key) {}

  void attach(tsock::StreamEvents& events) noexcept override { events_ = &events; }

  // Returns bytes received from below; EAGAIN while there are none.
  tsock::ssize_t try_readv(std::span<const tsock::iovec> vectors, int& err) noexcept override {
    if (begin_ == end_) {
      err = read_error_ == 0 ? EAGAIN : read_error_;
      return read_error_ == EPIPE ? 0 : -1;
    }
    std::size_t given = 0;
    for (const tsock::iovec& vector : vectors) {
      const std::size_t step = std::min(vector.iov_len, end_ - begin_);
      auto* const out = static_cast<std::byte*>(vector.iov_base);
      for (std::size_t i = 0; i < step; ++i) out[i] = incoming_[begin_ + i] ^ key_;
      begin_ += step;
      given += step;
    }
    return static_cast<tsock::ssize_t>(given);
  }

  tsock::Readiness want_readable() noexcept override {
    if (begin_ != end_ || read_error_ != 0) return tsock::Readiness::now;
    if (reading_.is_in_progress()) return tsock::Readiness::later;
    reading_ = below_.read_some(incoming_);
    reading_.set_callback([this](auto& request) {
      const tsock::ssize_t count = request.recv(read_error_);
      begin_ = 0;
      end_ = count > 0 ? static_cast<std::size_t>(count) : 0;
      events_->on_readable();
    });
    return tsock::Readiness::later;
  }

  // No read waits: a request left in progress would keep the loop running. It returns the bytes it took.
  void unwant_readable() noexcept override { reading_ = {}; }

  // Copies bytes into its own buffer and writes that; EAGAIN until it has left.
  tsock::ssize_t try_writev(std::span<const tsock::iovec> vectors, int& err) noexcept override {
    err = try_flush();
    if (err != 0) return -1;
    std::size_t taken = 0;
    for (const tsock::iovec& vector : vectors) {
      const std::size_t step = std::min(vector.iov_len, outgoing_.size() - taken);
      const auto* const in = static_cast<const std::byte*>(vector.iov_base);
      for (std::size_t i = 0; i < step; ++i) outgoing_[taken + i] = in[i] ^ key_;
      taken += step;
    }
    writing_ = below_.write(std::span<const std::byte>(outgoing_).first(taken));
    writing_.set_callback([this](auto& request) {
      request.recv(write_error_);
      events_->on_writable();
    });
    return static_cast<tsock::ssize_t>(taken);
  }

  int try_flush() noexcept override { return writing_.is_in_progress() ? EAGAIN : write_error_; }
  // The operation in progress below calls on_writable(); there always is one when this is called.
  tsock::Readiness want_writable() noexcept override { return tsock::Readiness::later; }

  int try_shutdown_write() noexcept override {
    return forward(shutting_down_, [this] { return below_.shutdown_write(); });
  }
  // Bytes taken go out first. The stream below lingers as long as the one in front allows.
  int try_disconnect(tsock::Linger& linger) noexcept override {
    unwant_readable();
    unwant_broken();
    linger.discarded += std::exchange(end_, 0) - std::exchange(begin_, 0);
    if (linger.is_over) {
      disconnecting_ = {};
      below_.abort();
      return ETIMEDOUT;
    }
    if (try_flush() == EAGAIN || shutting_down_.is_in_progress()) return EAGAIN;
    return forward(disconnecting_, [this, &linger] {
      const std::size_t rest = linger.most_discarded - std::min(linger.most_discarded, linger.discarded);
      return below_.disconnect({.linger_time = std::chrono::hours(24), .most_discarded = rest});
    });
  }
  void abort() noexcept override { below_.abort(); }

  void want_broken() noexcept override {
    if (monitoring_.is_in_progress()) return;
    monitoring_ = below_.monitor();
    monitoring_.set_callback([this](auto& request) {
      int err = 0;
      request.recv(err);
      events_->on_broken(err);
    });
  }

  void unwant_broken() noexcept override { monitoring_ = {}; }

  std::size_t pending_bytes(int& err) noexcept override {
    const std::size_t more = below_.pending_bytes(err);
    return end_ - begin_ + more;
  }
  int apply(const tsock::StreamOptions& options) noexcept override { return below_.set_options(options); }
  [[nodiscard]] tsock::Address local_address() const noexcept override { return below_.local_address(); }
  [[nodiscard]] tsock::Address remote_address() const noexcept override { return below_.remote_address(); }

 private:
  // Starts the operation of the stream below on the first call; EAGAIN until it has ended.
  template <class F>
  int forward(tsock::Request<void>& request, F start) {
    if (!request) {
      request = start();
      request.set_callback([this](auto&) { events_->on_writable(); });
    }
    if (request.is_in_progress()) return EAGAIN;
    int err = 0;
    return request.is_error(err) ? err : 0;
  }

  tsock::Stream below_;
  std::byte key_;
  tsock::StreamEvents* events_ = nullptr;
  std::array<std::byte, 4096> incoming_{};
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::array<std::byte, 4096> outgoing_{};
  int read_error_ = 0;
  int write_error_ = 0;
  tsock::Request<tsock::ssize_t> reading_;
  tsock::Request<tsock::ssize_t> writing_;
  tsock::Request<void> shutting_down_;
  tsock::Request<void> disconnecting_;
  tsock::Request<void> monitoring_;
};

tsock::Stream xor_stream(tsock::Stream below, std::byte key) {
  tsock::Loop& loop = below.loop();
  return {loop, std::make_unique<XorBackend>(std::move(below), key)};
}

}  // namespace

int main() {
  tsock::Loop loop;
  int err = 0;
  auto [left, right] = tsock::Stream::socketpair(loop, err);
  if (err != 0) return 1;
  auto here = xor_stream(std::move(left), std::byte{0x55});
  auto there = xor_stream(std::move(right), std::byte{0x55});

  // Exact reads, framings, queues, deadlines: everything of Stream works.
  tsock::Queue out(loop, "out");
  here.write(out, "through ").detach();
  here.write(out, "the layer\n").detach();
  here.shutdown_write(out).detach();

  auto line = there.readv_pdu(tsock::framing::line{});
  if (!line.wait(err)) return 1;
  const tsock::Pdu pdu = line.recv(err);
  std::printf("%s '%.*s'\n", tsock::error_name(err).data(), static_cast<int>(pdu.body().size()),
              reinterpret_cast<const char*>(pdu.body().data()));

  auto end = there.readv_pdu(tsock::framing::line{});
  if (!end.wait(err)) return 1;
  end.recv(err);
  std::printf("%s\n", tsock::error_name(err).data());

  auto disconnecting = there.disconnect();
  if (!disconnecting.wait(err)) return 1;
  disconnecting.recv(err);
  std::printf("%s\n", tsock::error_name(err).data());
  return 0;
}

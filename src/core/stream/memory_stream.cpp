#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <tsock/loop.hpp>
#include <tsock/memory_stream.hpp>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0 {

namespace {

using detail::LoopCore;
using detail::ReadyTask;

// How often a disconnect reads from a peer that still writes before others have their turn.
constexpr unsigned skips_per_call = 16;

class MemoryEnd final : public StreamBackend, public ReadyTask {
 public:
  MemoryEnd(LoopCore& core, const MemoryStreamOptions& options) : core_(&core), options_(options) {
    options_.max_transfer = std::max(options_.max_transfer, std::size_t{1});
  }
  ~MemoryEnd() override {
    if (is_linked()) unlink();
    close(EPIPE);
  }

  void connect(MemoryEnd& peer) noexcept { peer_ = &peer; }
  void attach(StreamEvents& events) noexcept override { events_ = &events; }

  ssize_t try_readv(std::span<const iovec> vectors, int& err) noexcept override {
    if (peer_ != nullptr && peer_->offered_ != 0) {
      const std::size_t got = pull(vectors);
      if (got != 0) return static_cast<ssize_t>(got);
    }
    if (ended_ == EPIPE) return 0;
    err = ended_ != 0 ? ended_ : EAGAIN;
    return -1;
  }

  ssize_t try_writev(std::span<const iovec> vectors, int& err) noexcept override {
    if (peer_ == nullptr) {
      err = ended_ == 0 ? EPIPE : ended_;
      return -1;
    }
    std::size_t taken = 0;
    std::size_t total = 0;
    for (const iovec& vector : vectors) total += vector.iov_len;
    if (peer_->is_pulling_) {
      for (const iovec& vector : vectors) {
        const std::size_t step = std::min(vector.iov_len, peer_->room_);
        if (step == 0) break;
        peer_->put({static_cast<const std::byte*>(vector.iov_base), step});
        taken += step;
      }
    }
    offered_ = total - taken;
    if (taken != 0) return static_cast<ssize_t>(taken);
    peer_->tell();
    err = EAGAIN;
    return -1;
  }

  int try_shutdown_write() noexcept override {
    if (!options_.half_close) return ENOTSUP;
    if (peer_ != nullptr) peer_->end(EPIPE);
    shut_ = true;
    return 0;
  }

  // All bytes written have been read, so none of them can be lost. A peer that still writes sees its bytes
  // taken and then the end, as over a socket.
  int try_disconnect(Linger& linger) noexcept override {
    const bool had_begun = linger.has_begun;
    linger.has_begun = had_begun || linger.discarded != 0 || (peer_ != nullptr && peer_->offered_ != 0);
    if (!linger.has_begun) return finish(0);
    if (linger.discarded > linger.most_discarded) return finish(ENOBUFS);
    lingers_ = true;
    if (peer_ != nullptr && !shut_) peer_->end(EPIPE);
    shut_ = true;
    for (unsigned calls = 0; peer_ != nullptr && peer_->offered_ != 0; ++calls) {
      if (calls == skips_per_call) return EAGAIN;
      // Reads one byte more than may be discarded: the end may come right behind the last byte allowed.
      const std::size_t rest = linger.most_discarded - std::min(linger.discarded, linger.most_discarded);
      const std::size_t got = skip(std::max(rest, rest + 1));
      linger.peer_talks = linger.peer_talks || (had_begun && got != 0);
      if (!linger.discard(got)) return finish(ENOBUFS);
      if (got == 0) break;
    }
    if (ended_ != 0) return finish(ended_ == EPIPE ? 0 : ended_);
    if (!linger.is_over) return EAGAIN;
    return finish(linger.peer_talks ? ETIMEDOUT : 0);
  }

  void abort() noexcept override { close(ECONNRESET); }

  // A read makes the peer's Stream write, so it is left to the loop: this call may come from the peer.
  Readiness want_readable() noexcept override {
    wants_read_ = true;
    if ((peer_ != nullptr && peer_->offered_ != 0) || ended_ != 0) tell();
    return Readiness::later;
  }
  // The peer's next read pulls the bytes; only the peer's end has to be reported.
  Readiness want_writable() noexcept override {
    if (lingers_) return want_readable();
    wants_write_ = true;
    if (peer_ == nullptr) tell();
    return Readiness::later;
  }
  void want_broken() noexcept override {
    wants_broken_ = true;
    if (ended_ != 0) tell();
  }

  std::size_t pending_bytes(int& err) noexcept override {
    if (peer_ != nullptr && peer_->offered_ != 0) peer_->renew_offer();
    const std::size_t bytes = peer_ != nullptr ? peer_->offered_ : 0;
    if (bytes == 0) err = ended_;
    return bytes;
  }

  [[nodiscard]] StreamTraits traits() const noexcept override {
    return {.read_ahead = options_.read_ahead, .short_is_final = false};
  }

  void run() override {
    if (wants_write_ && peer_ == nullptr) {
      wants_write_ = false;
      events_->on_writable();
    }
    if (wants_read_) {
      wants_read_ = false;
      events_->on_readable();
    }
    if (wants_broken_ && ended_ != 0) {
      wants_broken_ = false;
      events_->on_broken(ended_);
    }
  }

 private:
  // Makes the peer's Stream write straight into the vectors, which stay in place meanwhile.
  std::size_t pull(std::span<const iovec> vectors) noexcept {
    std::size_t total = 0;
    for (const iovec& vector : vectors) total += vector.iov_len;
    room_ = std::min(total, options_.max_transfer);
    const std::size_t start = room_;
    target_ = vectors;
    offset_ = 0;
    is_pulling_ = true;
    peer_->renew_offer();
    is_pulling_ = false;
    return start - room_;
  }
  // Reads bytes to discard them.
  std::size_t skip(std::size_t most) {
    std::array<std::byte, std::size_t{16} * 1024> scratch;
    const iovec vector = make_vector(std::span<std::byte>(scratch).first(std::min(most, scratch.size())));
    return pull({&vector, 1});
  }
  // Copies bytes into the vectors of the read. \pre there is room for them
  void put(std::span<const std::byte> bytes) noexcept {
    room_ -= bytes.size();
    while (!bytes.empty()) {
      const iovec& vector = target_.front();
      const std::size_t step = std::min(bytes.size(), vector.iov_len - offset_);
      if (step != 0) std::memcpy(static_cast<std::byte*>(vector.iov_base) + offset_, bytes.data(), step);
      bytes = bytes.subspan(step);
      offset_ += step;
      if (offset_ == vector.iov_len) {
        target_ = target_.subspan(1);
        offset_ = 0;
      }
    }
  }
  // A cancelled write is not reported here, so ask the writer again how much it has.
  void renew_offer() {
    offered_ = 0;
    wants_write_ = false;
    events_->on_writable();
  }
  void tell() {
    if (!is_linked() && events_ != nullptr && !core_->is_closed()) core_->make_ready(*this);
  }
  void end(int err) noexcept {
    if (ended_ == 0) ended_ = err;
    tell();
  }
  int finish(int err) noexcept {
    close(EPIPE);
    return err;
  }
  void close(int err) noexcept {
    MemoryEnd* const peer = std::exchange(peer_, nullptr);
    if (peer == nullptr) return;
    peer->peer_ = nullptr;
    // A socket that is closed with bytes unread resets the connection.
    peer->end(peer->offered_ != 0 ? ECONNRESET : err);
  }

  LoopCore* core_;
  MemoryStreamOptions options_;
  StreamEvents* events_ = nullptr;
  MemoryEnd* peer_ = nullptr;
  std::size_t offered_ = 0;        // bytes that this end's writer could not hand over
  std::span<const iovec> target_;  // the vectors ahead, of the read that is being served
  std::size_t offset_ = 0;         // in the first of these vectors
  std::size_t room_ = 0;
  int ended_ = 0;
  bool is_pulling_ = false;
  bool shut_ = false;
  bool lingers_ = false;
  bool wants_read_ = false;
  bool wants_write_ = false;
  bool wants_broken_ = false;
};

}  // namespace

std::pair<Stream, Stream> memory_stream_pair(Loop& loop, const MemoryStreamOptions& options) {
  auto first = std::make_unique<MemoryEnd>(loop.core(), options);
  auto second = std::make_unique<MemoryEnd>(loop.core(), options);
  first->connect(*second);
  second->connect(*first);
  Stream left(loop, std::move(first));
  Stream right(loop, std::move(second));
  return {std::move(left), std::move(right)};
}

}  // namespace tsock::inline v0

#include "flow.hpp"

#include <cerrno>
#include <string>
#include <tsock/pump.hpp>
#include <utility>

#include "changing_flow.hpp"

namespace tsock_cat {
namespace {

class PumpFlow final : public Flow {
 public:
  PumpFlow(const Settings& settings, FlowOwner& owner)
      : direction_(settings.direction),
        source_(settings.source->source()),
        sink_(settings.sink->sink()),
        owner_(owner),
        is_watched_(settings.is_watched),
        tells_of_first_(settings.tells_of_first) {}

  void start() override {
    tsock::PumpOptions options;
    options.half_close = false;  // the owner decides
    if (is_watched_ || tells_of_first_) {
      options.on_data = [this](std::span<const std::byte> bytes) { show(bytes); };
    }
    request_ = tsock::pump(source_, sink_, std::move(options));
    request_.set_callback([this](tsock::Request<tsock::PumpResult>&) { ended(); });
  }
  [[nodiscard]] std::uint64_t bytes_read() const override {
    return is_watched_ ? read_ : bytes_written() + sink_.queued_bytes();
  }
  [[nodiscard]] std::uint64_t bytes_written() const override { return request_.transferred(); }
  [[nodiscard]] std::size_t queued_bytes() const override {
    return is_watched_ ? static_cast<std::size_t>(read_ - bytes_written()) : sink_.queued_bytes();
  }

 private:
  void show(std::span<const std::byte> bytes) {
    read_ += bytes.size();
    owner_.on_bytes(direction_, bytes, {});
    if (is_watched_) return;
    // The bytes go back to the source; the next pump may leave them to the system.
    tells_of_first_ = false;
    is_over_to_next_ = request_.cancel();
  }

  void ended() {
    int err = 0;
    const tsock::PumpResult result = request_.recv(err);
    if (std::exchange(is_over_to_next_, false) && err == ECANCELED) return start();
    if (err == 0) return owner_.on_done(direction_);
    const Place place = result.side == tsock::PumpSide::target ? Place::writing : Place::reading;
    owner_.on_error(direction_, {.place = place, .err = err, .reason = std::string(request_.reason())});
  }

  Direction direction_;
  tsock::Stream& source_;
  tsock::Stream& sink_;
  FlowOwner& owner_;
  bool is_watched_;  // if not, the system may move the bytes by itself
  bool tells_of_first_;
  bool is_over_to_next_ = false;
  std::uint64_t read_ = 0;
  tsock::Request<tsock::PumpResult> request_;
};

// What the layers of a stream end with when the peer has not kept to them.
bool is_of_security(const FlowError& error) {
  switch (error.err) {
    case EPROTO:
    case EACCES:
    case EBADMSG:
    case ETIME:
      return true;
    case EMSGSIZE:
    case EIO:
      return error.place == Place::reading;
    default:
      return false;
  }
}

}  // namespace

Failure failure_of(const Channel& channel, const FlowError& error) {
  Failure failure;
  failure.what = (error.place == Place::reading ? "read from " : "write to ") + channel.name;
  failure.err = error.err;
  failure.text = error.reason;
  if (error.cut != 0)
    failure.text = "ended inside a message, after " + std::to_string(error.cut) + " bytes of it";
  if (!channel.is_network) {
    failure.code = ExitCode::local_io;
  } else if (error.err == ETIMEDOUT) {
    failure.code = ExitCode::timeout;
    failure.limit = "system";
  } else {
    failure.code = channel.is_secured() && is_of_security(error) ? ExitCode::security : ExitCode::reset;
  }
  return failure;
}

std::unique_ptr<Flow> Flow::make(Settings settings, FlowOwner& owner) {
  const bool streams =
      !settings.source->is_datagram() && settings.sink != nullptr && !settings.sink->is_datagram();
  const bool is_limited = settings.most_bytes || settings.rate;
  const bool plain = streams && settings.queue == nullptr && settings.framing == nullptr &&
                     settings.change == nullptr && !is_limited && !settings.source->gives_zeros;
  if (plain) return std::make_unique<PumpFlow>(settings, owner);
  return std::make_unique<ChangingFlow>(std::move(settings), owner);
}

}  // namespace tsock_cat

#include "flow.hpp"

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
        owner_(owner) {}

  void start() override {
    tsock::PumpOptions options;
    options.half_close = false;  // the owner decides
    options.on_data = [this](std::span<const std::byte> bytes) {
      read_ += bytes.size();
      owner_.on_bytes(direction_, bytes, {});
    };
    request_ = tsock::pump(source_, sink_, std::move(options));
    request_.set_callback([this](tsock::Request<tsock::PumpResult>& request) {
      int err = 0;
      const tsock::PumpResult result = request.recv(err);
      if (err == 0) return owner_.on_done(direction_);
      owner_.on_error(direction_, result.side == tsock::PumpSide::target ? Place::writing : Place::reading,
                      err, 0);
    });
  }
  [[nodiscard]] std::uint64_t bytes_read() const override { return read_; }
  [[nodiscard]] std::uint64_t bytes_written() const override { return request_.transferred(); }
  [[nodiscard]] std::size_t queued_bytes() const override {
    return static_cast<std::size_t>(bytes_read() - bytes_written());
  }

 private:
  Direction direction_;
  tsock::Stream& source_;
  tsock::Stream& sink_;
  FlowOwner& owner_;
  std::uint64_t read_ = 0;
  tsock::Request<tsock::PumpResult> request_;
};

}  // namespace

std::unique_ptr<Flow> Flow::make(Settings settings, FlowOwner& owner) {
  const bool streams =
      !settings.source->is_datagram() && settings.sink != nullptr && !settings.sink->is_datagram();
  const bool plain =
      streams && settings.queue == nullptr && settings.framing == nullptr && settings.change == nullptr;
  if (plain) return std::make_unique<PumpFlow>(settings, owner);
  return std::make_unique<ChangingFlow>(std::move(settings), owner);
}

}  // namespace tsock_cat

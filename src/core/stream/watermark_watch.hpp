#pragma once

#include <cstddef>
#include <memory>
#include <tsock/watermarks.hpp>
#include <utility>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0::detail {

/// Watches a stream's queued bytes and reports to the user from the loop. A mark that was crossed both ways
/// before the loop runs this is not reported.
class WatermarkWatch final : public ReadyTask {
 public:
  WatermarkWatch(LoopCore& core, const WriteWatermarks& marks, WatermarkFunction function)
      : core_(&core), marks_(marks), function_(std::make_shared<WatermarkFunction>(std::move(function))) {}
  ~WatermarkWatch() {
    if (is_linked()) unlink();
  }

  void update(std::size_t bytes) noexcept {
    if (bytes >= marks_.high) {
      above_ = true;
    } else if (bytes <= marks_.low) {
      above_ = false;
    }
    if (above_ != told_above_ && !is_linked() && !core_->is_closed()) core_->make_ready(*this);
  }
  [[nodiscard]] std::size_t cap() const noexcept { return marks_.cap; }

  void run() override {
    if (above_ == told_above_) return;
    told_above_ = above_;
    // The function may replace this watch, or destroy the stream with it.
    const std::shared_ptr<WatermarkFunction> function = function_;
    if (*function) (*function)(told_above_ ? Watermark::high : Watermark::low);
  }

 private:
  LoopCore* core_;
  WriteWatermarks marks_;
  std::shared_ptr<WatermarkFunction> function_;
  bool above_ = false;
  bool told_above_ = false;
};

}  // namespace tsock::inline v0::detail

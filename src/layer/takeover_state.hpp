#pragma once

#include <iosfwd>
#include <string_view>
#include <tsock/call_site.hpp>
#include <tsock/operation.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0::layer {

/// A request for a stream that is made out of another one, which belongs to the request from the start. Waits
/// for the writes that were started on it, then goes on.
class TakeoverState : public detail::ResultState<Stream> {
 public:
  TakeoverState(detail::LoopCore& core, const char* name, CallSite site) noexcept
      : ResultState(core, site), name_(name) {}
  [[nodiscard]] const char* name() const noexcept final { return name_; }

  // What the request has made may be what calls: it is destroyed on delivery.
  void interrupt(int err) final { finish(err); }
  void on_deadline() final;
  void describe(std::ostream& out) const override;

 protected:
  /// Takes the stream over; calls `on_drained()`, now or later.
  void take_over(Stream below);
  [[nodiscard]] Stream& below() noexcept { return below_; }
  void fail(int err, std::string_view reason);

 private:
  /// The writes have left, or failed with `err`.
  virtual void on_drained(int err, std::string_view reason) = 0;
  /// The request is about to be delivered, and what it has made is still there.
  virtual void before_release() noexcept {}
  /// Destroys what the request has made. What that owns may destroy the request's handle and the Loop.
  virtual void release_all() noexcept = 0;

  void drop() noexcept;
  void on_delivery() noexcept final;
  void on_abandon() noexcept final;

  const char* name_;
  Stream below_;
  Request<void> drain_;
};

}  // namespace tsock::inline v0::layer

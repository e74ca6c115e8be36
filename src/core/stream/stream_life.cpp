#include "core/stream/stream_life.hpp"

#include <new>
#include <tsock/stream.hpp>
#include <utility>

#include "core/stream/stream_access.hpp"
#include "core/stream/stream_core.hpp"

namespace tsock::inline v0::detail {

void StreamLife::end(LoopCore& core, const char* how, int err, std::string_view reason) const noexcept {
  core.tell({.kind = LifecycleKind::ended,
             .stream = number,
             .name = how,
             .site = {},
             .error = err,
             .reason = reason,
             .remote = remote,
             .time = std::chrono::milliseconds(core.now_ms() - began_ms)});
}

void tell_made(LifecycleKind kind, const RequestState& request, const Stream& stream, const Address& remote,
               std::unique_ptr<StreamLife> life) noexcept {
  LoopCore& core = request.core();
  if (!core.watches_lifecycle()) return;
  StreamCore* const made = stream.is_open() ? StreamAccess::core(stream) : nullptr;
  const std::uint64_t number = life != nullptr ? life->number : made != nullptr ? request.id() : 0;
  if (made != nullptr) {
    // Without memory its end is not told.
    if (life == nullptr) life.reset(new (std::nothrow) StreamLife{number, core.now_ms(), remote});
    if (life != nullptr) made->keep_life(std::move(life));
  }
  const std::uint32_t took_ms = static_cast<std::uint32_t>(core.now_ms()) - request.started_ms();
  core.tell({.kind = kind,
             .stream = number,
             .name = request.name(),
             .site = request.site(),
             .error = request.error(),
             .reason = request.reason(),
             .remote = remote,
             .time = std::chrono::milliseconds(took_ms)});
}

}  // namespace tsock::inline v0::detail

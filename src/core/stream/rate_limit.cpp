#include <cerrno>
#include <new>
#include <tsock/loop.hpp>
#include <tsock/rate_limit.hpp>

#include "core/stream/limited_backend.hpp"
#include "core/stream/stream_access.hpp"
#include "core/stream/stream_core.hpp"

namespace tsock::inline v0 {

RateLimit::RateLimit(Loop& loop, std::uint64_t bytes_per_second, std::size_t burst)
    : bucket_(std::make_shared<detail::TokenBucket>(loop, bytes_per_second, burst)) {}

void RateLimit::set(std::uint64_t bytes_per_second, std::size_t burst) noexcept {
  if (bucket_ != nullptr) bucket_->set(bytes_per_second, burst);
}

namespace {

bool is_of(const RateLimit& limit, const Loop& loop) noexcept {
  return !limit || &limit.bucket()->loop() == &loop;
}

template <class Base>
int put_in_front(detail::StreamCore& stream, const RateLimits& limits) noexcept {
  std::unique_ptr<detail::LimitedBackend<Base>> made(new (std::nothrow) detail::LimitedBackend<Base>(limits));
  if (made == nullptr) return ENOMEM;
  stream.replace_backend([&](std::unique_ptr<StreamBackend> below) {
    made->stand_on(std::move(below));
    return std::move(made);
  });
  return 0;
}

}  // namespace

int limit_rate(Stream& stream, const RateLimits& limits) {
  detail::StreamCore* const core = StreamAccess::core(stream);
  if (core == nullptr || !core->is_open()) {
    return core != nullptr && core->is_disconnecting() ? ECONNABORTED : ENOTCONN;
  }
  if (!is_of(limits.reading, stream.loop()) || !is_of(limits.writing, stream.loop())) return EINVAL;
  if (auto* const limited = dynamic_cast<detail::RateLimited*>(core->backend()); limited != nullptr) {
    limited->set_limits(limits);
    return 0;
  }
  // A pump knows what backends it moves bytes between.
  if (core->has_followers()) return EBUSY;
  if (core->backend()->socket_control() != nullptr)
    return put_in_front<detail::ForwardingSocket>(*core, limits);
  return put_in_front<detail::ForwardingBackend<StreamBackend>>(*core, limits);
}

}  // namespace tsock::inline v0

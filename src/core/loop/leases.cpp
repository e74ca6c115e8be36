#include "core/loop/leases.hpp"

#include <new>

#include "core/loop/receive_batch.hpp"

namespace tsock::inline v0::detail {

Leases::Leases(LoopCore* core) noexcept : receive_buffer_(core) {}

Leases::~Leases() = default;

ReceiveBatch& Leases::borrow_receive_batch(const LoopResource& user) {
  batch_lease_.clear_unless_of(user);
  if (batch_ == nullptr) batch_ = std::make_unique<ReceiveBatch>();
  return *batch_;
}

std::span<std::byte> Leases::send_buffer() noexcept {
  if (send_buffer_ == nullptr) send_buffer_.reset(new (std::nothrow) std::byte[send_buffer_size]);
  return {send_buffer_.get(), send_buffer_ != nullptr ? send_buffer_size : 0};
}

}  // namespace tsock::inline v0::detail

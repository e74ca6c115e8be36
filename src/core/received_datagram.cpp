#include <tsock/received_datagram.hpp>
#include <utility>

#include "core/loop_core.hpp"

namespace tsock {

ReceivedDatagram::ReceivedDatagram(ReceivedDatagram&& other) noexcept
    : core_(std::exchange(other.core_, nullptr)),
      data_(std::exchange(other.data_, nullptr)),
      capacity_(std::exchange(other.capacity_, 0U)),
      size_(std::exchange(other.size_, 0U)),
      source_(other.source_),
      info_(std::exchange(other.info_, nullptr)) {}

ReceivedDatagram& ReceivedDatagram::operator=(ReceivedDatagram&& other) noexcept {
  if (this != &other) {
    free();
    core_ = std::exchange(other.core_, nullptr);
    data_ = std::exchange(other.data_, nullptr);
    capacity_ = std::exchange(other.capacity_, 0U);
    size_ = std::exchange(other.size_, 0U);
    source_ = other.source_;
    info_ = std::exchange(other.info_, nullptr);
  }
  return *this;
}

ReceivedDatagram::~ReceivedDatagram() { free(); }

void ReceivedDatagram::free() noexcept {
  detail::LoopCore* const core = std::exchange(core_, nullptr);
  if (info_ != nullptr) core->deallocate(std::exchange(info_, nullptr), sizeof(DatagramInfo));
  // Last: the core may go with its last block.
  if (data_ != nullptr) core->deallocate(std::exchange(data_, nullptr), capacity_);
  capacity_ = size_ = 0;
}

}  // namespace tsock

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
      info_(std::move(other.info_)) {}

ReceivedDatagram& ReceivedDatagram::operator=(ReceivedDatagram&& other) noexcept {
  if (this != &other) {
    free();
    core_ = std::exchange(other.core_, nullptr);
    data_ = std::exchange(other.data_, nullptr);
    capacity_ = std::exchange(other.capacity_, 0U);
    size_ = std::exchange(other.size_, 0U);
    source_ = other.source_;
    info_ = std::move(other.info_);
  }
  return *this;
}

ReceivedDatagram::~ReceivedDatagram() { free(); }

void ReceivedDatagram::free() noexcept {
  if (data_ != nullptr) core_->deallocate(data_, capacity_);
  core_ = nullptr;
  data_ = nullptr;
  capacity_ = size_ = 0;
}

}  // namespace tsock

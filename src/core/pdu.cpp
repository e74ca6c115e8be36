#include <tsock/pdu.hpp>
#include <utility>

#include "core/loop_core.hpp"

namespace tsock {

Pdu::Pdu(Pdu&& other) noexcept
    : core_(std::exchange(other.core_, nullptr)),
      data_(std::exchange(other.data_, nullptr)),
      capacity_(std::exchange(other.capacity_, 0U)),
      size_(std::exchange(other.size_, 0U)),
      body_begin_(std::exchange(other.body_begin_, 0U)),
      body_end_(std::exchange(other.body_end_, 0U)) {}

Pdu& Pdu::operator=(Pdu&& other) noexcept {
  if (this != &other) {
    free();
    core_ = std::exchange(other.core_, nullptr);
    data_ = std::exchange(other.data_, nullptr);
    capacity_ = std::exchange(other.capacity_, 0U);
    size_ = std::exchange(other.size_, 0U);
    body_begin_ = std::exchange(other.body_begin_, 0U);
    body_end_ = std::exchange(other.body_end_, 0U);
  }
  return *this;
}

Pdu::~Pdu() { free(); }

void Pdu::free() noexcept {
  if (data_ != nullptr) core_->deallocate(data_, capacity_);
  core_ = nullptr;
  data_ = nullptr;
  capacity_ = size_ = body_begin_ = body_end_ = 0;
}

}  // namespace tsock

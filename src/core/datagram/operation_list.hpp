#pragma once

namespace tsock::detail {

/// A list through the `list_prev_` and `list_next_` of its members, in order.
template <class T>
class OperationChain {
 public:
  [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }
  [[nodiscard]] T* front() const noexcept { return head_; }
  [[nodiscard]] T* back() const noexcept { return tail_; }
  [[nodiscard]] static T* behind(const T& member) noexcept { return member.list_next_; }
  void push_back(T& member) noexcept {
    member.list_prev_ = tail_;
    member.list_next_ = nullptr;
    (tail_ != nullptr ? tail_->list_next_ : head_) = &member;
    tail_ = &member;
  }
  /// Of a list that is not empty.
  void pop_front() noexcept {
    head_ = head_->list_next_;
    (head_ != nullptr ? head_->list_prev_ : tail_) = nullptr;
  }
  void remove(T& member) noexcept {
    (member.list_prev_ != nullptr ? member.list_prev_->list_next_ : head_) = member.list_next_;
    (member.list_next_ != nullptr ? member.list_next_->list_prev_ : tail_) = member.list_prev_;
    member.list_prev_ = member.list_next_ = nullptr;
  }

 private:
  T* head_ = nullptr;
  T* tail_ = nullptr;
};

}  // namespace tsock::detail

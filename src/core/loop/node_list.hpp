#pragma once

#include <tsock/detail/request_state.hpp>

namespace tsock::inline v0::detail {

/// A circular list of nodes.
class NodeList {
 public:
  NodeList() noexcept { head_.prev = head_.next = &head_; }
  NodeList(const NodeList&) = delete;
  NodeList& operator=(const NodeList&) = delete;

  [[nodiscard]] bool empty() const noexcept { return head_.next == &head_; }
  void push_back(ListNode& node) noexcept { node.link_before(head_); }
  void push_front(ListNode& node) noexcept { node.link_before(*head_.next); }
  /// Moves the nodes at the front of another list, up to and including `last`, to the end of this one.
  void take_front(NodeList& other, ListNode& last) noexcept {
    ListNode* const first = other.head_.next;
    other.head_.next = last.next;
    last.next->prev = &other.head_;
    first->prev = head_.prev;
    head_.prev->next = first;
    last.next = &head_;
    head_.prev = &last;
  }
  [[nodiscard]] ListNode& front() noexcept { return *head_.next; }
  /// Removes the first node. \pre not empty
  ListNode& take_first() noexcept {
    ListNode& first = *head_.next;
    head_.next = first.next;
    first.next->prev = &head_;
    first.next = nullptr;
    return first;
  }
  /// For iterating: from `first()` by `next` until `end()`.
  [[nodiscard]] ListNode* first() noexcept { return head_.next; }
  [[nodiscard]] ListNode* end() noexcept { return &head_; }
  /// \pre not empty
  [[nodiscard]] ListNode* last() noexcept { return head_.prev; }
  [[nodiscard]] const ListNode* last() const noexcept { return head_.prev; }

 private:
  ListNode head_;
};

}  // namespace tsock::inline v0::detail

#pragma once

#include "core/loop/node_list.hpp"

namespace tsock::inline v0::detail {

/// An object that uses a stream across several requests and must be told when the stream is destroyed.
class StreamFollower : public ListNode {
 public:
  StreamFollower() noexcept = default;
  StreamFollower(const StreamFollower&) = delete;
  StreamFollower& operator=(const StreamFollower&) = delete;
  /// Called when the Stream is destroyed. Must not run user code.
  virtual void stream_gone() noexcept = 0;
  /// Called when the stream is passed to its disconnect: the follower must stop using it at once. Must not
  /// run user code.
  virtual void stream_given_away() noexcept = 0;

 protected:
  ~StreamFollower() {
    if (is_linked()) unlink();
  }
};

}  // namespace tsock::inline v0::detail

#pragma once

namespace tsock::inline v0::detail {

/// Marks a stream backend of which each call costs more than the copy of its bytes, as one that hands them to
/// another thread: a pump gives it more of them at once.
class BulkBackend {
 public:
  BulkBackend(const BulkBackend&) = delete;
  BulkBackend& operator=(const BulkBackend&) = delete;

 protected:
  BulkBackend() noexcept = default;
  virtual ~BulkBackend() = default;
};

}  // namespace tsock::inline v0::detail

#pragma once

namespace tsock::inline v0::detail {

/// Something that a stream keeps for whoever has made it, until the stream is destroyed.
class StreamAttachment {
 public:
  StreamAttachment() = default;
  StreamAttachment(const StreamAttachment&) = delete;
  StreamAttachment& operator=(const StreamAttachment&) = delete;
  virtual ~StreamAttachment() = default;
};

}  // namespace tsock::inline v0::detail

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/loop/node_list.hpp"
#include "core/stream/stream_attachment.hpp"
#include "core/stream/stream_life.hpp"
#include "core/stream/watermark_watch.hpp"

namespace tsock::inline v0::detail {

/// A reader whose deadline has come, while it still gets what was there by then.
struct LateRead {
  std::uint64_t id = 0;
  std::size_t moved = 0;    ///< bytes read by the last look
  std::size_t in_time = 0;  ///< bytes read or waiting when the deadline came
};

/// Members that few streams need; made on demand.
struct StreamExtras {
  std::unique_ptr<WatermarkWatch> watermarks;
  NodeList followers;
  LateRead late_read;
  std::unique_ptr<StreamAttachment> attachment;
  std::unique_ptr<StreamLife> life;
  std::size_t queued_bytes = 0;
  bool counts_queued_bytes = false;  ///< from the first call of count_from_now() on
  bool writing_claimed = false;      ///< by a pump, see StreamWriteSide::claim_writing()
};

}  // namespace tsock::inline v0::detail

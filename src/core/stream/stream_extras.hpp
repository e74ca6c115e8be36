#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <tsock/layer/engine.hpp>

#include "core/loop/node_list.hpp"
#include "core/stream/watermark_watch.hpp"

namespace tsock::detail {

/// A reader whose deadline has come, while it is served what was there by then.
struct LateRead {
  std::uint64_t id = 0;
  std::size_t moved = 0;    ///< at the last look
  std::size_t in_time = 0;  ///< with what was there by the deadline
};

/// What few streams have; made when it is needed.
struct StreamExtras {
  std::unique_ptr<WatermarkWatch> watermarks;
  NodeList followers;
  LateRead late_read;
  std::unique_ptr<layer::Engine> engine;  ///< of a layer that has stepped aside
  std::size_t queued_bytes = 0;
  bool counts_queued_bytes = false;  ///< from the first call that asks for them
  bool writing_claimed = false;      ///< by a pump, see StreamWriteSide::claim_writing()
};

}  // namespace tsock::detail

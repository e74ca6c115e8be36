#pragma once

#include <cstddef>
#include <memory>

#include "core/stream/stream_core.hpp"
#include "core/stream/watermark_watch.hpp"

namespace tsock::detail {

/// What few streams have; made when it is needed.
struct StreamCore::Extras {
  std::unique_ptr<WatermarkWatch> watermarks;
  NodeList followers;
  std::size_t queued_bytes = 0;
  bool writing_claimed = false;  ///< by a pump, see StreamCore::claim_writing()
};

}  // namespace tsock::detail

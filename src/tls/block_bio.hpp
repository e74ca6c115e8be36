#pragma once

#include <tsock/layer/byte_block.hpp>

#include "tls/openssl.hpp"

namespace tsock::inline v0::tls {

/// What OpenSSL reads from and writes to during one call of the engine. Between calls both are null.
struct BlockTransfer {
  layer::ByteBlock* in = nullptr;
  layer::ByteBlock* out = nullptr;
  bool at_end = false;         ///< no more comes behind `in`
  bool out_of_memory = false;  ///< `out` could not take everything
  bool is_starved = false;     ///< OpenSSL has asked for more than there was
};

/// A BIO over the blocks of a transfer. \param transfer outlives it \return null without memory
[[nodiscard]] OpenSslPointer<BIO> make_block_bio(BlockTransfer& transfer) noexcept;

}  // namespace tsock::inline v0::tls

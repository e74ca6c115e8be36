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

/// Shows the blocks of a call to the BIO.
class TransferScope {
 public:
  TransferScope(BlockTransfer& transfer, layer::ByteBlock* in, bool at_end, layer::ByteBlock* out) noexcept
      : transfer_(transfer) {
    transfer_ = {.in = in, .out = out, .at_end = at_end};
  }
  TransferScope(const TransferScope&) = delete;
  TransferScope& operator=(const TransferScope&) = delete;
  ~TransferScope() { transfer_ = {}; }

 private:
  BlockTransfer& transfer_;
};

/// A BIO over the blocks of a transfer. \param transfer outlives it \return null without memory
[[nodiscard]] OpenSslPointer<BIO> make_block_bio(BlockTransfer& transfer) noexcept;

}  // namespace tsock::inline v0::tls

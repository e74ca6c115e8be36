#include "tls/block_bio.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

namespace tsock::inline v0::tls {

namespace {

int read_block(BIO* bio, char* data, int size) noexcept {
  auto& transfer = *static_cast<BlockTransfer*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (transfer.in == nullptr || transfer.in->empty()) {
    if (transfer.at_end) return 0;
    transfer.is_starved = true;
    BIO_set_retry_read(bio);
    return -1;
  }
  const std::size_t step = std::min(transfer.in->size(), static_cast<std::size_t>(std::max(size, 0)));
  std::memcpy(data, transfer.in->bytes().data(), step);
  transfer.in->take(step);
  return static_cast<int>(step);
}

int write_block(BIO* bio, const char* data, int size) noexcept {
  auto& transfer = *static_cast<BlockTransfer*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const std::span bytes(data, static_cast<std::size_t>(std::max(size, 0)));
  if (transfer.out != nullptr && transfer.out->append(std::as_bytes(bytes))) return size;
  transfer.out_of_memory = true;
  return -1;
}

long control_block(BIO* bio, int command, long /*number*/, void* /*pointer*/) noexcept {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command != BIO_CTRL_EOF) return 0;
  const auto& transfer = *static_cast<const BlockTransfer*>(BIO_get_data(bio));
  return transfer.at_end && (transfer.in == nullptr || transfer.in->empty()) ? 1 : 0;
}

OpenSslPointer<BIO_METHOD> make_method() noexcept {
  OpenSslPointer<BIO_METHOD> method(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tsock"));
  if (method == nullptr) return nullptr;
  BIO_meth_set_read(method.get(), read_block);
  BIO_meth_set_write(method.get(), write_block);
  BIO_meth_set_ctrl(method.get(), control_block);
  BIO_meth_set_create(method.get(), [](BIO* bio) {
    BIO_set_init(bio, 1);
    return 1;
  });
  return method;
}

}  // namespace

OpenSslPointer<BIO> make_block_bio(BlockTransfer& transfer) noexcept {
  static const OpenSslPointer<BIO_METHOD> method = make_method();
  OpenSslPointer<BIO> bio(method != nullptr ? BIO_new(method.get()) : nullptr);
  if (bio != nullptr) BIO_set_data(bio.get(), &transfer);
  return bio;
}

}  // namespace tsock::inline v0::tls

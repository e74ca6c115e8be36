#include "tls/early_data_transfer.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace tsock::inline v0::tls {

void EarlyDataTransfer::wipe() noexcept {
  OPENSSL_cleanse(bytes_.data(), bytes_.size());
  bytes_ = {};
  done_ = 0;
}

bool EarlyDataTransfer::send_early(SSL& ssl) noexcept {
  is_over_ = true;
  const SSL_SESSION* const session = SSL_get0_session(&ssl);
  if (session == nullptr || SSL_SESSION_get_max_early_data(session) < bytes_.size()) return true;
  while (ready() != 0) {
    std::size_t written = 0;
    if (SSL_write_early_data(&ssl, bytes_.data() + done_, ready(), &written) != 1) return false;
    done_ += written;
  }
  outcome_ = EarlyData::accepted;  // unless the server says otherwise
  return true;
}

bool EarlyDataTransfer::send_rest(SSL& ssl) noexcept {
  if (outcome_ == EarlyData::accepted && SSL_get_early_data_status(&ssl) != SSL_EARLY_DATA_ACCEPTED) {
    outcome_ = EarlyData::refused;
    done_ = 0;
  }
  while (ready() != 0) {
    std::size_t written = 0;
    if (SSL_write_ex(&ssl, bytes_.data() + done_, ready(), &written) != 1) return false;
    done_ += written;
  }
  wipe();
  return true;
}

EarlyDataTransfer::Reading EarlyDataTransfer::read(SSL& ssl) noexcept {
  if (ready() != 0) return Reading::data;
  if (is_over_) return Reading::over;
  try {
    bytes_.resize(SSL3_RT_MAX_PLAIN_LENGTH);
  } catch (const std::bad_alloc&) {
    return Reading::no_memory;
  }
  std::size_t got = 0;
  const int result = SSL_read_early_data(&ssl, bytes_.data(), bytes_.size(), &got);
  done_ = 0;
  bytes_.resize(got);
  if (result == SSL_READ_EARLY_DATA_SUCCESS) {
    outcome_ = EarlyData::accepted;
    return Reading::data;
  }
  bytes_ = {};
  is_over_ = result == SSL_READ_EARLY_DATA_FINISH;
  return is_over_ ? Reading::over : Reading::failed;
}

void EarlyDataTransfer::give(std::span<const iovec> to, std::size_t& given) noexcept {
  std::size_t skip = given;
  for (const iovec& vector : to) {
    const std::size_t begin = std::min(skip, vector.iov_len);
    skip -= begin;
    const std::size_t step = std::min(vector.iov_len - begin, ready());
    if (step != 0) std::memcpy(static_cast<std::byte*>(vector.iov_base) + begin, bytes_.data() + done_, step);
    done_ += step;
    given += step;
  }
  if (ready() == 0) wipe();
}

}  // namespace tsock::inline v0::tls

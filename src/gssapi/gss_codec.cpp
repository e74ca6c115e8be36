#include "gssapi/gss_codec.hpp"

#include <cerrno>
#include <new>
#include <utility>

namespace tsock::inline v0::gssapi {

GssCodec::GssCodec(std::unique_ptr<Context> context, const MessageOptions& options) noexcept
    : context_(std::move(context)),
      most_plain_(context_->wrap_size_limit(options.most_sent, context_->seals())),
      checks_lifetime_(!options.may_outlive_ticket) {}

int GssCodec::unwrap(std::span<std::byte> body, layer::ByteBlock& plain) noexcept {
  try {
    if (checks_lifetime_) {
      if (const int err = context_->check_lifetime(); err != 0) return err;
    }
    std::span<std::byte> opened;
    layer::WipedBytes holder;
    bool sealed = false;
    if (const int err = context_->unwrap(body, opened, holder, sealed); err != 0) return err;
    if (context_->seals() && !sealed) return context_->refuse(EBADMSG, "a message is not sealed");
    return opened.empty() || plain.append(opened) ? 0 : ENOMEM;
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
}

int GssCodec::wrap(std::span<const std::byte> plain, layer::ByteBlock& out) noexcept {
  try {
    if (checks_lifetime_) {
      if (const int err = context_->check_lifetime(); err != 0) return err;
    }
    return context_->wrap(plain, context_->seals(), out);
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
}

}  // namespace tsock::inline v0::gssapi

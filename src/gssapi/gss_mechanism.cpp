#include "gssapi/gss_mechanism.hpp"

#include <cerrno>
#include <new>
#include <utility>

#include "gssapi/gss_codec.hpp"

namespace tsock::inline v0::gssapi {

int GssMechanism::step(std::span<const std::byte> token, std::vector<std::byte>& answer,
                       bool& answers) noexcept {
  try {
    const int err = context_->step(token, answer, answers);
    if (err == 0 && context_->wrap_size_limit(options_.most_sent, context_->seals()) == 0)
      return context_->refuse(EINVAL, "no message of the mechanism is so short");
    return err;
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
}

std::unique_ptr<layer::Codec> GssMechanism::codec(layer::RecordEngine::Format& /*format*/) {
  return std::make_unique<GssCodec>(std::move(context_), options_);
}

}  // namespace tsock::inline v0::gssapi

#include "gssapi/message_format.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace tsock::inline v0::gssapi {

namespace {

// The frame of MIT krb5's sample programs, as they send it.
constexpr std::byte sample_context{0x02};
constexpr std::byte sample_data{0x04};
constexpr std::byte sample_wrapped{0x20};
constexpr std::byte sample_sealed{0x40};
// No token, but the context comes next: what a client says first.
constexpr std::string_view sample_greeting("\x11\0\0\0\0", 5);

constexpr std::size_t postgresql_most = std::size_t{16} * 1024 - 4;  // its length counts, too

}  // namespace

MessageOptions limits_of(MessageOptions options) noexcept {
  if (options.frame != Frame::postgresql) return options;
  options.most_sent = std::min(options.most_sent, postgresql_most);
  options.most_received = std::min(options.most_received, postgresql_most);
  return options;
}

layer::RecordEngine::Format format_of(const MessageOptions& options, Protection protection) noexcept {
  layer::RecordEngine::Format format{.handshake = {.most = options.most_token},
                                     .data = {.most = std::max(options.most_received, options.most_sent)}};
  if (options.frame == Frame::mit_sample) {
    format.greeting = sample_greeting;
    format.handshake.mark = sample_context;
    format.handshake.skips_empty = true;
    format.data.mark = sample_data | sample_wrapped;
    if (protection == Protection::confidentiality) *format.data.mark |= sample_sealed;
    format.data.skips_empty = true;
  }
  return format;
}

}  // namespace tsock::inline v0::gssapi

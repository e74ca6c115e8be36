#include "npa/pipe_codec.hpp"

#include <cerrno>
#include <new>

#include "layer/record_engine.hpp"
#include "layer/wiped_bytes.hpp"
#include "npa/message.hpp"
#include "npa/reply.hpp"
#include "npa/request.hpp"

namespace tsock::inline v0::npa {

namespace {

// A reply that is shorter cannot have a status.
constexpr std::size_t shortest_reply = 16;

layer::RecordEngine::Format format_of(std::size_t shortest, int too_short) noexcept {
  return {.handshake = {.width = message_length_size,
                        .big_endian = true,
                        .least = shortest,
                        .most = longest_message,
                        .too_short = too_short},
          .data = {.width = 2,
                   .big_endian = false,
                   .least = 1,
                   .most = PipeCodec::longest_data,
                   .too_short = EIO},
          .keeps_borders = true,
          .is_plain = true};
}

// The length is the engine's.
bool append_body(std::span<const std::byte> message, layer::ByteBlock& out) noexcept {
  return out.append(message.subspan(message_length_size));
}

}  // namespace

const std::string_view silent_server =
    "the server has closed without a reply, as Samba does when it speaks another level or does not "
    "understand the request";

int PipeCodec::refuse(const char* who) noexcept {
  try {
    reason_ = who + reply_.status.to_string();
    return EACCES;
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
}

int ClientCodec::handshake(std::span<std::byte> message, layer::ByteBlock& out, bool& answers) noexcept {
  if (message.empty()) {
    answers = append_body(request_.bytes(), out);
    request_.clear();
    return answers ? EAGAIN : ENOMEM;
  }
  const int err = npa::decode_reply(message, level_, reply_, reason_);
  if (err != 0) return err == ENOMEM ? ENOMEM : EIO;
  return reply_.status.is_ok() ? 0 : refuse("the server refuses: ");
}

std::string_view ClientCodec::reason_of_silence() const noexcept { return silent_server; }

int ServerCodec::handshake(std::span<std::byte> message, layer::ByteBlock& out, bool& answers) noexcept {
  int err = npa::decode_request(message, options_.level, identity_, level_, reason_);
  layer::wipe(message);  // it has the session key
  if (err == 0) err = judge();
  if (err != 0) return err;
  answers = append_body(encode_reply(reply_, level_), out);
  if (!answers) return ENOMEM;
  return reply_.status.is_ok() ? 0 : refuse("the client is refused: ");
}

int ServerCodec::judge() noexcept {
  reply_ = options_.reply;
  try {
    if (options_.answer) reply_ = options_.answer(identity_);
  } catch (...) {
    reply_ = {.status = NtStatus::internal_error()};
  }
  if (!reply_.status.is_ok() || reply_.file_type == FileType::byte_mode ||
      reply_.file_type == FileType::message_mode)
    return 0;
  reason_ = "no mode";
  return EINVAL;
}

std::unique_ptr<layer::Engine> make_engine(std::unique_ptr<ClientCodec> codec,
                                           std::pmr::memory_resource& memory) {
  return layer::make_record_engine(std::move(codec), format_of(shortest_reply, EIO), memory);
}

std::unique_ptr<layer::Engine> make_engine(std::unique_ptr<ServerCodec> codec,
                                           std::pmr::memory_resource& memory) {
  return layer::make_record_engine(std::move(codec), format_of(shortest_message, EMSGSIZE), memory);
}

}  // namespace tsock::inline v0::npa

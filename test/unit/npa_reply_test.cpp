#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "npa/message.hpp"
#include "npa/reply.hpp"
#include "support/npa_messages.hpp"

namespace {

using tsock::npa::decode_reply;
using tsock::npa::encode_reply;
using tsock::npa::FileType;
using tsock::npa::Level;
using tsock::npa::NtStatus;
using tsock::npa::Reply;
using tsock::test::from_hex;

struct DecodedReply {
  int err = 0;
  Reply reply;
  std::string reason;
};

DecodedReply decode_whole_reply(std::span<const std::byte> message, Level level) {
  DecodedReply result;
  std::span<const std::byte> body;
  result.err = tsock::npa::read_message_body(message, body, result.reason);
  if (result.err == 0) result.err = decode_reply(body, level, result.reply, result.reason);
  return result;
}

std::vector<std::byte> reply_of_samba() { return from_hex(tsock::test::samba_reply); }

}  // namespace

BOOST_AUTO_TEST_SUITE(npa_reply)

BOOST_AUTO_TEST_CASE(the_reply_of_samba_is_read_and_written) {
  const std::vector<std::byte> message = reply_of_samba();
  const DecodedReply decoded = decode_whole_reply(message, Level::level7);
  BOOST_TEST(decoded.err == 0);
  BOOST_TEST((decoded.reply == Reply{}));
  BOOST_TEST((decoded.reply.file_type == FileType::message_mode));
  BOOST_TEST(decoded.reply.device_state == 0x05FF);
  BOOST_TEST(decoded.reply.allocation_size == 4096);
  BOOST_TEST(decoded.reply.status.is_ok());
  const auto encoded = encode_reply(decoded.reply, Level::level7);
  BOOST_TEST((std::vector<std::byte>(encoded.begin(), encoded.end()) == message));
}

BOOST_AUTO_TEST_CASE(every_field_of_a_reply_comes_back) {
  for (const Level level : {Level::level7, Level::level8})
    for (const FileType type : {FileType::byte_mode, FileType::message_mode}) {
      const Reply reply{.file_type = type,
                        .device_state = 0x1234,
                        .allocation_size = 0x123456789abcdef0,
                        .status = NtStatus::access_denied()};
      const DecodedReply decoded = decode_whole_reply(encode_reply(reply, level), level);
      BOOST_TEST(decoded.err == 0);
      BOOST_TEST((decoded.reply == reply));
    }
}

BOOST_AUTO_TEST_CASE(a_reply_of_another_level_is_refused) {
  const DecodedReply decoded = decode_whole_reply(reply_of_samba(), Level::level8);
  BOOST_TEST(decoded.err == EPROTONOSUPPORT);
  BOOST_TEST(decoded.reason == "level: not that of the request");
  std::vector<std::byte> message = reply_of_samba();
  message[8] = message[12] = std::byte{0};
  const DecodedReply zero = decode_whole_reply(message, Level::level7);
  BOOST_TEST(zero.err == EPROTONOSUPPORT);
  BOOST_TEST(zero.reason == "level: neither 7 nor 8");
  message = reply_of_samba();
  message[12] = std::byte{8};
  BOOST_TEST(decode_whole_reply(message, Level::level7).err == EPROTO);
}

BOOST_AUTO_TEST_CASE(a_reply_with_another_magic_is_refused) {
  std::vector<std::byte> message = reply_of_samba();
  message[7] = std::byte{'X'};
  const DecodedReply decoded = decode_whole_reply(message, Level::level7);
  BOOST_TEST(decoded.err == EPROTONOSUPPORT);
  BOOST_TEST(decoded.reason == "magic: not NPAM");
}

BOOST_AUTO_TEST_CASE(a_pipe_is_in_byte_mode_or_message_mode) {
  std::vector<std::byte> message = reply_of_samba();
  message[16] = std::byte{0};
  const DecodedReply decoded = decode_whole_reply(message, Level::level7);
  BOOST_TEST(decoded.err == EPROTO);
  BOOST_TEST(decoded.reason == "file_type: neither byte mode nor message mode");
  message[35] = std::byte{0xC0};  // a refusal has no pipe
  BOOST_TEST(decode_whole_reply(message, Level::level7).err == 0);
}

BOOST_AUTO_TEST_CASE(a_reply_cut_or_lengthened_is_refused) {
  std::vector<std::byte> message = reply_of_samba();
  for (std::size_t size = 0; size < message.size(); ++size) {
    const auto cut = std::span(message).first(size);
    BOOST_TEST(decode_whole_reply(cut, Level::level7).err == EPROTO);
    if (size < 4) continue;
    Reply reply;
    std::string reason;
    BOOST_TEST(decode_reply(cut.subspan(4), Level::level7, reply, reason) == EPROTO);
    BOOST_TEST(!reason.empty());
  }
  message.push_back(std::byte{0});
  BOOST_TEST(decode_whole_reply(message, Level::level7).err == EPROTO);
  message[3] = std::byte{33};
  const DecodedReply decoded = decode_whole_reply(message, Level::level7);
  BOOST_TEST(decoded.err == EPROTO);
  BOOST_TEST(decoded.reason == "the end: bytes follow");
}

BOOST_AUTO_TEST_CASE(lengths_that_no_message_has_are_refused) {
  const auto length_of = [](std::uint32_t value, std::size_t& length, std::string& reason) {
    std::array<std::byte, 4> bytes{};
    for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<std::byte>(value >> (24 - 8 * i) & 0xFFU);
    return tsock::npa::read_message_length(bytes, length, reason);
  };
  std::size_t length = 0;
  std::string reason;
  for (const std::uint32_t bad : {0U, 7U, 0x01000000U, 0xFFFFFFFFU}) {
    BOOST_TEST(length_of(bad, length, reason) == EMSGSIZE);
    BOOST_TEST(reason == "length: " + std::to_string(bad) + " is not between 8 and 16777215");
  }
  for (const std::uint32_t good : {8U, 0x00FFFFFFU}) {
    BOOST_TEST(length_of(good, length, reason) == 0);
    BOOST_TEST(length == good);
  }
}

BOOST_AUTO_TEST_CASE(statuses_are_printed_with_their_names) {
  BOOST_TEST(NtStatus::ok().to_string() == "NT_STATUS_OK (0x00000000)");
  BOOST_TEST(NtStatus::invalid_address().to_string() == "NT_STATUS_INVALID_ADDRESS (0xC0000141)");
  BOOST_TEST(NtStatus{0xC0000001}.to_string() == "0xC0000001");
}

BOOST_AUTO_TEST_SUITE_END()

#include "contract/stream_fixture.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

/// One way of framing on the wire.
struct FramingCase {
  const char* name;
  Framing framing;
  std::string (*wrap)(std::string_view body);
  bool length_prefix;
};

std::ostream& operator<<(std::ostream& out, const FramingCase& framing) { return out << framing.name; }

template <unsigned Width, bool BigEndian, bool WithHeader>
std::string prefixed(std::string_view body) {
  std::string message;
  const std::size_t length = body.size() + (WithHeader ? Width : 0);
  for (unsigned i = 0; i < Width; ++i) {
    const unsigned shift = 8 * (BigEndian ? Width - 1 - i : i);
    message += static_cast<char>(length >> shift & 0xffU);
  }
  return message += body;
}

std::string line_lf(std::string_view body) { return std::string(body) + '\n'; }
std::string line_crlf(std::string_view body) { return std::string(body) + "\r\n"; }
std::string marked(std::string_view body) { return std::string(body) + "<end>"; }

template <bool LittleEndian>
std::string fragment(std::string_view body) {
  const std::size_t length = Framing::dcerpc_header_size + body.size();
  const char low = static_cast<char>(length & 0xffU);
  const char high = static_cast<char>(length >> 8U & 0xffU);
  std::string message(Framing::dcerpc_header_size, '\0');
  message[4] = LittleEndian ? '\x10' : '\0';
  message[8] = LittleEndian ? low : high;
  message[9] = LittleEndian ? high : low;
  return message += body;
}

const std::vector<FramingCase>& framings() {
  static const std::vector<FramingCase> cases{
      {"u8", framing::u8{.max_body = 255}, prefixed<1, true, false>, true},
      {"u16be", framing::u16be{.max_body = 65535}, prefixed<2, true, false>, true},
      {"u16le", framing::u16le{.max_body = 65535}, prefixed<2, false, false>, true},
      {"u32be", framing::u32be{}, prefixed<4, true, false>, true},
      {"u32le", framing::u32le{}, prefixed<4, false, false>, true},
      {"u8 with header", framing::u8{.max_body = 254, .includes_header = true}, prefixed<1, true, true>,
       true},
      {"u16be with header", framing::u16be{.includes_header = true}, prefixed<2, true, true>, true},
      {"u32le with header", framing::u32le{.includes_header = true}, prefixed<4, false, true>, true},
      {"line, LF", framing::line{}, line_lf, false},
      {"line, CRLF", framing::line{}, line_crlf, false},
      {"delimiter", framing::delimiter{.end = "<end>"}, marked, false},
      {"DCERPC, little endian", framing::dcerpc{}, fragment<true>, false},
      {"DCERPC, big endian", framing::dcerpc{}, fragment<false>, false},
  };
  return cases;
}

std::string repeat(std::string_view text, std::size_t size) {
  std::string result;
  while (result.size() < size) result += text;
  result.resize(size);
  return result;
}

struct PduFixture : StreamFixture {
  /// Reads a message whose body must be this one.
  void expect(const Framing& framing, std::string_view body, std::string_view message) {
    Request<Pdu> reading = ours.readv_pdu(framing);
    const Pdu pdu = value_of(reading);
    BOOST_TEST(text_of(pdu.body()) == body);
    BOOST_TEST(text_of(pdu.bytes()) == message);
    BOOST_TEST(pdu.size() == message.size());
    BOOST_TEST(reading.transferred() == message.size());
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(stream_pdu)

BOOST_DATA_TEST_CASE_F(PduFixture, messages_of_every_framing_come_one_by_one, data::make(reading_paths()),
                       backend) {
  open(backend);
  for (const FramingCase& framing : framings()) {
    BOOST_TEST_CONTEXT("framing " << framing) {
      const std::array<std::string, 7> bodies{"", "a", "", "hello", repeat("0123456789", 250), "<", "x\r y"};
      std::string wire;
      for (const std::string& body : bodies) wire += framing.wrap(body);
      Request<ssize_t> writing = peer.write(wire);
      for (const std::string& body : bodies) expect(framing.framing, body, framing.wrap(body));
      BOOST_TEST(error_of(writing) == 0);
    }
  }
}

BOOST_DATA_TEST_CASE_F(PduFixture, messages_cut_anywhere_are_put_together, data::make(reading_paths()),
                       backend) {
  open(backend);
  for (const FramingCase& framing : framings()) {
    BOOST_TEST_CONTEXT("framing " << framing) {
      const std::string message = framing.wrap("hello");
      for (std::size_t cut = 1; cut < message.size(); ++cut) {
        Request<Pdu> reading = ours.readv_pdu(framing.framing);
        Request<ssize_t> writing = peer.write(std::string_view(message).substr(0, cut));
        reach(reading, cut);
        BOOST_TEST(error_of(writing) == 0);
        writing = peer.write(std::string_view(message).substr(cut));
        BOOST_TEST(text_of(value_of(reading).body()) == "hello");
        BOOST_TEST(error_of(writing) == 0);
      }
    }
  }
}

BOOST_DATA_TEST_CASE_F(PduFixture, header_and_body_are_told_apart, data::make(reading_paths()), backend) {
  open(backend);
  const std::string wire = prefixed<4, true, false>("hello") + "text\r\n";
  Request<ssize_t> writing = peer.write(wire);
  Pdu pdu = value_of(ours.readv_pdu(framing::u32be{}));
  BOOST_TEST(pdu.header().size() == 4U);
  BOOST_TEST(text_of(pdu.body()) == "hello");
  BOOST_TEST(text_of(pdu.copy_body()) == "hello");
  pdu = value_of(ours.readv_pdu(framing::line{}));
  BOOST_TEST(pdu.header().empty());
  BOOST_TEST(text_of(pdu.body()) == "text");
  BOOST_TEST(text_of(pdu.bytes()) == "text\r\n");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(PduFixture, the_bytes_of_a_message_stay_where_they_are_and_can_be_sent_back,
                       data::make(paths()), backend) {
  open(backend);
  const std::string wire = prefixed<2, true, false>("hello");
  Request<ssize_t> writing = peer.write(wire);
  Pdu pdu = value_of(ours.readv_pdu(framing::u16be{}));
  BOOST_TEST(error_of(writing) == 0);
  const auto vector = pdu.vector();
  const Pdu moved = std::move(pdu);
  BOOST_TEST(moved.bytes().data() == vector[0].iov_base);
  Request<ssize_t> reply = ours.writev(vector);
  BOOST_TEST(take_text(peer, 7) == wire);
  BOOST_TEST(error_of(reply) == 0);
}

BOOST_DATA_TEST_CASE_F(PduFixture, a_message_as_long_as_the_limit_is_taken_and_one_byte_more_is_emsgsize,
                       data::make(reading_paths()), backend) {
  open(backend);
  for (const FramingCase& framing : framings()) {
    BOOST_TEST_CONTEXT("framing " << framing) {
      Framing limited = framing.framing;
      limited.max_body = 5;
      const std::string fits = framing.wrap("12345");
      const std::string too_long = framing.wrap("123456");
      const std::string wire = fits + too_long;
      Request<ssize_t> writing = peer.write(wire);
      expect(limited, "12345", fits);
      // Nothing is taken: it fails again, and another reader gets every byte.
      for (int i = 0; i < 2; ++i) BOOST_TEST(error_of(ours.readv_pdu(limited)) == EMSGSIZE);
      BOOST_TEST(take_text(ours, too_long.size()) == too_long);
      BOOST_TEST(error_of(writing) == 0);
    }
  }
}

BOOST_DATA_TEST_CASE_F(PduFixture, a_message_that_was_too_long_can_be_read_with_another_limit,
                       data::make(reading_paths()), backend) {
  open(backend);
  for (const FramingCase& framing : framings()) {
    BOOST_TEST_CONTEXT("framing " << framing) {
      Framing limited = framing.framing;
      limited.max_body = 5;
      const std::string message = framing.wrap("hello world");
      Request<ssize_t> writing = peer.write(message);
      BOOST_TEST(error_of(ours.readv_pdu(limited)) == EMSGSIZE);
      expect(framing.framing, "hello world", message);
      BOOST_TEST(error_of(writing) == 0);
    }
  }
}

BOOST_DATA_TEST_CASE_F(PduFixture, a_body_shorter_than_the_minimum_is_emsgsize_and_nothing_is_taken,
                       data::make(reading_paths()), backend) {
  open(backend);
  const std::string wire = prefixed<4, true, false>("");
  Request<ssize_t> writing = peer.write(wire);
  BOOST_TEST(error_of(ours.readv_pdu(framing::u32be{.min_body = 1})) == EMSGSIZE);
  BOOST_TEST(value_of(ours.readv_pdu(framing::u32be{})).body().empty());
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(PduFixture, a_length_smaller_than_the_header_that_it_counts_is_emsgsize,
                       data::make(reading_paths()), backend) {
  open(backend);
  const std::string wire("\0\0\0\3", 4);
  Request<ssize_t> writing = peer.write(wire);
  BOOST_TEST(error_of(ours.readv_pdu(framing::u32be{.includes_header = true})) == EMSGSIZE);
  BOOST_TEST(take_text(ours, 4) == wire);
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(PduFixture, a_length_beyond_every_limit_is_emsgsize_not_memory,
                       data::make(reading_paths()), backend) {
  open(backend);
  Request<ssize_t> writing = peer.write("\xff\xff\xff\xff");
  BOOST_TEST(error_of(ours.readv_pdu(framing::u32be{.max_body = 0x7fffffff})) == EMSGSIZE);
  BOOST_TEST(error_of(ours.readv_pdu(framing::u32le{.max_body = 0x7fffffff, .includes_header = true})) ==
             EMSGSIZE);
  take(ours, 4);
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(
    PduFixture, a_body_of_a_mebibyte_arrives_whole,
    data::make(paths_with([](const BackendTraits& traits) { return traits.max_transfer > 100; },
                          reading_paths())),
    backend) {
  open(backend);
  const std::string body =
      repeat("the quick brown fox ", backend.traits.at_most((std::size_t{1} << 20) + 4) - 4);
  const std::string wire = prefixed<4, true, false>(body);
  Request<ssize_t> writing = peer.write(wire);
  const Pdu pdu = value_of(ours.readv_pdu(framing::u32be{}));
  BOOST_TEST((text_of(pdu.body()) == body));
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(PduFixture, a_long_line_arrives_whole,
                       data::make(paths_with(
                           [](const BackendTraits& traits) {
                             return traits.max_transfer > 100 && traits.read_ahead;
                           },
                           reading_paths())),
                       backend) {
  open(backend);
  constexpr std::string_view behind = "\r\nnext\n";
  const std::string body = repeat(
      "the quick brown fox ", backend.traits.at_most((std::size_t{1} << 20) + behind.size()) - behind.size());
  const std::string wire = body + std::string(behind);
  Request<ssize_t> writing = peer.write(wire);
  const Pdu pdu = value_of(ours.readv_pdu(framing::line{.max_body = std::size_t{1} << 20}));
  BOOST_TEST((text_of(pdu.body()) == body));
  expect(framing::line{}, "next", "next\n");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(PduFixture, a_delimiter_is_found_where_a_false_start_overlaps_it,
                       data::make(reading_paths()), backend) {
  open(backend);
  struct Sample {
    const char* end;
    const char* wire;
    const char* body;
  };
  const std::array<Sample, 6> samples{{{"aab", "aaab", "a"},
                                       {"aab", "aaaaaab", "aaaa"},
                                       {"abab", "abaabab", "aba"},
                                       {"aa", "aa", ""},
                                       {"--", "a-b-c--", "a-b-c"},
                                       {"\r\n\r\n", "a\r\n\r\r\n\r\n", "a\r\n\r"}}};
  for (const Sample& sample : samples) {
    BOOST_TEST_CONTEXT("delimiter " << sample.end << " in " << sample.wire) {
      const std::string wire = sample.wire;
      const Framing framing = framing::delimiter{.end = sample.end};
      Request<ssize_t> writing = peer.write(wire);
      expect(framing, sample.body, wire);
      BOOST_TEST(error_of(writing) == 0);
      // And when it comes byte by byte.
      Request<Pdu> reading = ours.readv_pdu(framing);
      for (std::size_t i = 0; i < wire.size(); ++i) {
        BOOST_TEST(reading.is_in_progress());
        writing = peer.write(std::string_view(wire).substr(i, 1));
        reach(reading, i + 1);
        BOOST_TEST(error_of(writing) == 0);
      }
      BOOST_TEST(text_of(value_of(reading).body()) == sample.body);
    }
  }
}

BOOST_DATA_TEST_CASE_F(PduFixture, a_line_ends_at_lf_alone_and_loses_one_cr_only, data::make(reading_paths()),
                       backend) {
  open(backend);
  const std::string wire = "a\r\r\n\r\n\n\rb\n";
  Request<ssize_t> writing = peer.write(wire);
  expect(framing::line{}, "a\r", "a\r\r\n");
  expect(framing::line{}, "", "\r\n");
  expect(framing::line{}, "", "\n");
  expect(framing::line{}, "\rb", "\rb\n");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(PduFixture, a_framing_that_cannot_be_used_is_einval, data::make(reading_paths()),
                       backend) {
  open(backend);
  const std::array<Framing, 7> bad{framing::dcerpc{.max_fragment = 15},
                                   framing::dcerpc{.max_fragment = 65536},
                                   framing::delimiter{.end = ""},
                                   framing::delimiter{.end = "12345678901234567"},
                                   framing::u8{.max_body = 1, .min_body = 2},
                                   framing::u32be{.max_body = std::size_t{1} << 31},
                                   framing::line{.max_body = std::size_t{1} << 31}};
  for (const Framing& framing : bad) BOOST_TEST(error_of(ours.readv_pdu(framing)) == EINVAL);
  Request<ssize_t> writing = peer.write("1234567890123456");
  const Pdu pdu = value_of(ours.readv_pdu(framing::delimiter{.end = "1234567890123456"}));
  BOOST_TEST(pdu.body().empty());
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(PduFixture, the_end_between_messages_is_epipe_with_no_byte_moved,
                       data::make(reading_paths()), backend) {
  open(backend);
  Request<ssize_t> writing = peer.write("line\n");
  expect(framing::line{}, "line", "line\n");
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  Request<Pdu> reading = ours.readv_pdu(framing::line{});
  BOOST_TEST(error_of(reading) == EPIPE);
  BOOST_TEST(reading.transferred() == 0U);
}

BOOST_DATA_TEST_CASE_F(PduFixture, the_end_in_a_message_is_epipe_and_its_bytes_are_still_unread,
                       data::make(reading_paths()), backend) {
  for (const FramingCase& framing : framings()) {
    const std::string message = framing.wrap("hello");
    for (std::size_t cut = 1; cut < message.size(); ++cut) {
      BOOST_TEST_CONTEXT("framing " << framing << " cut after " << cut) {
        open(backend);
        Request<Pdu> reading = ours.readv_pdu(framing.framing);
        const std::string part = message.substr(0, cut);
        Request<ssize_t> writing = peer.write(part);
        BOOST_TEST(error_of(writing) == 0);
        BOOST_TEST(error_of(peer.disconnect()) == 0);
        BOOST_TEST(error_of(reading) == EPIPE);
        BOOST_TEST(reading.transferred() == cut);
        int err = -1;
        BOOST_TEST(ours.pending_bytes(err) == cut);
        BOOST_TEST(err == 0);
        // Another message reader finds the same, a plain reader gets the bytes.
        reading = ours.readv_pdu(framing.framing);
        BOOST_TEST(error_of(reading) == EPIPE);
        BOOST_TEST(reading.transferred() == cut);
        BOOST_TEST(take_text(ours, cut) == part);
        reading = ours.readv_pdu(framing.framing);
        BOOST_TEST(error_of(reading) == EPIPE);
        BOOST_TEST(reading.transferred() == 0U);
      }
    }
  }
}

// It fails and goes before its callback could run: what it took comes back once.
BOOST_DATA_TEST_CASE_F(StreamFixture, a_cut_message_whose_request_goes_before_delivery_comes_back_once,
                       data::make(reading_paths()), backend) {
  for (const FramingCase& framing : framings()) {
    open(backend);
    const std::string message = framing.wrap("hello");
    const std::string part = message.substr(0, message.size() - 1);
    // Ends with the same event, and its callback comes first.
    Request<void> monitor = ours.monitor();
    Request<Pdu> reading = ours.readv_pdu(framing.framing);
    monitor.set_callback([&](Request<void>&) { reading = {}; });
    BOOST_TEST(error_of(peer.write(part)) == 0);
    BOOST_TEST(error_of(peer.disconnect()) == 0);
    BOOST_TEST(run_until([&] { return !reading; }));
    BOOST_TEST(take_text(ours, part.size()) == part);
    Bytes more(1);
    BOOST_TEST(error_of(ours.read(more)) == EPIPE);
  }
}

BOOST_AUTO_TEST_SUITE_END()

#include <memory>
#include <optional>

#include "contract/stream_fixture.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

struct NextVectorFixture : StreamFixture {
  /// A reader for a header of one byte and a body of that many, in two vectors each.
  auto header_and_body(Bytes& message) {
    message.resize(1);
    return [&message, step = 0](VectorList& vectors) mutable {
      if (step++ == 0) {
        vectors.add(std::span(message));
        return 0;
      }
      if (step > 2) return 0;
      const auto size = std::to_integer<std::size_t>(message[0]);
      message.resize(1 + size);
      vectors.add(std::span(message).subspan(1, size / 2));
      vectors.add(std::span(message).subspan(1 + size / 2));
      return 0;
    };
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(stream_next_vector)

BOOST_DATA_TEST_CASE_F(NextVectorFixture, a_message_is_read_step_by_step, data::make(reading_paths()),
                       backend) {
  open(backend);
  Request<ssize_t> writing = peer.write("\5hello\2yo");
  Bytes message;
  Request<ssize_t> reading = ours.readv_pdu(header_and_body(message));
  BOOST_TEST(value_of(reading) == 6);
  BOOST_TEST(reading.transferred() == 6U);
  BOOST_TEST(text_of(message) == "\5hello");
  BOOST_TEST(value_of(ours.readv_pdu(header_and_body(message))) == 3);
  BOOST_TEST(text_of(message) == "\2yo");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(NextVectorFixture, a_message_cut_anywhere_is_put_together, data::make(reading_paths()),
                       backend) {
  open(backend);
  const std::string wire = "\5hello";
  for (std::size_t cut = 1; cut < wire.size(); ++cut) {
    BOOST_TEST_CONTEXT("cut after " << cut) {
      Bytes message;
      Request<ssize_t> reading = ours.readv_pdu(header_and_body(message));
      Request<ssize_t> writing = peer.write(std::string_view(wire).substr(0, cut));
      reach(reading, cut);
      BOOST_TEST(error_of(writing) == 0);
      writing = peer.write(std::string_view(wire).substr(cut));
      BOOST_TEST(value_of(reading) == 6);
      BOOST_TEST(text_of(message) == wire);
      BOOST_TEST(error_of(writing) == 0);
    }
  }
}

BOOST_DATA_TEST_CASE_F(NextVectorFixture, the_function_is_called_from_the_loop_only,
                       data::make(reading_paths()), backend) {
  open(backend);
  int calls = 0;
  Request<ssize_t> reading = ours.readv_pdu([&](VectorList&) {
    ++calls;
    return 0;
  });
  BOOST_TEST(calls == 0);
  BOOST_TEST(value_of(reading) == 0);
  BOOST_TEST(calls == 1);
}

BOOST_DATA_TEST_CASE_F(NextVectorFixture, no_vector_at_first_is_a_message_of_no_byte,
                       data::make(reading_paths()), backend) {
  open(backend);
  preload(ours, peer, bytes_of("abc"));
  BOOST_TEST(value_of(ours.readv_pdu([](VectorList&) { return 0; })) == 0);
  BOOST_TEST(take_text(ours, 3) == "abc");
}

BOOST_DATA_TEST_CASE_F(NextVectorFixture, what_the_function_returns_ends_the_request,
                       data::make(reading_paths()), backend) {
  open(backend);
  BOOST_TEST(error_of(ours.readv_pdu([](VectorList&) { return EACCES; })) == EACCES);
  Request<ssize_t> writing = peer.write("abcdef");
  std::byte first{};
  Request<ssize_t> reading = ours.readv_pdu([&, step = 0](VectorList& vectors) mutable {
    if (step++ != 0) return EBADMSG;
    vectors.add(std::span(&first, 1));
    return 0;
  });
  BOOST_TEST(error_of(reading) == EBADMSG);
  BOOST_TEST(reading.transferred() == 1U);
  BOOST_TEST((first == std::byte{'a'}));
  // What was handed over is the caller's; the stream goes on behind it.
  BOOST_TEST(take_text(ours, 5) == "bcdef");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(NextVectorFixture, vectors_without_a_byte_are_einval_and_too_many_emsgsize,
                       data::make(reading_paths()), backend) {
  open(backend);
  Bytes buffer(1);
  BOOST_TEST(error_of(ours.readv_pdu([](VectorList& vectors) {
               vectors.add(std::span<std::byte>());
               vectors.add(std::span<std::byte>());
               return 0;
             })) == EINVAL);
  BOOST_TEST(error_of(ours.readv_pdu([&](VectorList& vectors) {
               for (std::size_t i = 0; i <= max_vectors; ++i) vectors.add(std::span(buffer));
               return 0;
             })) == EMSGSIZE);
  BOOST_TEST(error_of(ours.readv_pdu([&](VectorList& vectors) {
               vectors.add(std::span(buffer));
               vectors.add(iovec{buffer.data(), static_cast<std::size_t>(-1)});
               return 0;
             })) == EMSGSIZE);
}

BOOST_DATA_TEST_CASE_F(NextVectorFixture, as_many_vectors_as_a_call_may_have_are_taken,
                       data::make(reading_paths()), backend) {
  open(backend);
  const Bytes sent = pattern(max_vectors);
  Bytes received(max_vectors);
  Request<ssize_t> writing = peer.write(sent);
  Request<ssize_t> reading = ours.readv_pdu([&, done = false](VectorList& vectors) mutable {
    if (std::exchange(done, true)) return 0;
    for (std::byte& byte : received) vectors.add(std::span(&byte, 1));
    return 0;
  });
  BOOST_TEST(value_of(reading) == static_cast<ssize_t>(max_vectors));
  BOOST_TEST((received == sent));
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(NextVectorFixture, the_function_may_destroy_the_request, data::make(reading_paths()),
                       backend) {
  open(backend);
  Request<ssize_t> writing = peer.write("abcdef");
  auto first = std::make_unique<std::byte>();
  auto reading = std::make_unique<Request<ssize_t>>();
  bool destroyed = false;
  *reading = ours.readv_pdu([&, step = 0](VectorList& vectors) mutable {
    if (step++ != 0) {
      reading.reset();
      first.reset();
      destroyed = true;
      return 0;
    }
    vectors.add(std::span(first.get(), 1));
    return 0;
  });
  BOOST_TEST(run_until([&] { return destroyed; }));
  // The byte that the request had taken is back.
  BOOST_TEST(take_text(ours, 6) == "abcdef");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(NextVectorFixture, the_function_may_destroy_the_stream, data::make(reading_paths()),
                       backend) {
  open(backend);
  for (const int wanted : {0, 1}) {
    if (!ours.is_open()) open(backend);
    Request<ssize_t> writing = peer.write("abcdef");
    Bytes buffer(1);
    int calls = 0;
    Request<ssize_t> reading = ours.readv_pdu([&](VectorList& vectors) {
      if (calls++ == wanted) ours = Stream();
      vectors.add(std::span(buffer));
      return 0;
    });
    BOOST_TEST(error_of(reading) == ECANCELED);
    BOOST_TEST(calls == wanted + 1);
    const int err = error_of(writing);
    BOOST_TEST((err == 0 || err == EPIPE || err == ECONNRESET));
  }
}

BOOST_DATA_TEST_CASE_F(NextVectorFixture, the_function_may_destroy_both, data::make(reading_paths()),
                       backend) {
  open(backend);
  auto reading = std::make_unique<Request<ssize_t>>();
  bool called = false;
  *reading = ours.readv_pdu([&](VectorList&) {
    called = true;
    ours = Stream();
    reading.reset();
    return 0;
  });
  BOOST_TEST(run_until([&] { return called; }));
}

BOOST_DATA_TEST_CASE_F(NextVectorFixture, the_function_may_cancel_the_request, data::make(reading_paths()),
                       backend) {
  open(backend);
  Request<ssize_t> writing = peer.write("abc");
  Bytes buffer(1);
  Request<ssize_t> reading;
  reading = ours.readv_pdu([&, step = 0](VectorList& vectors) mutable {
    if (step++ == 1) reading.cancel();
    vectors.add(std::span(buffer));
    return 0;
  });
  BOOST_TEST(error_of(reading) == ECANCELED);
  BOOST_TEST(take_text(ours, 3) == "abc");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(NextVectorFixture, the_end_tells_how_much_of_the_message_came,
                       data::make(reading_paths()), backend) {
  open(backend);
  Bytes message;
  Request<ssize_t> reading = ours.readv_pdu(header_and_body(message));
  Request<ssize_t> writing = peer.write("\5hel");
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  BOOST_TEST(error_of(reading) == EPIPE);
  BOOST_TEST(reading.transferred() == 4U);
}

BOOST_DATA_TEST_CASE_F(NextVectorFixture, readers_in_a_queue_take_one_message_each,
                       data::make(reading_paths()), backend) {
  open(backend);
  Queue queue(loop);
  std::array<Bytes, 3> messages;
  std::vector<Request<ssize_t>> readings;
  for (Bytes& message : messages) readings.push_back(ours.readv_pdu(queue, header_and_body(message)));
  Request<ssize_t> writing = peer.write("\1a\2bc\3def");
  for (Request<ssize_t>& reading : readings) BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(text_of(messages[0]) == "\1a");
  BOOST_TEST(text_of(messages[1]) == "\2bc");
  BOOST_TEST(text_of(messages[2]) == "\3def");
  BOOST_TEST(error_of(writing) == 0);
}

// Where a message is interrupted the next reader gets all of it, whatever the caller did to earlier vectors.
BOOST_DATA_TEST_CASE_F(NextVectorFixture, a_cancelled_message_is_given_back_though_its_vectors_were_reused,
                       data::make(reading_paths()), backend) {
  open(backend);
  const std::string wire = "abcdefghij";
  for (std::size_t taken = 0; taken < wire.size(); ++taken) {
    BOOST_TEST_CONTEXT("after " << taken << " bytes") {
      Bytes buffer(3);
      Request<ssize_t> reading = ours.readv_pdu([&](VectorList& vectors) {
        std::fill(buffer.begin(), buffer.end(), std::byte{'-'});
        vectors.add(std::span(buffer).first(1));
        vectors.add(std::span(buffer).subspan(1));
        return 0;
      });
      Request<ssize_t> writing = peer.write(std::string_view(wire).substr(0, taken));
      reach(reading, taken);
      if (taken != 0) BOOST_TEST(error_of(writing) == 0);
      reading.cancel();
      BOOST_TEST(error_of(reading) == ECANCELED);
      writing = peer.write(std::string_view(wire).substr(taken));
      BOOST_TEST(take_text(ours, wire.size()) == wire);
      BOOST_TEST(error_of(writing) == 0);
    }
  }
}

BOOST_DATA_TEST_CASE_F(
    NextVectorFixture, a_long_message_that_was_cut_fails_reading_with_eproto,
    data::make(paths_with([](const BackendTraits& traits) { return traits.max_transfer > 100; })), backend) {
  open(backend);
  const Bytes sent = pattern(100000);
  Bytes buffer(10000);
  Request<ssize_t> reading = ours.readv_pdu([&](VectorList& vectors) {
    vectors.add(std::span(buffer));
    return 0;
  });
  for (std::size_t out = 0; out != sent.size();) {
    const std::size_t size = backend.traits.at_most(sent.size() - out);
    Request<ssize_t> writing = peer.write(std::span(sent).subspan(out, size));
    reach(reading, out += size);
    BOOST_TEST(error_of(writing) == 0);
  }
  reading.cancel();
  BOOST_TEST(error_of(reading) == ECANCELED);
  Bytes one(1);
  BOOST_TEST(error_of(ours.read(one)) == EPROTO);
  int err = 0;
  BOOST_TEST(ours.pending_bytes(err) == 0U);
  BOOST_TEST(err == EPROTO);
  // The other direction is as good as before.
  Request<ssize_t> writing = ours.write("x");
  BOOST_TEST(take_text(peer, 1) == "x");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_AUTO_TEST_SUITE_END()

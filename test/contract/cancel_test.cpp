#include <memory>

#include "contract/scripted_backend.hpp"
#include "contract/stream_fixture.hpp"

// Interrupting an operation loses no byte: whatever an ended read had taken is read again by the next one.

using namespace tsock;
using namespace tsock::test;

namespace {

/// The ways to end an operation before it is complete.
enum class Interruption { cancel, timeout, destruction };
constexpr std::array interruptions{Interruption::cancel, Interruption::timeout, Interruption::destruction};

std::ostream& operator<<(std::ostream& out, Interruption how) {
  return out << std::array{"cancel", "timeout", "destruction"}[static_cast<std::size_t>(how)];
}

struct CancelFixture : StreamFixture {
  template <class T>
  void interrupt(Request<T>& request, Interruption how) {
    switch (how) {
      case Interruption::cancel:
        BOOST_TEST(request.cancel());
        BOOST_TEST(request.is_in_progress());
        BOOST_TEST(error_of(request) == ECANCELED);
        break;
      case Interruption::timeout:
        request.set_deadline(Clock::now());
        BOOST_TEST(error_of(request) == ETIMEDOUT);
        break;
      case Interruption::destruction:
        request = {};
        break;
    }
  }

  /// Has the peer write `wire` in two parts, starts a request in front, interrupts it when it has taken the
  /// first part, and checks that the next reader gets every byte.
  template <class Start>
  void check_each_point(std::string_view wire, Start start) {
    for (const Interruption how : interruptions) {
      for (std::size_t taken = 0; taken < wire.size(); ++taken) {
        BOOST_TEST_CONTEXT(how << " after " << taken << " bytes") {
          auto request = start();
          Request<ssize_t> writing;
          if (taken != 0) {
            writing = peer.write(wire.substr(0, taken));
            reach(request, taken);
            BOOST_TEST(error_of(writing) == 0);
          }
          interrupt(request, how);
          int err = -1;
          BOOST_TEST(ours.pending_bytes(err) == taken);
          BOOST_TEST(err == 0);
          writing = peer.write(wire.substr(taken));
          BOOST_TEST(take_text(ours, wire.size()) == wire);
          BOOST_TEST(error_of(writing) == 0);
        }
      }
    }
  }
};

constexpr std::string_view nine_bytes("\0\0\0\5hello", 9);

}  // namespace

BOOST_AUTO_TEST_SUITE(stream_cancel)

BOOST_DATA_TEST_CASE_F(CancelFixture, an_interrupted_readv_gives_back_what_it_took,
                       data::make(reading_paths()), backend) {
  open(backend);
  Bytes buffer(9);
  const std::array vectors{make_vector(std::span(buffer).first(2)),
                           make_vector(std::span(buffer).subspan(2, 3)),
                           make_vector(std::span(buffer).subspan(5))};
  check_each_point(nine_bytes, [&] { return ours.readv(vectors); });
}

BOOST_DATA_TEST_CASE_F(CancelFixture, an_interrupted_message_gives_back_what_it_took,
                       data::make(reading_paths()), backend) {
  open(backend);
  check_each_point(nine_bytes, [&] { return ours.readv_pdu(framing::u32be{}); });
}

BOOST_DATA_TEST_CASE_F(CancelFixture, an_interrupted_line_gives_back_what_it_took,
                       data::make(reading_paths()), backend) {
  open(backend);
  check_each_point("a line of text\r\n", [&] { return ours.readv_pdu(framing::line{}); });
}

BOOST_DATA_TEST_CASE_F(CancelFixture, an_interrupted_message_with_a_long_delimiter_gives_back_what_it_took,
                       data::make(reading_paths()), backend) {
  open(backend);
  check_each_point("aaabaab", [&] { return ours.readv_pdu(framing::delimiter{.end = "baab"}); });
}

BOOST_DATA_TEST_CASE_F(CancelFixture, an_interrupted_read_some_took_nothing, data::make(reading_paths()),
                       backend) {
  open(backend);
  Bytes buffer(10);
  for (const Interruption how : interruptions) {
    BOOST_TEST_CONTEXT(how) {
      Request<ssize_t> reading = ours.read_some(buffer);
      loop.run_until_idle();
      interrupt(reading, how);
      Request<ssize_t> writing = peer.write("abc");
      BOOST_TEST(take_text(ours, 3) == "abc");
      BOOST_TEST(error_of(writing) == 0);
    }
  }
}

BOOST_DATA_TEST_CASE_F(CancelFixture, interrupting_again_and_again_keeps_the_order,
                       data::make(reading_paths()), backend) {
  open(backend);
  const Bytes sent = pattern(60);
  for (std::size_t at = 0; at < sent.size(); at += 3) {
    Bytes buffer(sent.size() + 1);
    Request<ssize_t> reading = ours.read(buffer);
    Request<ssize_t> writing = peer.write(std::span(sent).subspan(at, 3));
    reach(reading, at + 3);
    BOOST_TEST(error_of(writing) == 0);
    interrupt(reading, interruptions[at / 3 % 3]);
  }
  BOOST_TEST((take(ours, sent.size()) == sent));
}

BOOST_DATA_TEST_CASE_F(CancelFixture, a_small_reader_in_between_takes_from_what_was_given_back,
                       data::make(reading_paths()), backend) {
  open(backend);
  preload(ours, peer, bytes_of("abcdef"));
  BOOST_TEST(take_text(ours, 2) == "ab");
  Bytes buffer(10);
  Request<ssize_t> reading = ours.read(buffer);
  reach(reading, 4);
  reading.cancel();
  BOOST_TEST(error_of(reading) == ECANCELED);
  BOOST_TEST(take_text(ours, 4) == "cdef");
}

// ---- finished, but nobody has heard of it yet ----

BOOST_DATA_TEST_CASE_F(CancelFixture, a_read_destroyed_when_it_is_finished_loses_nothing,
                       data::make(reading_paths()), backend) {
  open(backend);
  preload(ours, peer, bytes_of("\5hello\nrest"));
  std::array<Bytes, 2> buffers{Bytes(3), Bytes(4)};
  const std::array vectors{make_vector(std::span(buffers[0])), make_vector(std::span(buffers[1]))};
  // Each of these finds its bytes in memory, so it is finished before the call returns.
  Request<ssize_t> reading = ours.readv(vectors);
  BOOST_TEST(reading.transferred() == 7U);
  reading = {};
  reading = ours.read_some(buffers[0]);
  BOOST_TEST(reading.transferred() == 3U);
  reading = {};
  Request<Pdu> message = ours.readv_pdu(framing::u8{});
  BOOST_TEST(message.transferred() == 6U);
  message = {};
  message = ours.readv_pdu(framing::line{});
  BOOST_TEST(message.transferred() == 7U);
  message = {};
  BOOST_TEST(take_text(ours, 11) == "\5hello\nrest");
}

BOOST_DATA_TEST_CASE_F(CancelFixture, a_read_destroyed_in_the_callback_before_its_own_loses_nothing,
                       data::make(reading_paths()), backend) {
  open(backend);
  preload(ours, peer, bytes_of("abcdef"));
  Bytes buffer(3);
  Request<ssize_t> reading;
  Request<void> first = loop.sleep(std::chrono::nanoseconds(0));
  first.set_callback([&](Request<void>&) { reading = {}; });
  reading = ours.read(buffer);
  reading.set_callback([](Request<ssize_t>&) { BOOST_ERROR("an abandoned request was called"); });
  BOOST_TEST(error_of(first) == 0);
  BOOST_TEST(take_text(ours, 6) == "abcdef");
}

BOOST_DATA_TEST_CASE_F(CancelFixture, cancelling_a_finished_read_is_too_late_and_gives_its_bytes,
                       data::make(reading_paths()), backend) {
  open(backend);
  preload(ours, peer, bytes_of("abcdef"));
  Bytes buffer(3);
  Request<ssize_t> reading = ours.read(buffer);
  reading.cancel();
  BOOST_TEST(value_of(reading) == 3);
  BOOST_TEST(text_of(buffer) == "abc");
  BOOST_TEST(take_text(ours, 3) == "def");
}

BOOST_DATA_TEST_CASE_F(CancelFixture, a_failed_read_destroyed_before_its_completion_gives_back_what_came,
                       data::make(reading_paths()), backend) {
  open(backend);
  Request<Pdu> line = ours.readv_pdu(framing::line{});
  Request<ssize_t> writing = peer.write("ab");
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  BOOST_TEST(error_of(line) == EPIPE);
  // The end is known now, so this one has failed before the call returns.
  Bytes buffer(4);
  Request<ssize_t> reading = ours.read(buffer);
  BOOST_TEST(reading.transferred() == 2U);
  reading = {};
  BOOST_TEST(take_text(ours, 2) == "ab");
}

BOOST_DATA_TEST_CASE_F(CancelFixture, a_deadline_that_does_not_come_changes_nothing,
                       data::make(reading_paths()), backend) {
  open(backend);
  Bytes buffer(3);
  Request<ssize_t> reading = ours.read(buffer);
  reading.set_timeout(std::chrono::hours(1));
  Request<ssize_t> writing = peer.write("abc");
  writing.set_timeout(std::chrono::hours(1));
  BOOST_TEST(value_of(reading) == 3);
  BOOST_TEST(value_of(writing) == 3);
}

// ---- writes ----

BOOST_DATA_TEST_CASE_F(CancelFixture, a_write_interrupted_before_it_began_leaves_no_trace,
                       data::make(writing_paths()), backend) {
  open(backend);
  for (const Interruption how : interruptions) {
    BOOST_TEST_CONTEXT(how) {
      Request<ssize_t> writing = ours.write("never");
      if (how == Interruption::timeout) {
        // A deadline comes from the loop, and the loop would send first.
        writing.cancel();
        BOOST_TEST(error_of(writing) == ECANCELED);
      } else {
        interrupt(writing, how);
      }
      BOOST_TEST(writing.transferred() == 0U);
      BOOST_TEST(ours.queued_bytes() == 0U);
      Request<ssize_t> next = ours.write("abc");
      BOOST_TEST(take_text(peer, 3) == "abc");
      BOOST_TEST(error_of(next) == 0);
    }
  }
}

BOOST_DATA_TEST_CASE_F(CancelFixture, a_write_interrupted_in_the_queue_leaves_no_trace,
                       data::make(writing_paths()), backend) {
  open(backend);
  for (const Interruption how : interruptions) {
    BOOST_TEST_CONTEXT(how) {
      Queue queue(loop);
      queue.stop();
      Request<ssize_t> first = ours.write(queue, "first");
      Request<ssize_t> second = ours.write(queue, "never");
      Request<ssize_t> third = ours.write(queue, "third");
      interrupt(second, how);
      BOOST_TEST(queue.length() == 2U);
      queue.start();
      BOOST_TEST(take_text(peer, 10) == "firstthird");
      BOOST_TEST(error_of(first) == 0);
      BOOST_TEST(error_of(third) == 0);
    }
  }
}

BOOST_DATA_TEST_CASE_F(CancelFixture, a_write_behind_a_blocked_one_is_taken_out_alone,
                       data::make(paths_with(
                           [](const BackendTraits& traits) {
                             return traits.fills && traits.max_transfer > 100;
                           },
                           writing_paths())),
                       backend) {
  for (const Interruption how : interruptions) {
    BOOST_TEST_CONTEXT(how) {
      open(backend);
      Queue queue(loop);
      const Bytes large = pattern(backend.traits.at_most(std::size_t{16} << 20));
      Request<ssize_t> first = ours.write(queue, large);
      Request<ssize_t> second = ours.write(queue, "never");
      Request<ssize_t> third = ours.write(queue, "third");
      loop.run_until_idle();
      BOOST_TEST(second.transferred() == 0U);
      interrupt(second, how);
      BOOST_TEST((take(peer, large.size()) == large));
      BOOST_TEST(take_text(peer, 5) == "third");
      BOOST_TEST(error_of(first) == 0);
      BOOST_TEST(error_of(third) == 0);
    }
  }
}

// A message is taken whole: it leaves whatever becomes of its write.
BOOST_DATA_TEST_CASE_F(CancelFixture, a_write_interrupted_half_way_fails_the_direction_with_eproto,
                       data::make(paths_with([](const BackendTraits& traits) {
                         return traits.buffers && traits.takes_parts();
                       })),
                       backend) {
  for (const Interruption how : interruptions) {
    BOOST_TEST_CONTEXT(how) {
      open(backend);
      Request<ssize_t> writing = block_writing(ours);
      const std::size_t out = writing.transferred();
      BOOST_TEST(out > 0U);
      BOOST_TEST(out < blocked_bytes().size());
      if (how == Interruption::destruction) {
        writing = {};
      } else {
        if (how == Interruption::cancel) writing.cancel();
        if (how == Interruption::timeout) writing.set_deadline(Clock::now());
        BOOST_TEST(error_of(writing) == (how == Interruption::cancel ? ECANCELED : ETIMEDOUT));
        // What the caller can know of the peer: it gets at most this much.
        BOOST_TEST(writing.transferred() >= out);
        BOOST_TEST(writing.transferred() < blocked_bytes().size());
      }
      BOOST_TEST(ours.queued_bytes() == 0U);
      BOOST_TEST(error_of(ours.write("x")) == EPROTO);
      BOOST_TEST(error_of(ours.shutdown_write()) == EPROTO);
      // Reading is not touched.
      Request<ssize_t> back = peer.write("abc");
      BOOST_TEST(take_text(ours, 3) == "abc");
      BOOST_TEST(error_of(back) == 0);
      ours = Stream();  // a disconnect would wait until the peer has what went out
    }
  }
}

BOOST_DATA_TEST_CASE_F(CancelFixture, the_writes_behind_one_that_was_cut_fail_with_eproto,
                       data::make(paths_with([](const BackendTraits& traits) {
                         return traits.buffers && traits.takes_parts();
                       })),
                       backend) {
  open(backend);
  Queue queue(loop);
  const Bytes large = pattern(std::size_t{16} << 20);
  Request<ssize_t> first = ours.write(queue, large);
  Request<ssize_t> second = ours.write(queue, "second");
  Request<ssize_t> third = ours.write(queue, "third");
  loop.run_until_idle();
  BOOST_TEST(first.transferred() > 0U);
  first.cancel();
  BOOST_TEST(error_of(first) == ECANCELED);
  BOOST_TEST(error_of(second) == EPROTO);
  BOOST_TEST(error_of(third) == EPROTO);
}

BOOST_FIXTURE_TEST_CASE(a_write_cut_at_each_byte_tells_how_much_is_out, CancelFixture) {
  const std::string text = "abcdef";
  for (std::size_t room = 0; room <= text.size(); ++room) {
    BOOST_TEST_CONTEXT("room for " << room) {
      const auto script = make_script({.room = room});
      ours = scripted_stream(loop, script);
      Request<ssize_t> writing = ours.write(text);
      loop.run_until_idle();
      if (room == text.size()) {
        BOOST_TEST(error_of(writing) == 0);
        continue;
      }
      writing.cancel();
      BOOST_TEST(error_of(writing) == ECANCELED);
      BOOST_TEST(writing.transferred() == room);
      BOOST_TEST(script->output == text.substr(0, room));
      script->room = std::string::npos;
      Request<ssize_t> next = ours.write("x");
      script->events->on_writable();
      BOOST_TEST(error_of(next) == (room == 0 ? 0 : EPROTO));
      ours = Stream();
    }
  }
}

BOOST_FIXTURE_TEST_CASE(a_write_that_was_wholly_taken_cannot_be_cancelled_any_more, CancelFixture) {
  const auto script = make_script({.flush_result = EAGAIN});
  ours = scripted_stream(loop, script);
  Queue queue(loop);
  Request<ssize_t> writing = ours.write(queue, "abc");
  Request<ssize_t> next = ours.write(queue, "def");
  loop.run_until_idle();
  BOOST_TEST(writing.cancel());
  BOOST_TEST(next.cancel());
  loop.run_until_idle();
  BOOST_TEST(writing.is_in_progress());
  BOOST_TEST(ours.queued_bytes() == 0U);
  script->flush_result = 0;
  script->events->on_writable();
  BOOST_TEST(value_of(writing) == 3);
  BOOST_TEST(value_of(next) == 3);
  BOOST_TEST(script->output == "abcdef");
  BOOST_TEST(error_of(ours.write("x")) == 0);
}

BOOST_FIXTURE_TEST_CASE(a_write_that_was_cancelled_too_late_tells_what_became_of_it, CancelFixture) {
  const auto script = make_script({.flush_result = EAGAIN});
  ours = scripted_stream(loop, script);
  Request<ssize_t> writing = ours.write("abc");
  loop.run_until_idle();
  writing.cancel();
  script->flush_result = ENOSPC;
  script->events->on_writable();
  BOOST_TEST(error_of(writing) == ENOSPC);
}

BOOST_FIXTURE_TEST_CASE(a_deadline_of_a_write_that_was_wholly_taken_ends_the_wait_and_cuts_nothing,
                        CancelFixture) {
  const auto script = make_script({.flush_result = EAGAIN});
  ours = scripted_stream(loop, script);
  Request<ssize_t> writing = ours.write("abc");
  writing.set_timeout(std::chrono::milliseconds(1));
  BOOST_TEST(error_of(writing) == ETIMEDOUT);
  BOOST_TEST(writing.transferred() == 3U);
  script->flush_result = 0;
  script->events->on_writable();
  BOOST_TEST(error_of(ours.write("def")) == 0);
  BOOST_TEST(script->output == "abcdef");
}

// ---- control ----

BOOST_FIXTURE_TEST_CASE(a_disconnect_that_was_interrupted_closes_at_once, CancelFixture) {
  for (const Interruption how : interruptions) {
    BOOST_TEST_CONTEXT(how) {
      const auto script = make_script({.disconnect_result = EAGAIN});
      ours = scripted_stream(loop, script);
      Request<void> disconnecting = ours.disconnect();
      loop.run_until_idle();
      BOOST_TEST(script->alive);
      interrupt(disconnecting, how);
      BOOST_TEST(!script->alive);
      BOOST_TEST(error_of(ours.disconnect()) == ENOTCONN);
      Bytes buffer(1);
      BOOST_TEST(error_of(ours.read(buffer)) == ENOTCONN);
    }
  }
}

BOOST_DATA_TEST_CASE_F(CancelFixture, an_interrupted_monitor_can_be_followed_by_another, data::make(paths()),
                       backend) {
  open(backend);
  for (const Interruption how : interruptions) {
    Request<void> watching = ours.monitor();
    loop.run_until_idle();
    interrupt(watching, how);
  }
  Request<void> watching = ours.monitor();
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  BOOST_TEST(error_of(watching) == EPIPE);
}

BOOST_AUTO_TEST_SUITE_END()

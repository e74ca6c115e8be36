// A state that was kept and begun again (StateCache, begin_again()) is as one that was just made: in every
// byte that a new one has, whatever it was used for before.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/loop/loop_core.hpp"
#include "core/loop/pool.hpp"
#include "core/loop/recyclable.hpp"
#include "core/stream/pdu_write.hpp"
#include "core/stream/read_states.hpp"
#include "core/stream/write_state.hpp"
#include "support/loop_fixture.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::LoopFixture;

BOOST_AUTO_TEST_SUITE(kept_state)

namespace {

using Bytes = std::vector<unsigned char>;

boost::test_tools::assertion_result states_are_kept(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result are{!detail::Pool::passes_through()};
  are.message() << "this build keeps no states";
  return are;
}

struct KeptStateFixture : LoopFixture {
  std::pair<Stream, Stream> streams = unix_pair();
  Stream& out = streams.first;
  Stream& in = streams.second;
  Queue queue{loop};
  const std::string text = "\1a";
  Request<ssize_t> writing;
  Request<Pdu> reading;
  Pdu pdu;  // received by `out`

  void receive_pdu() {
    auto receiving = out.readv_pdu(framing::u8{});
    auto sending = in.write(text);
    loop.run_until_idle();
    int err = 0;
    pdu = receiving.recv(err);
    BOOST_TEST(err == 0);
    BOOST_TEST(error_of(sending) == 0);
  }
  template <class F>
  void in_callback(F body) {
    bool ran = false;
    loop.sleep(0ns).detach([&](auto&) {
      body();
      ran = true;
    });
    BOOST_TEST(run_until([&] { return ran; }));
  }
  /// Frees the states that are kept; the next one of that size is made in a block full of `fill`.
  template <class State>
  void forget_states(unsigned char fill) {
    loop.set_trace([](const TraceEvent&) {});
    loop.set_trace({});
    detail::LoopCore& core = loop.core();
    std::array<void*, 16> blocks{};
    for (void*& block : blocks) {
      block = core.allocate(sizeof(detail::Recyclable<State>));
      std::memset(block, fill, sizeof(detail::Recyclable<State>));
    }
    for (void* const block : blocks) core.deallocate(block, sizeof(detail::Recyclable<State>));
  }
  template <class State>
  [[nodiscard]] const detail::RequestState* kept() {
    return loop.core().state_cache().first<State>();
  }
  template <class T>
  [[nodiscard]] static Bytes bytes_of_state(const Request<T>& request, std::size_t size) {
    const detail::RequestState& state = *request.state();
    const auto* const begin = reinterpret_cast<const unsigned char*>(&state);
    Bytes bytes(begin, begin + size);
    const auto clear = [&bytes](std::size_t offset, std::size_t count) {
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), count, static_cast<unsigned char>(0));
    };
    // Of one that is in no list, `prev` means nothing.
    if (!state.is_linked()) {
      const auto* const prev = reinterpret_cast<const unsigned char*>(&state.prev);
      clear(static_cast<std::size_t>(prev - begin), sizeof(state.prev));
    }
    // Ids and the clock go on.
    const auto clear_value = [&](auto value) {
      for (std::size_t i = 0; i + sizeof(value) <= size; i += sizeof(value)) {
        if (std::memcmp(bytes.data() + i, &value, sizeof(value)) == 0) clear(i, sizeof(value));
      }
    };
    clear_value(state.id());
    clear_value(state.started_ms());
    return bytes;
  }
  void end_all() {
    writing = {};
    reading = {};
    loop.run_until_idle();
    int err = 0;
    while (in.pending_bytes(err) != 0) {
      std::byte byte{};
      auto rest = in.read(std::span(&byte, 1));
      BOOST_TEST(error_of(rest) == 0);
    }
  }
};

/// One way to begin an operation, and what a state of its kind can have been before.
struct Kind {
  const char* name;
  std::function<void(KeptStateFixture&)> prepare;  ///< first of all
  std::function<void(KeptStateFixture&)> begin;
};

struct Before {
  const char* name;
  std::function<void(KeptStateFixture&)> use;  ///< leaves a state that is kept
};

/// What a state of that kind looks like when it has just begun: new in a block full of `fill`, or kept after
/// it was used as `before` says.
template <class State, class Pick>
Bytes look(KeptStateFixture& fixture, const Kind& kind, const Before* before, unsigned char fill, Pick pick) {
  kind.prepare(fixture);
  fixture.forget_states<State>(fill);
  if (before != nullptr) {
    before->use(fixture);
    fixture.end_all();
    BOOST_TEST_REQUIRE(fixture.kept<State>() != nullptr, before->name << " leaves no state");
  } else {
    BOOST_TEST_REQUIRE(fixture.kept<State>() == nullptr);
  }
  Bytes bytes;
  fixture.in_callback([&] {
    const detail::RequestState* const expected = fixture.kept<State>();
    kind.begin(fixture);
    if (before != nullptr) BOOST_TEST((pick(fixture).state() == expected));
    bytes = KeptStateFixture::bytes_of_state(pick(fixture), sizeof(State));
  });
  fixture.end_all();
  return bytes;
}

/// Bytes that differ between new ones (ids, what nobody has set) are left out.
template <class State, class Pick>
void check_against_new(KeptStateFixture& fixture, const std::vector<Kind>& kinds,
                       const std::vector<Before>& befores, Pick pick) {
  for (const Kind& kind : kinds) {
    std::vector<Bytes> made;
    for (const int fill : {0x00, 0x55, 0xaa, 0xff})
      made.push_back(look<State>(fixture, kind, nullptr, static_cast<unsigned char>(fill), pick));
    for (const Before& before : befores) {
      BOOST_TEST_CONTEXT(kind.name << ", after " << before.name) {
        const Bytes again = look<State>(fixture, kind, &before, 0x33, pick);
        std::size_t compared = 0;
        std::string different;
        for (std::size_t i = 0; i < again.size(); ++i) {
          const auto differs = [&](const Bytes& other) { return other[i] != made[0][i]; };
          if (std::any_of(made.begin(), made.end(), differs)) continue;
          ++compared;
          if (again[i] != made[0][i]) different += " " + std::to_string(i);
        }
        BOOST_TEST(different == "");
        BOOST_TEST(compared * 2 > again.size());
      }
    }
  }
}

const Before nothing_special_written{"a write", [](KeptStateFixture& f) {
                                       f.writing = f.out.write(f.text);
                                       f.loop.run_until_idle();
                                     }};

}  // namespace

BOOST_AUTO_TEST_CASE(a_write_begun_again_equals_a_new_one, *boost::unit_test::precondition(states_are_kept)) {
  KeptStateFixture fixture;
  const auto nothing = [](KeptStateFixture&) {};
  // The queue has served the stream, so that it can go on with it.
  const auto serve = [](KeptStateFixture& f) {
    std::array<iovec, 2> vectors{make_vector(std::as_bytes(std::span(f.text).first(1))),
                                 make_vector(std::as_bytes(std::span(f.text).last(1)))};
    auto served = f.out.writev(f.queue, vectors);
    f.loop.run_until_idle();
  };
  const std::vector<Kind> kinds{
      {"a write", nothing, [](KeptStateFixture& f) { f.writing = f.out.write(f.text); }},
      {"a write in a queue", serve, [](KeptStateFixture& f) { f.writing = f.out.write(f.queue, f.text); }},
  };
  const std::vector<Before> befores{
      nothing_special_written,
      {"a write in a queue",
       [](KeptStateFixture& f) {
         f.writing = f.out.write(f.queue, "in a queue");
         f.loop.run_until_idle();
       }},
      {"a write with a deadline that was cancelled",
       [](KeptStateFixture& f) {
         f.writing = f.out.write("late");
         f.writing.set_timeout(1h);
         f.writing.cancel();
         f.loop.run_until_idle();
         BOOST_TEST(f.error_of(f.writing) == ECANCELED);
       }},
      {"a write whose request was destroyed", [](KeptStateFixture& f) { f.writing = f.out.write("gone"); }},
      {"a write that was detached",
       [](KeptStateFixture& f) {
         f.out.write("alone").detach();
         f.loop.run_until_idle();
       }},
      {"a write with a callback",
       [](KeptStateFixture& f) {
         f.writing = f.out.write("call");
         f.writing.set_callback([](auto&) {});
         f.loop.run_until_idle();
       }},
      {"a write that left in two pieces",
       [](KeptStateFixture& f) {
         const std::string large(3'000'000, 'x');
         f.writing = f.out.write(large);
         std::string got(large.size(), '\0');
         auto all = f.in.read(std::as_writable_bytes(std::span(got)));
         BOOST_TEST(f.error_of(all) == 0);
         f.loop.run_until_idle();
         BOOST_TEST(f.error_of(f.writing) == 0);
       }},
      {"a write that was refused",
       [](KeptStateFixture& f) {
         const Request<ssize_t> first = f.out.write("first");
         f.writing = f.out.write("second");
         f.loop.run_until_idle();
         BOOST_TEST(f.error_of(f.writing) == EBUSY);
       }},
  };
  check_against_new<detail::StreamWrite>(
      fixture, kinds, befores, [](KeptStateFixture & f) -> auto& { return f.writing; });
}

BOOST_AUTO_TEST_CASE(a_write_of_a_message_begun_again_equals_a_new_one,
                     *boost::unit_test::precondition(states_are_kept)) {
  KeptStateFixture fixture;
  const auto receive = [](KeptStateFixture& f) { f.receive_pdu(); };
  const auto serve_and_receive = [](KeptStateFixture& f) {
    f.receive_pdu();
    auto served = f.out.write(f.queue, f.text);
    f.loop.run_until_idle();
  };
  const std::vector<Kind> kinds{
      {"a message", receive, [](KeptStateFixture& f) { f.writing = f.out.write(std::move(f.pdu)); }},
      {"a message in a queue", serve_and_receive,
       [](KeptStateFixture& f) { f.writing = f.out.write(f.queue, std::move(f.pdu)); }},
  };
  // What is about to be written has been received already.
  const auto with_another = [](auto use) {
    return [use](KeptStateFixture& f) {
      Pdu kept = std::exchange(f.pdu, Pdu());
      f.receive_pdu();
      use(f);
      f.pdu = std::move(kept);
    };
  };
  const std::vector<Before> befores{
      {"a message", with_another([](KeptStateFixture& f) {
         f.writing = f.out.write(std::move(f.pdu));
         f.loop.run_until_idle();
       })},
      {"a message in a queue", with_another([](KeptStateFixture& f) {
         f.writing = f.out.write(f.queue, std::move(f.pdu));
         f.loop.run_until_idle();
       })},
      {"one whose request was destroyed",
       with_another([](KeptStateFixture& f) { f.writing = f.out.write(std::move(f.pdu)); })},
      {"one that was detached", with_another([](KeptStateFixture& f) {
         f.out.write(std::move(f.pdu)).detach();
         f.loop.run_until_idle();
       })},
      {"one that was refused", with_another([](KeptStateFixture& f) {
         const Request<ssize_t> first = f.out.write("first");
         f.writing = f.out.write(std::move(f.pdu));
         f.loop.run_until_idle();
         BOOST_TEST(f.error_of(f.writing) == EBUSY);
       })},
      {"one without a message",
       [](KeptStateFixture& f) {
         f.writing = f.out.write(Pdu());
         f.loop.run_until_idle();
         BOOST_TEST(f.error_of(f.writing) == EINVAL);
       }},
  };
  check_against_new<detail::PduWrite>(
      fixture, kinds, befores, [](KeptStateFixture & f) -> auto& { return f.writing; });
}

BOOST_AUTO_TEST_CASE(a_read_begun_again_equals_a_new_one, *boost::unit_test::precondition(states_are_kept)) {
  KeptStateFixture fixture;
  const auto nothing = [](KeptStateFixture&) {};
  const auto fetch = [](KeptStateFixture& f) {
    f.loop.run_until_idle();
    int err = 0;
    const Pdu pdu = f.reading.recv(err);
    return err;
  };
  const std::vector<Kind> kinds{
      {"a read of u32be", nothing, [](KeptStateFixture& f) { f.reading = f.in.readv_pdu(framing::u32be{}); }},
      {"a read of u8", nothing, [](KeptStateFixture& f) { f.reading = f.in.readv_pdu(framing::u8{}); }},
  };
  const std::vector<Before> befores{
      {"a message",
       [&](KeptStateFixture& f) {
         f.reading = f.in.readv_pdu(framing::u8{});
         f.out.write("\1a").detach();
         BOOST_TEST(fetch(f) == 0);
       }},
      {"a message with a deadline and a callback",
       [&](KeptStateFixture& f) {
         f.reading = f.in.readv_pdu(framing::u8{});
         f.reading.set_timeout(1h);
         f.reading.set_callback([](auto&) {});
         f.out.write("\1a").detach();
         BOOST_TEST(fetch(f) == 0);
       }},
      {"a part of a header",
       [&](KeptStateFixture& f) {
         f.reading = f.in.readv_pdu(framing::u32be{});
         f.out.write("\1\1").detach();
         f.loop.run_until_idle();
         f.reading.cancel();
         BOOST_TEST(fetch(f) == ECANCELED);
       }},
      {"a part of a message",
       [&](KeptStateFixture& f) {
         f.reading = f.in.readv_pdu(framing::u8{});
         f.out.write("\4ab").detach();
         f.loop.run_until_idle();
         f.reading.cancel();
         BOOST_TEST(fetch(f) == ECANCELED);
       }},
      {"a message that is too long",
       [&](KeptStateFixture& f) {
         f.reading = f.in.readv_pdu(framing::u8{.max_body = 1});
         f.out.write("\4abcd").detach();
         BOOST_TEST(fetch(f) == EMSGSIZE);
       }},
      {"one whose request was destroyed",
       [](KeptStateFixture& f) { f.reading = f.in.readv_pdu(framing::u8{}); }},
      {"one in a queue",
       [&](KeptStateFixture& f) {
         f.reading = f.in.readv_pdu(f.queue, framing::u8{});
         f.out.write("\1a").detach();
         BOOST_TEST(fetch(f) == 0);
       }},
      {"one that was refused",
       [&](KeptStateFixture& f) {
         const Request<Pdu> first = f.in.readv_pdu(framing::u8{});
         f.reading = f.in.readv_pdu(framing::u8{});
         BOOST_TEST(fetch(f) == EBUSY);
       }},
  };
  check_against_new<detail::PrefixedPduState>(
      fixture, kinds, befores, [](KeptStateFixture & f) -> auto& { return f.reading; });
}

BOOST_AUTO_TEST_SUITE_END()

// Interrupting a read loses no byte, and interrupting a write cuts no message. Random drivers with a fixed
// list of seeds; TSOCK_SEED and TSOCK_STEPS run one seed alone, as a failure prints them.
#include <algorithm>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/random.hpp"
#include "support/seed.hpp"

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::environment_number;
using tsock::test::LoopFixture;
using tsock::test::pattern;
using tsock::test::Random;
using tsock::test::SeedScope;
using tsock::test::StreamKind;

namespace {

std::pair<Stream, Stream> make_pair(LoopFixture& fixture, StreamKind kind, Random& random) {
  if (kind == StreamKind::memory) {
    MemoryStreamOptions options;
    if (random.one_in(2)) options.max_transfer = random.between(1, 500);
    options.read_ahead = random.one_in(2);
    return memory_stream_pair(fixture.loop, options);
  }
  auto streams = fixture.stream_pair(kind);
  if (random.one_in(2)) {
    StreamOptions options;
    options.send_buffer = 4096;
    BOOST_TEST_REQUIRE(streams.first.set_options(options) == 0);
  }
  return streams;
}

/// Writes a known sequence, reads it in every way there is, and interrupts the reads at every moment.
class SequenceReader {
 public:
  SequenceReader(LoopFixture& fixture, StreamKind kind, std::uint64_t seed, std::size_t size)
      : fixture_(fixture), random_(seed), expected_(pattern(size, static_cast<unsigned>(seed))) {
    std::tie(from_, to_) = make_pair(fixture_, kind, random_);
    outgoing_ = Queue(fixture_.loop, "outgoing");
    incoming_ = Queue(fixture_.loop, "incoming");
  }

  /// \return how many reads were interrupted.
  std::size_t run() {
    write_more();
    while (!ended_ && !failed_) {
      start_read();
      let_it_run();
    }
    BOOST_TEST_REQUIRE(!failed_);
    BOOST_TEST_REQUIRE(position_ == expected_.size());
    return interrupted_;
  }

 private:
  using AnyRead = std::variant<std::monostate, Request<ssize_t>, Request<Pdu>>;

  void write_more() {
    while (!failed_ && writing_ < 4 && written_ < expected_.size()) {
      const std::size_t wish = random_.one_in(30)  ? random_.between(1, 60000)
                               : random_.one_in(4) ? random_.between(1, 4000)
                                                   : random_.between(1, 300);
      const std::size_t size = std::min(wish, expected_.size() - written_);
      ++writing_;
      from_.write(outgoing_, std::span<const std::byte>(expected_).subspan(written_, size))
          .detach([this](Request<ssize_t>& request) {
            int err = 0;
            request.recv(err);
            require(err == 0 || stopping_, "a write succeeds");
            --writing_;
            // A read may be finished now but not delivered yet.
            if (random_.one_in(6)) interrupt();
            write_more();
          });
      written_ += size;
      if (written_ == expected_.size()) from_.shutdown_write(outgoing_).detach();
    }
  }

  void start_read() {
    buffers_.clear();
    steps_.reset();
    done_ = false;
    Queue* const queue = random_.one_in(3) ? &incoming_ : nullptr;
    switch (random_.below(6)) {
      case 0:
        watch(to_.readv(make_vectors()));
        break;
      case 1:
        buffers_.emplace_back(random_.one_in(5) ? random_.between(4000, 9000) : random_.between(1, 300));
        watch(to_.read_some(buffers_.back()));
        break;
      case 2: {
        const Framing framing = random_.one_in(10)  ? Framing(framing::u16be{.max_body = 0xffff})
                                : random_.one_in(4) ? Framing(framing::u8{.max_body = 100})
                                                    : Framing(framing::u8{.max_body = 255});
        watch(queue != nullptr ? to_.readv_pdu(*queue, framing) : to_.readv_pdu(framing));
        break;
      }
      case 3: {
        const Framing framing = random_.one_in(2) ? Framing(framing::line{.max_body = 50})
                                : random_.one_in(2)
                                    ? Framing(framing::delimiter{.end = "a", .max_body = 4000})
                                    : Framing(framing::delimiter{.end = "xy", .max_body = 9000});
        watch(queue != nullptr ? to_.readv_pdu(*queue, framing) : to_.readv_pdu(framing));
        break;
      }
      default: {
        steps_ = std::make_shared<Steps>();
        steps_->left = static_cast<unsigned>(random_.below(5));
        const auto next = [this, steps = steps_](VectorList& list) {
          if (steps->left == 0) return 0;
          --steps->left;
          if (random_.one_in(8)) return EBADMSG;
          for (std::size_t count = random_.between(1, 6); count != 0; --count) {
            steps->buffers.push_back(std::vector<std::byte>(random_.one_in(20) ? random_.between(1, 2000)
                                                                               : random_.between(1, 90)));
            list.add(steps->buffers.back());
          }
          if (random_.one_in(15)) interrupt();
          return 0;
        };
        watch(queue != nullptr ? to_.readv_pdu(*queue, next) : to_.readv_pdu(next));
        break;
      }
    }
    if (random_.one_in(10)) to_ = Stream(std::move(to_));
  }

  std::vector<iovec> make_vectors() {
    std::vector<iovec> vectors;
    for (std::size_t count = random_.between(1, 5); count != 0; --count)
      buffers_.emplace_back(random_.one_in(6) ? random_.between(0, 5000) : random_.between(1, 100));
    for (auto& buffer : buffers_) vectors.push_back(make_vector(std::span<std::byte>(buffer)));
    return vectors;
  }

  template <class T>
  void watch(Request<T> request) {
    request.set_callback([this](Request<T>& ended) { completed(ended); });
    if (random_.one_in(6)) request.set_timeout(std::chrono::microseconds(random_.below(200)));
    read_ = std::move(request);
  }

  void completed(Request<ssize_t>& request) {
    int err = 0;
    const ssize_t result = request.recv(err);
    const std::size_t bytes = request.transferred();
    if (err == 0) require(static_cast<std::size_t>(result) == bytes, "the result is what was transferred");
    auto& buffers = steps_ != nullptr ? steps_->buffers : buffers_;
    // What ended by itself took its bytes, also at the end of the stream or with the user's error.
    if (err == 0 || err == EPIPE || err == EBADMSG) {
      take(buffers, bytes);
    } else {
      require(err == ECANCELED || err == ETIMEDOUT || err == EINVAL,
              "a read fails only when it is interrupted");
    }
    end(err);
  }

  void completed(Request<Pdu>& request) {
    int err = 0;
    const Pdu pdu = request.recv(err);
    if (err == 0) {
      take(pdu.bytes());
    } else {
      require(err == ECANCELED || err == ETIMEDOUT || err == EPIPE || err == EMSGSIZE,
              "a message fails by its size, the end, or when it is interrupted");
      // The end of the stream shows only when the bytes of the cut message were read.
      if (err == EPIPE && request.transferred() != 0) err = 0;
    }
    end(err);
  }

  void end(int err) {
    done_ = true;
    if (err == EPIPE) ended_ = true;
  }

  void take(const std::vector<std::vector<std::byte>>& buffers, std::size_t bytes) {
    for (const auto& buffer : buffers) {
      const std::size_t step = std::min(bytes, buffer.size());
      take(std::span(buffer).first(step));
      bytes -= step;
    }
    require(bytes == 0, "no more than the buffers hold is transferred");
  }
  void take(std::span<const std::byte> bytes) {
    const bool fits =
        bytes.size() <= expected_.size() - position_ &&
        std::equal(bytes.begin(), bytes.end(), expected_.begin() + static_cast<std::ptrdiff_t>(position_));
    require(fits, "the bytes follow one another");
    position_ += bytes.size();
  }

  // From everywhere: cancels or destroys the read of now, in whatever state it is.
  void interrupt() {
    std::visit(
        [this]<class R>(R& request) {
          if constexpr (!std::is_same_v<R, std::monostate>) {
            if (!request.is_in_progress()) return;
            ++interrupted_;
            if (random_.one_in(2)) {
              request.cancel();
            } else {
              done_ = true;
              R(std::move(request)) = R();
            }
          }
        },
        read_);
  }

  void let_it_run() {
    const std::size_t turns = random_.below(6);
    for (std::size_t turn = 0; turn < turns && !done_; ++turn) fixture_.loop.run_until_idle();
    if (!done_ && random_.one_in(3)) interrupt();
    const bool completes = fixture_.run_until([this] { return done_ || failed_; });
    require(completes, "a read completes");
    read_ = std::monostate();
    if (!ended_ && random_.one_in(40)) change_hands();
  }

  // The descriptor goes through the hands of the application.
  void change_hands() {
    std::vector<std::byte> unread;
    int err = 0;
    UniqueSocket fd = to_.release_socket(unread, err);
    if (err == ENOTSUP || err == EBUSY) return;
    require(err == 0, "the descriptor can be released");
    take(unread);
    to_ = Stream::adopt(fixture_.loop, fd, {}, err);
    require(err == 0, "the descriptor can be adopted");
  }

  void require(bool holds, const char* rule) {
    if (holds || failed_) return;
    failed_ = stopping_ = true;
    BOOST_TEST_ERROR(rule << ", at byte " << position_ << " of " << expected_.size());
  }

  struct Steps {
    unsigned left = 0;
    std::vector<std::vector<std::byte>> buffers;
  };

  LoopFixture& fixture_;
  Random random_;
  std::vector<std::byte> expected_;
  std::size_t written_ = 0;
  std::size_t position_ = 0;
  int writing_ = 0;
  std::size_t interrupted_ = 0;
  bool done_ = false;
  bool ended_ = false;
  bool failed_ = false;
  bool stopping_ = false;
  Stream from_;
  Stream to_;
  Queue outgoing_;
  Queue incoming_;
  std::shared_ptr<Steps> steps_;
  std::vector<std::vector<std::byte>> buffers_;
  AnyRead read_;
};

/// Writes numbered messages and interrupts the writes at every moment.
class MessageWriter {
 public:
  MessageWriter(LoopFixture& fixture, StreamKind kind, std::uint64_t seed, std::uint32_t messages)
      : fixture_(fixture), random_(seed), messages_(messages) {
    std::tie(from_, to_) = make_pair(fixture_, kind, random_);
    queue_ = Queue(fixture_.loop, "outgoing");
    rude_ = random_.one_in(3);
  }

  void run() {
    read_next();
    while (next_ < messages_ && !cut_) {
      for (std::size_t burst = random_.between(1, 6); burst != 0 && next_ < messages_; --burst) write();
      for (std::size_t times = random_.below(3); times != 0; --times) interrupt_one();
      fixture_.loop.run_until_idle();
      for (std::size_t times = random_.below(3); times != 0; --times) interrupt_one();
      collect();
      while (writes_.size() > 20) {
        fixture_.loop.run_once();
        collect();
      }
    }
    BOOST_TEST_REQUIRE(fixture_.run_until([this] {
      collect();
      return writes_.empty();
    }));
    if (cut_) {
      auto late = from_.write("late");
      BOOST_TEST(fixture_.error_of(late) == EPROTO);
      from_ = Stream();
    } else {
      auto shutdown = from_.shutdown_write();
      BOOST_TEST(fixture_.error_of(shutdown) == 0);
    }
    BOOST_TEST_REQUIRE(fixture_.run_until([this] { return ended_; }));
    for (const std::uint32_t number : sent_) BOOST_TEST(arrived_.count(number) == 1U, "message " << number);
    for (const std::uint32_t number : withdrawn_)
      BOOST_TEST(arrived_.count(number) == 0U, "message " << number);
    BOOST_TEST((cut_ || !half_));
  }

 private:
  struct Write {
    std::uint32_t number;
    std::vector<std::byte> bytes;
    Request<ssize_t> request;
    bool cancelled = false;
  };

  // A 4-byte length, then the number again and again.
  void write() {
    const std::size_t words = random_.one_in(15) ? random_.between(2000, 30000) : random_.between(1, 400);
    auto write = std::make_unique<Write>();
    write->number = ++next_;
    write->bytes.resize(4 + 4 * words);
    for (std::size_t word = 0; word <= words; ++word) {
      const std::uint32_t value = word == 0 ? static_cast<std::uint32_t>(4 * words) : write->number;
      for (unsigned byte = 0; byte < 4; ++byte)
        write->bytes[4 * word + byte] = static_cast<std::byte>(value >> (24U - 8U * byte));
    }
    const std::span<const std::byte> bytes = write->bytes;
    const std::size_t middle = random_.below(bytes.size());
    const std::array<iovec, 2> vectors{make_vector(bytes.first(middle)), make_vector(bytes.subspan(middle))};
    write->request = from_.writev(queue_, vectors);
    if (random_.one_in(20)) write->request.set_timeout(std::chrono::microseconds(random_.below(500)));
    writes_.push_back(std::move(write));
  }

  void interrupt_one() {
    if (writes_.empty()) return;
    const auto place = writes_.begin() + static_cast<std::ptrdiff_t>(random_.below(writes_.size()));
    Write& write = **place;
    // A polite writer leaves a message alone of which a part is out.
    if (!rude_ && write.request.transferred() != 0) return;
    if (random_.one_in(2)) {
      write.request.cancel();
    } else {
      const std::size_t out = write.request.transferred();
      const std::uint32_t number = write.number;
      cut_ = cut_ || (out != 0 && out < write.bytes.size());
      writes_.erase(place);
      if (out == 0) withdrawn_.insert(number);
    }
  }

  // Takes the results of writes that are over.
  void collect() {
    for (auto place = writes_.begin(); place != writes_.end();) {
      Write& write = **place;
      if (write.request.is_in_progress()) {
        ++place;
        continue;
      }
      int err = 0;
      const ssize_t result = write.request.recv(err);
      const std::size_t out = write.request.transferred();
      if (err == 0) {
        BOOST_TEST(result == static_cast<ssize_t>(write.bytes.size()));
        sent_.insert(write.number);
      } else if (err == EPROTO) {
        BOOST_TEST(cut_);
        BOOST_TEST(out == 0U);
        withdrawn_.insert(write.number);
      } else {
        BOOST_TEST((err == ECANCELED || err == ETIMEDOUT), "errno " << err);
        if (out == 0) withdrawn_.insert(write.number);
        // Those behind it fail after it.
        if (out != 0) cut_ = true;
      }
      place = writes_.erase(place);
    }
  }

  void read_next() {
    reading_ = to_.readv_pdu(framing::u32be{.max_body = 1U << 20U});
    reading_.set_callback([this](Request<Pdu>& request) {
      int err = 0;
      const Pdu pdu = request.recv(err);
      if (err != 0) {
        half_ = request.transferred() != 0;
        ended_ = true;
        return;
      }
      check(pdu);
      read_next();
    });
  }

  void check(const Pdu& pdu) {
    const auto body = pdu.body();
    BOOST_TEST_REQUIRE(body.size() % 4 == 0);
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < body.size(); i += 4) {
      std::uint32_t value = 0;
      for (std::size_t byte = 0; byte < 4; ++byte)
        value = value << 8U | std::to_integer<std::uint32_t>(body[i + byte]);
      if (i == 0) number = value;
      BOOST_TEST_REQUIRE(value == number);
    }
    BOOST_TEST_REQUIRE(number > last_);
    last_ = number;
    arrived_.insert(number);
  }

  LoopFixture& fixture_;
  Random random_;
  std::uint32_t messages_;
  std::uint32_t next_ = 0;
  std::uint32_t last_ = 0;
  bool rude_ = false;
  bool cut_ = false;   // a message was interrupted half way
  bool half_ = false;  // the reader saw a half message
  bool ended_ = false;
  std::set<std::uint32_t> sent_;
  std::set<std::uint32_t> withdrawn_;
  std::set<std::uint32_t> arrived_;
  Stream from_;
  Stream to_;
  Queue queue_;
  Request<Pdu> reading_;
  std::vector<std::unique_ptr<Write>> writes_;
};

const auto all_kinds = data::make({StreamKind::memory, StreamKind::unix_socket, StreamKind::tcp});

template <class Run>
void for_each_seed(const char* name, std::uint64_t seeds, std::uint64_t steps, Run run) {
  const std::uint64_t only = environment_number("TSOCK_SEED", 0);
  steps = environment_number("TSOCK_STEPS", steps);
  for (std::uint64_t seed = only != 0 ? only : 1; seed <= (only != 0 ? only : seeds); ++seed) {
    const SeedScope scope(name, seed, steps);
    BOOST_TEST_CONTEXT("TSOCK_SEED=" << seed << " TSOCK_STEPS=" << steps) { run(seed, steps); }
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(lossless)

BOOST_DATA_TEST_CASE(interrupted_reads_of_every_kind_give_the_sequence_without_a_gap, all_kinds, kind) {
  std::size_t interrupted = 0;
  for_each_seed("lossless reads", 25, 100000, [&](std::uint64_t seed, std::uint64_t size) {
    LoopFixture fixture;
    interrupted += SequenceReader(fixture, kind, seed, size).run();
  });
  BOOST_TEST(interrupted != 0U);
}

BOOST_DATA_TEST_CASE(interrupted_writes_leave_whole_messages_or_end_writing, all_kinds, kind) {
  for_each_seed("lossless writes", 40, 300, [&](std::uint64_t seed, std::uint64_t messages) {
    LoopFixture fixture;
    MessageWriter(fixture, kind, seed, static_cast<std::uint32_t>(messages)).run();
  });
}

BOOST_AUTO_TEST_SUITE_END()

// Operation::then(), notify() and RequestSet.
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <tsock/request_set.hpp>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/manual_operation.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::LoopFixture;
using tsock::test::make_manual;
using tsock::test::Remote;

BOOST_AUTO_TEST_SUITE(operation_then)

namespace {

/// Goes on with a child that the test ends, and notes what was called.
class GoesOn final : public Operation<int> {
 public:
  GoesOn(std::string& story, Request<int> child, bool owned)
      : story_(&story), child_(std::move(child)), owned_(owned) {}
  void start() override {
    const auto go_on = [this](int value) {
      *story_ += "value " + std::to_string(value);
      done(value + 1);
    };
    if (owned_) {
      then(std::move(child_), go_on);
    } else {
      then(child_, go_on);
    }
  }

 private:
  std::string* story_;
  Request<int> child_;
  bool owned_;
};

/// An operation whose child was ended by the operation itself before the child's completion.
class EndsFirst final : public Operation<void> {
 public:
  explicit EndsFirst(std::string& story) : story_(&story) {}
  void start() override {
    then(loop().sleep(0ms), [this] {
      *story_ += "first ";
      error(EBUSY);
    });
    then(loop().sleep(0ms), [this] { *story_ += "second "; });
  }

 private:
  std::string* story_;
};

/// Reads into a buffer of its own with a child that it does not name.
class ReadsIntoMember final : public Operation<void> {
 public:
  explicit ReadsIntoMember(Stream& stream) : stream_(&stream) {}
  void start() override {
    then(stream_->read(*buffer_), [this] { done(); });
  }

 private:
  Stream* stream_;
  std::unique_ptr<std::array<std::byte, 4>> buffer_ = std::make_unique<std::array<std::byte, 4>>();
};

class OfNothing final : public Operation<void> {
 public:
  void start() override {
    then(Request<int>(), [this](int) { done(); });
  }
};

class TellsProgress final : public Operation<void> {
 public:
  void start() override {
    progress(1);
    progress(2);
    then(loop().sleep(0ms), [this] {
      progress(4);
      then(loop().sleep(1ms), [this] { done(); });
    });
  }
};

struct ThenFixture : LoopFixture {
  std::string story;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_value_of_a_child_is_passed_on, ThenFixture) {
  for (const bool owned : {false, true}) {
    Remote<int> remote;
    auto request = make_request<GoesOn>(loop, story, make_manual(loop, remote), owned);
    remote.operation->done(7);
    const auto [value, err] = (wait_for(request), request.recv());
    BOOST_TEST(err == 0);
    BOOST_TEST(value == 8);
    BOOST_TEST(story == "value 7");
    story.clear();
  }
}

BOOST_FIXTURE_TEST_CASE(a_failed_child_ends_the_operation_with_its_error_and_reason, ThenFixture) {
  for (const bool owned : {false, true}) {
    Remote<int> remote;
    auto request = make_request<GoesOn>(loop, story, make_manual(loop, remote), owned);
    remote.operation->error(EACCES, "the door is closed");
    wait_for(request);
    BOOST_TEST(request.reason() == "the door is closed");
    BOOST_TEST(error_of(request) == EACCES);
    BOOST_TEST(story == "");
  }
}

BOOST_FIXTURE_TEST_CASE(an_operation_that_has_ended_does_not_go_on, ThenFixture) {
  auto request = make_request<EndsFirst>(loop, story);
  BOOST_TEST(error_of(request) == EBUSY);
  loop.run_until_idle();
  BOOST_TEST(story == "first ");
}

BOOST_FIXTURE_TEST_CASE(a_child_without_an_operation_ends_its_parent_with_eio, ThenFixture) {
  BOOST_TEST(error_of(make_request<OfNothing>(loop)) == EIO);
}

BOOST_FIXTURE_TEST_CASE(destroying_and_cancelling_abandon_the_child, ThenFixture) {
  for (const bool cancels : {false, true}) {
    for (const bool owned : {false, true}) {
      Remote<int> remote;
      auto request = make_request<GoesOn>(loop, story, make_manual(loop, remote), owned);
      if (cancels) {
        request.cancel();
        BOOST_TEST(error_of(request) == ECANCELED);
      } else {
        request = {};
      }
      BOOST_TEST(remote.destroyed == 1);
      loop.run_until_idle();
      BOOST_TEST(story == "");
    }
  }
}

// A read that is abandoned gives back what it took, out of its buffer.
BOOST_FIXTURE_TEST_CASE(children_that_the_operation_keeps_end_before_its_members, ThenFixture) {
  auto [here, there] = memory_pair();
  auto request = make_request<ReadsIntoMember>(loop, here);
  auto writing = there.write("ab");
  loop.run_until_idle();
  request = {};
  char text[2] = {};
  auto reading = here.read(text);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(std::string_view(text, 2) == "ab");
}

BOOST_FIXTURE_TEST_CASE(progress_is_told_from_the_loop_and_once_a_turn, ThenFixture) {
  auto request = make_request<TellsProgress>(loop);
  std::vector<std::size_t> seen;
  BOOST_TEST(
      request.set_progress_callback([&](Request<void>& going) { seen.push_back(going.transferred()); }));
  BOOST_TEST(seen.empty());
  BOOST_TEST(error_of(request) == 0);
  BOOST_TEST((seen == std::vector<std::size_t>{7} || seen == std::vector<std::size_t>({3, 7})));
}

BOOST_FIXTURE_TEST_CASE(the_progress_callback_may_destroy_the_request, ThenFixture) {
  std::optional<Request<void>> request(make_request<TellsProgress>(loop));
  int calls = 0;
  request->set_progress_callback([&](Request<void>&) {
    ++calls;
    request.reset();
  });
  BOOST_TEST(run_until([&] { return calls != 0; }));
  loop.run_until_idle();
  BOOST_TEST(calls == 1);
}

BOOST_FIXTURE_TEST_CASE(an_operation_of_the_library_tells_no_progress, ThenFixture) {
  auto request = loop.sleep(0ms);
  BOOST_TEST(!request.set_progress_callback([](Request<void>&) {}));
  BOOST_TEST(error_of(request) == 0);
}

BOOST_FIXTURE_TEST_CASE(a_set_forgets_requests_that_end, ThenFixture) {
  RequestSet set;
  Remote<int> one;
  Remote<int> two;
  set.add(make_manual(loop, one), [&](Request<int>& ended) {
    auto [value, err] = ended.recv();
    story += std::to_string(value) + " " + std::to_string(set.size());
  });
  set.add(make_manual(loop, two));
  BOOST_TEST(set.size() == 2U);
  one.operation->done(5);
  BOOST_TEST(run_until([&] { return set.size() == 1; }));
  BOOST_TEST(story == "5 1");
  two.operation->error(EIO);
  BOOST_TEST(run_until([&] { return set.empty(); }));
}

BOOST_FIXTURE_TEST_CASE(destroying_a_set_abandons_what_it_owns, ThenFixture) {
  std::optional<RequestSet> set(std::in_place);
  Remote<int> remote;
  set->add(make_manual(loop, remote), [&](auto&) { story += "called"; });
  set->add(Request<int>());
  BOOST_TEST(set->size() == 1U);
  set.reset();
  BOOST_TEST(remote.destroyed == 1);
  loop.run_until_idle();
  BOOST_TEST(story == "");
}

BOOST_FIXTURE_TEST_CASE(the_function_of_a_request_may_destroy_the_set, ThenFixture) {
  std::optional<RequestSet> set(std::in_place);
  set->add(loop.sleep(0ms), [&](auto&) { set.reset(); });
  set->add(loop.sleep(10s), [&](auto&) { story += "called"; });
  BOOST_TEST(run_until([&] { return !set.has_value(); }));
  loop.run_until_idle();
  BOOST_TEST(story == "");
}

BOOST_FIXTURE_TEST_CASE(cancelling_a_set_cancels_all_that_is_in_it, ThenFixture) {
  RequestSet set;
  for (int i = 0; i < 3; ++i) {
    set.add(loop.sleep(10s), [&](Request<void>& ended) {
      const auto [err] = ended.recv();
      story += error_name(err);
      story += ' ';
    });
  }
  set.cancel();
  BOOST_TEST(set.size() == 3U);
  BOOST_TEST(run_until([&] { return set.empty(); }));
  BOOST_TEST(story == "ECANCELED ECANCELED ECANCELED ");
}

BOOST_AUTO_TEST_SUITE_END()

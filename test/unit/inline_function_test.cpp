#include "tsock/detail/inline_function.hpp"

#include <array>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <optional>
#include <stdexcept>
#include <tsock/loop.hpp>
#include <tsock/operation.hpp>
#include <utility>

using tsock::detail::InlineFunction;

namespace {

/// The loop whose pool takes what does not fit.
struct WithLoop {
  tsock::Loop loop;
  tsock::detail::LoopCore& core = tsock::detail::core_of(loop);
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(inline_function, WithLoop)

namespace {

/// Runs `check(capture)` with a callable that is copied as bytes, moved inline, or kept in the pool.
template <std::size_t Padding>
struct Counting {
  std::shared_ptr<int> count;
  std::array<char, Padding> padding{};
  void operator()(void* argument) { *static_cast<int*>(argument) = ++*count; }
};

template <std::size_t Padding>
void check_life(tsock::detail::LoopCore& core) {
  const auto count = std::make_shared<int>(0);
  int seen = 0;
  {
    InlineFunction function;
    BOOST_TEST(!function);
    function.emplace(core, Counting<Padding>{count});
    BOOST_TEST(static_cast<bool>(function));
    BOOST_TEST(count.use_count() == 2);
    function(&seen);
    BOOST_TEST(seen == 1);

    InlineFunction moved(std::move(function));
    BOOST_TEST(!function);
    BOOST_TEST(count.use_count() == 2);
    moved(&seen);
    BOOST_TEST(seen == 2);

    InlineFunction assigned;
    assigned.emplace(core, Counting<Padding>{count});
    assigned = std::move(moved);
    BOOST_TEST(!moved);
    BOOST_TEST(count.use_count() == 2);
    auto& self = assigned;
    assigned = std::move(self);
    assigned(&seen);
    BOOST_TEST(seen == 3);

    assigned.emplace(core, Counting<1>{count});
    BOOST_TEST(count.use_count() == 2);
    assigned.reset();
    BOOST_TEST(!assigned);
    BOOST_TEST(count.use_count() == 1);
    assigned.reset();
    function.emplace(core, Counting<Padding>{count});
  }
  BOOST_TEST(count.use_count() == 1);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_callable_that_fits_lives_once) { check_life<1>(core); }
BOOST_AUTO_TEST_CASE(a_callable_that_fits_exactly_lives_once) {
  constexpr std::size_t rest = InlineFunction::capacity - sizeof(std::shared_ptr<int>);
  static_assert(sizeof(Counting<rest>) == InlineFunction::capacity);
  check_life<rest>(core);
}
BOOST_AUTO_TEST_CASE(a_large_callable_lives_once) { check_life<1000>(core); }

namespace {

/// Looks at the function that it came from while it runs, and keeps `count` up.
template <std::size_t Padding>
struct Leaving {
  InlineFunction* place;
  std::shared_ptr<int> count;
  bool throws;
  std::array<std::byte, Padding> padding{};
  void operator()(void* argument) const {
    *static_cast<bool*>(argument) = !*place && count.use_count() == 2;
    place->reset();
    if (throws) throw std::runtime_error("from the callable");
  }
};

template <std::size_t Padding>
void check_call_once(tsock::detail::LoopCore& core) {
  const auto count = std::make_shared<int>(0);
  for (const bool throws : {false, true}) {
    InlineFunction function;
    function.emplace(core, Leaving<Padding>{&function, count, throws});
    bool was_out = false;
    if (throws) {
      BOOST_CHECK_THROW(function.call_once(&was_out), std::runtime_error);
    } else {
      function.call_once(&was_out);
    }
    BOOST_TEST(was_out);
    BOOST_TEST(!function);
    BOOST_TEST(count.use_count() == 1);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_callable_called_once_is_out_of_its_place_and_gone_afterwards) {
  check_call_once<1>(core);
  check_call_once<1000>(core);
}

BOOST_AUTO_TEST_CASE(a_trivial_callable_moves_with_all_its_bytes) {
  struct Trivial {
    std::array<int, 6> values;
    void operator()(void* argument) const { *static_cast<int*>(argument) = values.front() + values.back(); }
  };
  static_assert(sizeof(Trivial) == InlineFunction::capacity);
  InlineFunction function;
  function.emplace(core, Trivial{{1, 2, 3, 4, 5, 20}});
  InlineFunction moved(std::move(function));
  int sum = 0;
  moved(&sum);
  BOOST_TEST(sum == 21);
}

BOOST_AUTO_TEST_CASE(callables_with_strict_alignment_or_a_throwing_move_work) {
  struct alignas(64) Aligned {
    int* wrong;
    void operator()(void* /*argument*/) const {
      *wrong = reinterpret_cast<std::uintptr_t>(this) % 64 == 0 ? 0 : 1;
    }
  };
  struct ThrowingMove {
    explicit ThrowingMove(int value) : number(value) {}
    ThrowingMove(ThrowingMove&& other) noexcept(false) : number(other.number) {}
    ThrowingMove& operator=(ThrowingMove&&) = delete;
    ThrowingMove(const ThrowingMove&) = delete;
    ThrowingMove& operator=(const ThrowingMove&) = delete;
    ~ThrowingMove() = default;
    void operator()(void* argument) const { *static_cast<int*>(argument) = number; }
    int number;
  };
  int result = -1;
  InlineFunction function;
  function.emplace(core, Aligned{&result});
  InlineFunction moved(std::move(function));
  moved(nullptr);
  BOOST_TEST(result == 0);
  moved.emplace(core, ThrowingMove(7));
  function = std::move(moved);
  function(&result);
  BOOST_TEST(result == 7);
}

BOOST_AUTO_TEST_SUITE_END()

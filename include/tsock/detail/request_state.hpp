#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string_view>
#include <tsock/call_site.hpp>
#include <tsock/detail/inline_function.hpp>
#include <tsock/export.hpp>
#include <type_traits>
#include <utility>

namespace tsock::inline v0 {
class Loop;
}

namespace tsock::inline v0::detail {

/// A place in one of the loop's doubly linked lists; unlinked when `next` is null.
struct ListNode {
  ListNode* prev = nullptr;
  ListNode* next = nullptr;

  [[nodiscard]] bool is_linked() const noexcept { return next != nullptr; }
  void unlink() noexcept {
    // Only called on a node that is linked.
    // NOLINTBEGIN(clang-analyzer-core.NullDereference)
    prev->next = next;
    next->prev = prev;
    // NOLINTEND(clang-analyzer-core.NullDereference)
    next = nullptr;
  }
  void link_before(ListNode& place) noexcept {
    prev = place.prev;
    next = &place;
    prev->next = this;
    place.prev = this;
  }
};

class RequestState;

/// An entry of the ready list, which the loop runs: a request or a ReadyTask. Nearly all are requests that
/// are finished; the loop tells them by their phase and delivers them without a virtual call.
class ReadyNode : public ListNode {
 public:
  enum class Phase : std::uint8_t { in_progress, finished, delivered, received };
  ReadyNode(const ReadyNode&) = delete;
  ReadyNode& operator=(const ReadyNode&) = delete;
  [[nodiscard]] Phase phase() const noexcept { return phase_; }
  /// What the loop does with an entry that is not a finished request.
  virtual void run() = 0;
  /// The request that this is, or null.
  [[nodiscard]] virtual RequestState* as_request() noexcept { return nullptr; }

 protected:
  ReadyNode() noexcept = default;
  ~ReadyNode() = default;

  Phase phase_ = Phase::in_progress;
};

/// Something other than a request that the loop runs once when it is in the ready list.
class ReadyTask : public ReadyNode {
 protected:
  ~ReadyTask() = default;
};

class LoopResource;

using Clock = std::chrono::steady_clock;

/// Now plus `duration`; one that the clock cannot hold never comes.
inline Clock::time_point time_after(std::chrono::nanoseconds duration) noexcept {
  const Clock::time_point now = Clock::now();
  return duration < Clock::time_point::max() - now ? now + duration : Clock::time_point::max();
}

/// The state behind every Request: life cycle, callback, deadline, and what `Loop::dump()` shows.
///
/// Life: in_progress -> finished (stands in the ready list) -> delivered (the callback may run) -> received.
/// A Request destroyed before delivery takes the state with it; no callback runs then.
class TSOCK_EXPORT RequestState : public ReadyNode {
 public:
  static constexpr std::uint32_t no_deadline = 0xffffffffU;
  /// What is true of a state beside its phase: bits, of which each class names its own, from the
  /// `first_free_mark` of its base on.
  enum Mark : std::uint16_t {
    in_delivery = 1,     ///< code of the user runs in `on_delivery()`
    known_to_loop = 2,   ///< the loop has a pointer to it: `is_beginning()`, `is_waited_for()`, its reason
    loop_gone = 4,       ///< made on a loop that was closed: nothing will be called
    plain_delivery = 8,  ///< `on_delivery()` does no more than give up the place as receiver
  };
  static constexpr std::uint16_t first_free_mark = 16;
  /// Below it are marks, above it the count of `look_again()`.
  static constexpr unsigned mark_bits = 12;
  /// A set of marks. Not of a character type, which may alias anything.
  enum class MarkSet : std::uint16_t { none = 0 };
  template <class... M>
  [[nodiscard]] static constexpr MarkSet marks(M... marks) noexcept {
    return static_cast<MarkSet>((static_cast<unsigned>(marks) | ... | 0U));
  }
  /// Whether the loop lists it while it is in progress. A class whose states stand in another list, or are
  /// known to somebody whom the loop asks, has `false` here.
  static constexpr bool is_listed = true;
  /// Where in the state its result lies, in words.
  enum class ResultPlace : std::uint8_t { none = 0 };

  RequestState(LoopCore& core, CallSite site) noexcept;
  /// To be called once the state is complete: the loop counts it, and lists it if it is to. On a loop that is
  /// gone the operation is over then, with ECANCELED.
  void enter_loop(bool listed);

  // The side of the handle.
  [[nodiscard]] bool is_in_progress() const noexcept { return phase_ < Phase::delivered; }
  /// The result is there to be fetched.
  [[nodiscard]] bool is_delivered() const noexcept { return phase_ == Phase::delivered; }
  [[nodiscard]] bool is_received() const noexcept { return phase_ == Phase::received; }
  [[nodiscard]] int error() const noexcept { return error_; }
  [[nodiscard]] std::size_t transferred() const noexcept { return transferred_; }
  [[nodiscard]] std::string_view reason() const noexcept;
  void set_received() noexcept { phase_ = Phase::received; }
  [[nodiscard]] RequestState* as_request() noexcept final { return this; }
  /// It asked to begin in the loop, or got its callback late.
  void run() final;
  void set_handle(void* handle) noexcept { handle_ = handle; }
  bool cancel();
  void set_deadline(Clock::time_point when);
  void clear_deadline() noexcept;
  /// Ends the state together with its handle.
  void release() noexcept;
  template <class F>
  void set_callback(F&& function) {
    if (callback_) [[unlikely]] {
      // What the old callable captured goes last, after the last look at this state: it may own the request.
      const InlineFunction old(std::move(callback_));
      callback_.emplace_for_one_call(*core_, std::forward<F>(function));
      if (phase_ >= Phase::delivered) deliver_late();
      return;
    }
    callback_.emplace_for_one_call(*core_, std::forward<F>(function));
    if (phase_ >= Phase::delivered) [[unlikely]]
      deliver_late();
  }
  /// False when no callback can run any more: the result was fetched, or the loop is gone.
  [[nodiscard]] bool can_call_back() const noexcept {
    return is_in_progress() ? !has(loop_gone) : can_call_back_late();
  }
  [[nodiscard]] bool has_callback() const noexcept { return static_cast<bool>(callback_); }
  void clear_callback() noexcept { const InlineFunction old(std::move(callback_)); }
  bool wait(int& err);
  /// Where the result lives. Of an operation that has one.
  [[nodiscard]] void* result() noexcept {
    return reinterpret_cast<std::byte*>(this) + static_cast<std::size_t>(result_place_) * sizeof(void*);
  }

  // The side of the implementer.
  /// Ends the operation; the first call wins. The callback runs later, from the loop.
  void finish(int err) noexcept;
  /// Keeps a copy of the words that say why the operation fails, see `Request::reason()`. Before `finish()`;
  /// empty ones are not kept.
  void explain(std::string_view reason) noexcept;
  [[nodiscard]] bool is_unfinished() const noexcept { return phase_ == Phase::in_progress; }
  void add_transferred(std::size_t bytes) noexcept { transferred_ += bytes; }
  /// Stops the work and finishes with `err` (ECANCELED, ETIMEDOUT), unless it can only succeed now.
  virtual void interrupt(int err) { finish(err); }
  /// Where the function lies that is called on its way; null for an operation that calls none.
  [[nodiscard]] virtual std::unique_ptr<InlineFunction>* progress_function() noexcept { return nullptr; }
  /// Has `begin()` called from the loop, where code of the user may run.
  void schedule_begin() noexcept;
  /// A deadline that belongs to the operation itself; the caller's comes on top of it.
  [[nodiscard]] virtual Clock::time_point own_deadline() const noexcept { return Clock::time_point::max(); }
  /// The deadline has come, and what was there by then has been served.
  virtual void on_deadline();
  /// One line's worth of facts for the dump, after name and age.
  virtual void describe(std::ostream& out) const;

  [[nodiscard]] LoopCore& core() const noexcept { return *core_; }
  [[nodiscard]] Loop& loop() const noexcept;
  /// What it works on: a stream, a socket, a listener; null when it has no place there, or none any more.
  [[nodiscard]] LoopResource* resource() const noexcept { return resource_; }
  void set_resource(LoopResource* resource) noexcept { resource_ = resource; }
  /// Gives up the place as the receiver of its resource, if it has it, and forgets the resource.
  inline void leave_resource() noexcept;
  /// What dumps and traces call the operation.
  [[nodiscard]] virtual const char* name() const noexcept = 0;
  [[nodiscard]] CallSite site() const noexcept { return CallSite::at(file_, line_); }
  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
  [[nodiscard]] std::uint64_t parent_id() const noexcept { return parent_id_; }
  /// The loop's clock in milliseconds, of which the lower 32 bits are kept.
  [[nodiscard]] std::uint32_t started_ms() const noexcept { return started_ms_; }

 protected:
  /// Chooses the constructor that is compiled into its caller; see loop_core.hpp.
  struct Here {};
  inline RequestState(LoopCore& core, CallSite site, Here here) noexcept;
  virtual ~RequestState() = default;
  /// Whether one of them is set.
  template <class... M>
  [[nodiscard]] bool has(M... marked) const noexcept {
    return (static_cast<unsigned>(marks_) & static_cast<unsigned>(marks(marked...))) != 0;
  }
  template <class M>
  void mark(M mark) noexcept {
    marks_ = static_cast<MarkSet>(static_cast<unsigned>(marks_) | static_cast<unsigned>(mark));
  }
  template <class M>
  void unmark(M mark) noexcept {
    marks_ = static_cast<MarkSet>(static_cast<unsigned>(marks_) & ~static_cast<unsigned>(mark));
  }
  /// Four bytes that would be padding otherwise, for a derived class.
  [[nodiscard]] std::uint32_t& spare_word() noexcept { return spare_word_; }
  [[nodiscard]] std::uint32_t spare_word() const noexcept { return spare_word_; }
  /// Said once, by a class that has a result: where in the state it lies, a whole number of words from its
  /// begin.
  void set_result_place(const void* place) noexcept {
    const auto distance = static_cast<const std::byte*>(place) - reinterpret_cast<const std::byte*>(this);
    result_place_ = static_cast<ResultPlace>(static_cast<std::size_t>(distance) / sizeof(void*));
  }
  /// For a result that is `transferred()`.
  [[nodiscard]] const std::size_t* transferred_place() const noexcept { return &transferred_; }
  /// What `finish()` will be given; nobody sees it before.
  void set_error(int err) noexcept { error_ = err; }
  /// `finish()` of an operation in progress, to be compiled into its caller; see loop_core.hpp.
  inline void finish_here(int err) noexcept;
  /// For one who puts many finished states into the ready list at once: all of `finish()` but that. The state
  /// is in a list of the caller's.
  inline void set_finished() noexcept;
  /// A state that was kept when its operation was over begins the next one; see `StateCache`.
  inline void begin_again(LoopCore& core, CallSite site, Phase phase, MarkSet marks,
                          std::size_t transferred) noexcept;
  /// For `on_deadline()` of an operation that takes several steps, each of which may have its answer by now:
  /// puts the deadline behind the next events, a few times and as long as something ends. \return whether it
  /// did.
  bool look_again() noexcept;
  /// The same without a condition: the caller sees to an end.
  void postpone_deadline() noexcept;
  /// The operation's turn has come, see `schedule_begin()`.
  virtual void begin() {}
  /// The Request, or this when it was detached.
  [[nodiscard]] void* handle() const noexcept { return handle_; }
  /// The last step before the callback: give up the place in the stream or queue. Not called when
  /// `plain_delivery` is marked; the place as receiver is given up all the same. Code of the user that runs
  /// in it, which has to be marked as `in_delivery`, may destroy the handle; the state is then destroyed when
  /// this returns.
  virtual void on_delivery() noexcept;
  /// To be called behind it, while still `in_delivery`: that code may have destroyed the Loop.
  void drop_call_of_closed_loop() noexcept;
  /// The handle goes while the state is `in_delivery`.
  virtual void on_abandon_in_delivery() noexcept {}
  /// The handle goes before delivery: give up the place, and give back what an unfinished read took.
  virtual void on_abandon() noexcept {}

 private:
  friend class LoopCore;
  friend class DeadlineHeap;
  friend class StateCache;
  void deliver_late();
  [[nodiscard]] bool can_call_back_late() const noexcept;
  inline bool deliver() noexcept;
  inline void call_back();
  void drop_deadline() noexcept;
  void destroy() noexcept;
  [[gnu::noinline]] void end_early() noexcept;
  void leave_loop() noexcept;
  void leave_before_call() noexcept;
  /// Destroys the state and gives its memory back.
  virtual void free() noexcept = 0;

  // The small ones first: they fit behind the base's.
  ResultPlace result_place_ = ResultPlace::none;
  MarkSet marks_;
  std::uint32_t deadline_index_ = no_deadline;
  LoopCore* core_;
  LoopResource* resource_ = nullptr;
  void* handle_ = nullptr;
  std::size_t transferred_ = 0;
  InlineFunction callback_;
  std::uint64_t id_ = 0;
  std::uint64_t parent_id_;
  const char* file_;
  std::uint32_t line_;
  std::uint32_t started_ms_;
  int error_ = 0;
  std::uint32_t spare_word_ = 0;
};

/// A state in a block of the loop's pool, which it gives back.
template <class S>
class Pooled final : public S {
 public:
  using S::S;

 private:
  void free() noexcept override {
    LoopCore& core = this->core();
    this->~Pooled();
    free_block(core, this, sizeof(Pooled));
  }
};

/// Makes an operation's state in a block of the loop's pool; a Request takes it over.
template <class S, class... Args>
S* make_state(LoopCore& core, Args&&... args) {
  void* const block = allocate_block(core, sizeof(Pooled<S>));
  Pooled<S>* state = nullptr;
  try {
    state = ::new (block) Pooled<S>(core, std::forward<Args>(args)...);
  } catch (...) {
    free_block(core, block, sizeof(Pooled<S>));
    throw;
  }
  state->enter_loop(S::is_listed);
  return state;
}

/// An operation whose result is a T, over a state class of its own kind.
template <class T, class Base = RequestState>
class ResultState : public Base {
 public:
  template <class... Args>
  [[gnu::always_inline]] explicit ResultState(LoopCore& core, Args&&... args) noexcept(
      std::is_nothrow_constructible_v<Base, LoopCore&, Args...>&& std::is_nothrow_default_constructible_v<T>)
      : Base(core, std::forward<Args>(args)...) {
    this->set_result_place(&value_);
  }
  void finish_with(T value) {
    if (!this->is_unfinished()) return;
    value_ = std::move(value);
    this->finish(0);
  }

 protected:
  alignas(T) alignas(void*) T value_{};  // see set_result_place()
};

template <class Base>
class ResultState<void, Base> : public Base {
 public:
  using Base::Base;
  void finish_with() { this->finish(0); }
};

}  // namespace tsock::inline v0::detail

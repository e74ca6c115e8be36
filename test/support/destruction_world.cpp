#include "support/destruction_world.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <utility>

#include "core/loop/loop_core.hpp"
#include "support/destruction_world_jobs.hpp"
#include "support/loop_fixture.hpp"
#include "support/system.hpp"

namespace tsock::test {

/// A composite operation whose every step acts on the world.
class WorldOperation final : public Operation<int> {
 public:
  static constexpr const char* name = "world";

  explicit WorldOperation(DestructionWorld& world) : world_(&world) {}
  WorldOperation(const WorldOperation&) = delete;
  WorldOperation& operator=(const WorldOperation&) = delete;
  ~WorldOperation() override {
    world_->check(cleanups_ == 1, "an operation is cleaned up once before it is destroyed");
    *alive_ = false;
    world_->captured_goes();
  }

  // What runs in it may destroy the Loop, and this with it.
  void start() override {
    const std::shared_ptr<bool> alive = alive_;
    Random& random = world_->random_;
    for (std::size_t left = random.below(4); left != 0 && *alive; --left) start_child();
    if (*alive) world_->act_some();
    if (!*alive) return;
    if (world_->throws_ && random.one_in(20)) throw WorldError();
    if (open_ == 0 || random.one_in(5)) end();
  }

  void cancel() override {
    const std::shared_ptr<bool> alive = alive_;
    world_->act_some();
    if (*alive && !world_->random_.one_in(4)) error(ECANCELED);
  }

  void cleanup(Outcome outcome, int err) noexcept override {
    ++cleanups_;
    world_->check((outcome == Outcome::failed) == (err != 0),
                  "only a failed operation is cleaned up with an error");
    world_->act_some();
  }

 private:
  void start_child() {
    Random& random = world_->random_;
    switch (random.below(5)) {
      case 0:
        watch(sleep_, loop().sleep(world_->short_time()));
        break;
      case 1:
        watch(read_, world_->any_stream().read_some(buffer_));
        break;
      case 2:
        watch(write_, world_->any_stream().write(buffer_));
        break;
      case 3:
        watch(turn_, world_->any_queue().wait());
        break;
      default:
        if (world_->depth_ > 2) return;
        try {
          const std::shared_ptr<bool> alive = alive_;
          Request<int> made = make_request<WorldOperation>(loop(), *world_);
          if (*alive) watch(child_, std::move(made));
        } catch (const WorldError&) {
        }
        break;
    }
  }
  template <class T>
  void watch(Request<T>& child, Request<T> made) {
    const std::shared_ptr<bool> is_here = alive_;
    if (child.is_in_progress()) --open_;
    child = std::move(made);
    // One on a loop that is gone is over at once.
    if (!*is_here || !child.is_in_progress()) return;
    ++open_;
    child.set_callback([this](Request<T>& request) {
      world_->check_callback("a child completes from the loop");
      const std::shared_ptr<bool> alive = alive_;
      DestructionWorld& world = *world_;
      if (world.random_.one_in(3)) {
        int err = 0;
        static_cast<void>(request.recv(err));
      }
      world.act_some();
      if (*alive) {
        if (--open_ <= 0 || world.random_.one_in(3)) end();
      }
      world.throw_sometimes();
    });
  }
  void end() {
    if (world_->random_.one_in(2)) {
      progress(1);
      done(7);
    } else {
      error(EPERM);
    }
  }

  DestructionWorld* world_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  int open_ = 0;
  int cleanups_ = 0;
  std::array<std::byte, 64> buffer_{};
  Request<void> sleep_;
  Request<ssize_t> read_;
  Request<ssize_t> write_;
  Request<QueueHold> turn_;
  Request<int> child_;
};

DestructionWorld::DetachedCall::~DetachedCall() {
  if (world_ == nullptr) return;
  const bool is_of_old_loop = world_->loop_gone_ || loops_ != world_->loops_;
  world_->check(called_ || is_of_old_loop, "a detached request completes before it is dropped");
  --world_->detached_;
}

template <class T>
void DestructionWorld::DetachedCall::operator()(Request<T>& request) {
  world_->check_callback("a detached request completes from the loop");
  world_->check(!called_, "a detached request completes once");
  world_->check(loops_ == world_->loops_, "nothing of a Loop is called after it is gone");
  world_->check(!request.is_in_progress(), "a request in its callback is over");
  called_ = true;
  DestructionWorld& world = *world_;
  if (world.random_.one_in(2)) world.take_result(request);
  world.act_some();
  world.throw_sometimes();
}

DestructionWorld::DestructionWorld(std::uint64_t seed, std::uint64_t steps, Layers layers)
    : random_(seed), steps_(steps), layers_(layers), acts_(acts()) {
  if (layers != Layers::none) {
    const std::vector<WeightedAct> more = layer_acts();
    acts_.insert(acts_.end(), more.begin(), more.end());
    prepare_layers();
  }
  for (const WeightedAct& entry : acts_) weight_of_acts_ += entry.weight;
  throws_ = !random_.one_in(3);
  traced_ = random_.one_in(4);
  make_loop();
  for (Queue& queue : queues_) queue = Queue(*loop_, "world");
  for (std::size_t slot = 0; slot < listeners_.size(); ++slot) make_listener(slot);
}

DestructionWorld::~DestructionWorld() = default;

// ---- the rules ----

void DestructionWorld::check(bool holds, const char* rule) {
  if (!holds && broken_.empty()) broken_ = std::string("broken: ") + rule;
}

void DestructionWorld::check_callback(const char* rule) {
  check(in_turn_ && calls_ == 0, rule);
  check(!loop_gone_, "nothing is called after the Loop is gone");
}

void DestructionWorld::trace(const TraceEvent& event) {
  const auto last = traces_.find(event.id);
  switch (event.kind) {
    case TraceKind::started:
      check(last == traces_.end(), "a request starts once");
      traces_[event.id] = event.kind;
      break;
    case TraceKind::cancelled:
      check(last != traces_.end(), "only a request in progress is cancelled");
      break;
    case TraceKind::finished:
      check(last != traces_.end() && last->second == TraceKind::started, "a request finishes once");
      traces_[event.id] = event.kind;
      break;
    case TraceKind::delivered:
      check(last != traces_.end() && last->second == TraceKind::finished,
            "a finished request is delivered once");
      traces_.erase(event.id);
      break;
    case TraceKind::abandoned:
      check(last != traces_.end(), "only a request in progress is abandoned");
      traces_.erase(event.id);
      break;
  }
}

// ---- being called ----

void DestructionWorld::act() {
  if (!broken_.empty() || depth_ >= 4) return;
  if (loop_gone_) {
    // Nothing can be started any more.
    if (turn_steps_ == 0) return;
    --turn_steps_;
    ++depth_;
    static constexpr std::array<Act, 6> endings = {
        &DestructionWorld::destroy_datagram, &DestructionWorld::destroy_job,
        &DestructionWorld::destroy_stream,   &DestructionWorld::destroy_queue,
        &DestructionWorld::destroy_listener, &DestructionWorld::release_hold};
    (this->*endings[random_.below(endings.size())])();
    --depth_;
    return;
  }
  if (steps_ == 0 || turn_steps_ == 0) return;
  --steps_;
  --turn_steps_;
  ++depth_;
  std::size_t pick = random_.below(weight_of_acts_);
  for (const WeightedAct& entry : acts_) {
    if (pick < entry.weight) {
      (this->*entry.act)();
      break;
    }
    pick -= entry.weight;
  }
  --depth_;
}

void DestructionWorld::act_some() {
  for (std::size_t times = random_.below(3); times != 0; --times) act();
}

void DestructionWorld::captured_goes() {
  if (random_.one_in(6)) act();
}

void DestructionWorld::throw_sometimes() {
  if (throws_ && !loop_gone_ && random_.one_in(50)) throw WorldError();
}

// ---- jobs ----

std::unique_ptr<DestructionWorld::Job>& DestructionWorld::any_slot() {
  return jobs_[random_.below(jobs_.size())];
}

// Several tries: half of the slots may be empty.
DestructionWorld::Job* DestructionWorld::any_job() {
  for (int tries = 0; tries < 4; ++tries) {
    if (Job* const job = any_slot().get()) return job;
  }
  return nullptr;
}

DestructionWorld::Job* DestructionWorld::find_job(std::uint64_t id) {
  for (const auto& job : jobs_) {
    if (job != nullptr && job->id == id) return job.get();
  }
  return nullptr;
}

void DestructionWorld::place(Stream stream) {
  Stream old = std::exchange(any_stream(), std::move(stream));
  const Call call(*this);
  old = Stream();
}

// Bytes that a framing of the other side may like.
LooseBuffers DestructionWorld::message() {
  LooseBuffers buffers;
  for (std::size_t parts = random_.between(1, 3); parts != 0; --parts) {
    const std::size_t size = random_.one_in(8) ? random_.below(9000) : random_.below(60);
    const std::span<std::byte> part = buffers.add(size);
    std::fill(part.begin(), part.end(), static_cast<std::byte>('a' + random_.below(20)));
    if (size >= 2) {
      part[0] = std::byte{0};
      part[1] = static_cast<std::byte>(size - 2);
      if (random_.one_in(2)) part.back() = std::byte{'\n'};
    }
  }
  return buffers;
}

LooseBuffers DestructionWorld::room() {
  LooseBuffers buffers;
  for (std::size_t parts = random_.between(1, 4); parts != 0; --parts)
    buffers.add(random_.one_in(8) ? random_.below(9000) : random_.below(60));
  return buffers;
}

std::chrono::nanoseconds DestructionWorld::short_time() {
  if (random_.one_in(3)) return std::chrono::nanoseconds::zero();
  return std::chrono::microseconds(random_.below(3000));
}

Framing DestructionWorld::any_framing() {
  switch (random_.below(5)) {
    case 0:
      return framing::u16be{.max_body = 300};
    case 1:
      return framing::u8{};
    case 2:
      return framing::line{.max_body = 200};
    case 3:
      return framing::delimiter{.end = "aab", .max_body = 5000};
    default:
      return framing::u32le{.max_body = random_.below(2) * 100000};
  }
}

void DestructionWorld::make_listener(std::size_t slot) {
  int err = 0;
  static unsigned count = 0;
  const Address address =
      random_.one_in(3) || uses_posix_alone()
          ? loopback_v4()
          : Address::unix_abstract(
                "tsock-world-" + std::to_string(::getpid()) + "-" + std::to_string(++count), err);
  ListenerOptions options;
  options.backlog = 4;
  Listener made = Listener::listen(*loop_, address, options, err);
  check(static_cast<bool>(made), "a listener can be made");
  if (!made) return;
  made.set_pause_callback([this, capture = std::make_shared<Capture>(*this)](int) {
    check_callback("a pause is told from the loop");
    act_some();
    throw_sometimes();
  });
  if (random_.one_in(2)) accept_all(made);
  replace_listener(slot, std::move(made));
}

void DestructionWorld::accept_all(Listener& listener) {
  for_each_accept(
      listener,
      [this](Stream stream) {
        check_callback("a connection is handed out from the loop");
        if (!ending_ && !random_.one_in(3)) place(std::move(stream));
        act_some();
        throw_sometimes();
      },
      [this](int) { check_callback("the end of accepting is told from the loop"); });
}

void DestructionWorld::replace_listener(std::size_t slot, Listener made) {
  Listener old = std::exchange(listeners_[slot], std::move(made));
  const Call call(*this);
  old = Listener();
}

// ---- acts: making things ----

void DestructionWorld::make_memory_pair() {
  MemoryStreamOptions options;
  if (random_.one_in(2)) options.max_transfer = random_.between(1, 100);
  options.read_ahead = random_.one_in(2);
  options.half_close = !random_.one_in(4);
  auto [left, right] = memory_stream_pair(*loop_, options);
  place(std::move(left));
  place(std::move(right));
}

void DestructionWorld::make_socketpair() {
  int err = 0;
  auto [left, right] = Stream::socketpair(*loop_, err);
  check(err == 0, "a socketpair can be made");
  if (random_.one_in(3)) {
    StreamOptions options;
    options.strict_tsocket = random_.one_in(2);
    options.fail_on_first_error = random_.one_in(2);
    options.receive_fds = random_.one_in(2);
    options.send_buffer = 4096;
    left.set_options(options);
  }
  place(std::move(left));
  place(std::move(right));
}

void DestructionWorld::renew_queue() {
  Queue old = std::exchange(any_queue(), Queue(*loop_, "world"));
  const Call call(*this);
  old = Queue();
}

void DestructionWorld::make_loop() {
  ++loops_;
  loop_ = std::make_unique<Loop>();
  loop_->set_logger(nullptr);
  if (traced_) loop_->set_trace([this](const TraceEvent& event) { trace(event); });
}

// Half of the queues and listeners, and all streams and sockets, are still there behind it, on a loop that is
// gone.
void DestructionWorld::renew_loop() {
  {
    // What was moved from knows only where its loop was. Nobody may move anything meanwhile.
    const unsigned steps = std::exchange(turn_steps_, 0);
    const Call call(*this);
    for (Stream& stream : streams_) {
      if (!stream.is_open()) stream = Stream();
    }
    for (Datagram& datagram : datagrams_) {
      if (!datagram.is_open()) datagram = Datagram();
    }
    for (Listener& listener : listeners_) {
      if (!listener) listener = Listener();
    }
    turn_steps_ = steps;
  }
  loop_gone_ = true;
  {
    const Call call(*this);
    loop_.reset();
  }
  for (const auto& job : jobs_) {
    if (job == nullptr) continue;
    job->callback = false;
    std::visit(
        [this]<class R>(R& request) {
          if constexpr (!std::is_same_v<R, std::monostate>)
            check(!request.is_in_progress(), "nothing is in progress when the Loop is gone");
        },
        job->request);
  }
  traces_.clear();
  make_loop();
  loop_gone_ = false;
  for (Queue& queue : queues_) {
    if (random_.one_in(2)) queue = Queue(*loop_, "world");
  }
  for (std::size_t slot = 0; slot < listeners_.size(); ++slot) {
    if (random_.one_in(2)) make_listener(slot);
  }
}

void DestructionWorld::renew_listener() { make_listener(random_.below(listeners_.size())); }

void DestructionWorld::post() {
  loop_->post([this, loops = loops_, capture = Capture(*this)] {
    check_callback("a posted function runs from the loop");
    check(loops == loops_, "nothing of a Loop is called after it is gone");
    act_some();
    throw_sometimes();
  });
}

// ---- acts: starting requests ----

void DestructionWorld::start_accept() {
  start({}, [this](const auto&) { return any_listener().accept(); });
}

void DestructionWorld::start_connect() {
  const Address address = any_listener().local_address();
  ConnectOptions options;
  options.retry_full_backlog = random_.one_in(2);
  if (random_.one_in(4)) options.timeout = short_time();
  options.stream.strict_tsocket = random_.one_in(8);
  start({}, [&](const auto&) { return Stream::connect(*loop_, address, options); });
}

void DestructionWorld::start_readv() {
  start(room(), [this](const auto& vectors) { return any_stream().readv(vectors); });
}

void DestructionWorld::start_read_some() {
  LooseBuffers buffers;
  const std::span<std::byte> buffer = buffers.add(random_.one_in(4) ? 6000 : random_.below(50));
  start(std::move(buffers), [&](const auto&) { return any_stream().read_some(buffer); });
}

void DestructionWorld::start_pdu() {
  start({}, [this](const auto&) { return any_stream().readv_pdu(any_framing()); });
}

void DestructionWorld::start_pdu_in_queue() {
  Queue& queue = any_queue();
  start({}, [&](const auto&) { return any_stream().readv_pdu(queue, any_framing()); });
}

void DestructionWorld::start_next_vector() {
  // The function owns the step's buffers: they go with the next step, the completion or the request.
  class Next {
   public:
    explicit Next(DestructionWorld& world) : world_(&world), capture_(world) {}
    int operator()(VectorList& list) {
      world_->check_callback("a next-vector function is called from the loop");
      buffers_.clear();
      DestructionWorld& world = *world_;
      const std::size_t how = world.random_.below(12);
      if (how < 9) {
        buffers_ = how == 0 ? LooseBuffers() : world.room();
        if (how == 1) buffers_.add(40000);
        for (const iovec& vector : buffers_.vectors()) list.add(vector);
      }
      world.act_some();
      world.throw_sometimes();
      return how == 11 ? EBADMSG : 0;
    }

   private:
    DestructionWorld* world_;
    LooseBuffers buffers_;
    Capture capture_;
  };
  start({}, [this](const auto&) {
    if (random_.one_in(3)) return any_stream().readv_pdu(any_queue(), Next(*this));
    return any_stream().readv_pdu(Next(*this));
  });
}

void DestructionWorld::start_write() {
  start(message(), [this](const auto& vectors) { return any_stream().writev(vectors); });
}

void DestructionWorld::start_write_in_queue() {
  Queue& queue = any_queue();
  start(message(), [&](const auto& vectors) { return any_stream().writev(queue, vectors); });
}

void DestructionWorld::start_huge_write() {
  LooseBuffers buffers;
  buffers.add(random_.between(100000, 400000));
  start(std::move(buffers), [this](const auto& vectors) { return any_stream().writev(vectors); });
}

void DestructionWorld::start_write_with_fds() {
  const std::array<int, 2> fds{0, 1};
  start(message(), [&](const auto& vectors) { return any_stream().writev_with_fds(vectors, fds); });
}

void DestructionWorld::start_disconnect() {
  start({}, [this](const auto&) { return any_stream().disconnect(); });
}

void DestructionWorld::start_monitor() {
  start({}, [this](const auto&) { return any_stream().monitor(); });
}

void DestructionWorld::start_shutdown() {
  start({}, [this](const auto&) { return any_stream().shutdown_write(); });
}

void DestructionWorld::start_shutdown_in_queue() {
  Queue& queue = any_queue();
  start({}, [&](const auto&) { return any_stream().shutdown_write(queue); });
}

void DestructionWorld::start_sleep() {
  start({}, [this](const auto&) { return loop_->sleep(short_time()); });
}

void DestructionWorld::start_signal() {
  const auto make = [this](const auto&) { return loop_->signal(random_.one_in(4) ? SIGKILL : SIGUSR2); };
  start({}, make, true);
}

void DestructionWorld::start_hold() {
  Queue& queue = any_queue();
  start({}, [&](const auto&) { return queue.wait(); });
}

void DestructionWorld::start_submit() {
  Queue& queue = any_queue();
  start({}, [&](const auto&) {
    return queue.submit([this, capture = Capture(*this)]() -> Request<int> {
      check_callback("the function of submit() is called from the loop");
      act_some();
      throw_sometimes();
      if (loop_ == nullptr || random_.one_in(6)) return {};
      try {
        return make_request<WorldOperation>(*loop_, *this);
      } catch (const WorldError&) {
        return {};
      }
    });
  });
}

void DestructionWorld::start_operation() {
  try {
    start({}, [this](const auto&) { return make_request<WorldOperation>(*loop_, *this); });
  } catch (const WorldError&) {
  }
}

// ---- acts: on requests ----

void DestructionWorld::cancel_job() {
  Job* const job = any_job();
  if (job == nullptr) return;
  const Call call(*this);
  std::visit(
      []<class R>(R& request) {
        if constexpr (!std::is_same_v<R, std::monostate>) request.cancel();
      },
      job->request);
}

void DestructionWorld::destroy_job() {
  std::unique_ptr<Job> old = std::move(any_slot());
  const Call call(*this);
  old.reset();
}

void DestructionWorld::detach_job() {
  std::unique_ptr<Job> job = std::move(any_slot());
  if (job == nullptr) return;
  const Call call(*this);
  std::visit(
      [&]<class R>(R& request) {
        if constexpr (!std::is_same_v<R, std::monostate>) {
          if (!request) return;
          if (job->endless || random_.one_in(4)) {
            request = R();
            job->buffers.clear();
          } else {
            R moved = std::move(request);
            const bool dropped = !moved.state()->can_call_back();
            std::move(moved).detach(DetachedCall(*this, std::move(job->buffers), dropped));
          }
        }
      },
      job->request);
}

void DestructionWorld::move_job() {
  std::unique_ptr<Job>& slot = any_slot();
  if (slot == nullptr) return;
  auto moved = std::make_unique<Job>();
  moved->id = slot->id;
  moved->version = slot->version;
  moved->callback = slot->callback;
  moved->completed = slot->completed;
  moved->received = slot->received;
  moved->endless = slot->endless;
  moved->buffers = std::move(slot->buffers);
  const Call call(*this);
  moved->request = std::move(slot->request);
  std::unique_ptr<Job> shell = std::exchange(slot, std::move(moved));
  shell.reset();
}

void DestructionWorld::replace_callback() {
  Job* const job = any_job();
  if (job == nullptr) return;
  std::visit(
      [&]<class R>(R& request) {
        if constexpr (!std::is_same_v<R, std::monostate>) {
          if (!request) return;
          // On a request that is over it would be called again, on one whose result was fetched never.
          if (job->completed || job->received) return;
          if (random_.one_in(4)) {
            job->callback = false;
            ++job->version;
            const Call call(*this);
            request.clear_callback();
          } else {
            set_callback(*job, request);
          }
        }
      },
      job->request);
}

void DestructionWorld::time_out_job() {
  Job* const job = any_job();
  if (job == nullptr) return;
  const Call call(*this);
  std::visit(
      [this]<class R>(R& request) {
        if constexpr (!std::is_same_v<R, std::monostate>) {
          if (random_.one_in(4)) {
            request.clear_deadline();
          } else {
            request.set_timeout(short_time());
          }
        }
      },
      job->request);
}

void DestructionWorld::fetch_result() {
  Job* const job = any_job();
  if (job == nullptr) return;
  std::visit(
      [this, job]<class R>(R& request) {
        if constexpr (!std::is_same_v<R, std::monostate>) {
          job->received = job->received || !request.is_in_progress();
          take_result(request);
        }
      },
      job->request);
}

// ---- acts: on streams, queues, listeners, the loop ----

void DestructionWorld::destroy_stream() {
  Stream old = std::exchange(any_stream(), Stream());
  const Call call(*this);
  old = Stream();
}

void DestructionWorld::move_stream() {
  Stream& from = any_stream();
  Stream& to = any_stream();
  if (&from == &to) return;
  Stream old = std::exchange(to, std::move(from));
  const Call call(*this);
  old = Stream();
}

void DestructionWorld::abort_stream() {
  const Call call(*this);
  any_stream().abort();
}

void DestructionWorld::set_watermarks() {
  const Call call(*this);
  if (random_.one_in(5)) {
    any_stream().set_watermarks({}, {});
    return;
  }
  WriteWatermarks marks{.high = random_.between(1, 3000), .low = random_.below(1000), .cap = 1000000};
  if (random_.one_in(6)) marks.cap = 2000;
  any_stream().set_watermarks(marks, [this, capture = std::make_shared<Capture>(*this)](Watermark) {
    check_callback("a watermark is told from the loop");
    act_some();
    throw_sometimes();
  });
}

void DestructionWorld::set_options() {
  StreamOptions options;
  options.fail_on_first_error = random_.one_in(3);
  options.strict_tsocket = random_.one_in(3);
  options.receive_fds = random_.one_in(2);
  any_stream().set_options(options);
}

void DestructionWorld::ask_stream() {
  Stream& stream = any_stream();
  const Call call(*this);
  int err = 0;
  static_cast<void>(stream.pending_bytes(err));
  static_cast<void>(stream.queued_bytes());
  static_cast<void>(stream.local_address());
  static_cast<void>(stream.remote_address());
  static_cast<void>(stream.native_handle());
  static_cast<void>(stream.peer_credentials(err));
  static_cast<void>(stream.take_received_fds());
}

void DestructionWorld::release_and_adopt() {
  Stream& stream = any_stream();
  const Call call(*this);
  std::vector<std::byte> unread;
  int err = 0;
  UniqueSocket fd = stream.release_socket(unread, err);
  if (err != 0 || random_.one_in(3)) return;
  Stream adopted = Stream::adopt(*loop_, fd, {}, err);
  check(err == 0, "a released descriptor can be adopted");
  place(std::move(adopted));
}

void DestructionWorld::destroy_queue() {
  Queue old = std::move(any_queue());
  const Call call(*this);
  old = Queue();
}

void DestructionWorld::move_queue() {
  Queue& from = any_queue();
  Queue& to = any_queue();
  if (&from == &to) return;
  Queue old = std::exchange(to, std::move(from));
  const Call call(*this);
  old = Queue();
}

void DestructionWorld::stop_queue() { any_queue().stop(); }

void DestructionWorld::start_queue() {
  const Call call(*this);
  for (Queue& queue : queues_) queue.start();
}

void DestructionWorld::release_hold() {
  QueueHold old = std::move(holds_[random_.below(holds_.size())]);
  const Call call(*this);
  old.release();
}

void DestructionWorld::destroy_listener() {
  Listener old = std::move(any_listener());
  const Call call(*this);
  old = Listener();
}

void DestructionWorld::move_listener() {
  Listener& from = any_listener();
  Listener& to = any_listener();
  if (&from == &to) return;
  Listener old = std::exchange(to, std::move(from));
  const Call call(*this);
  old = Listener();
}

void DestructionWorld::dump() {
  std::ostringstream out;
  const Call call(*this);
  loop_->dump(out);
  static_cast<void>(loop_->metrics());
}

void DestructionWorld::stop_loop() { loop_->stop(); }

std::vector<DestructionWorld::WeightedAct> DestructionWorld::acts() {
  using W = DestructionWorld;
  return {
      {14, &W::make_memory_pair},
      {10, &W::make_socketpair},
      {8, &W::make_memory_datagrams},
      {3, &W::make_udp},
      {4, &W::make_unix_datagrams},
      {20, &W::start_recvfrom},
      {20, &W::start_recvfrom_into},
      {15, &W::start_recv_many},
      {25, &W::start_sendto},
      {25, &W::start_sendto_in_queue},
      {10, &W::start_send_many},
      {2, &W::start_datagram_disconnect},
      {4, &W::destroy_datagram},
      {4, &W::move_datagram},
      {3, &W::ask_datagram},
      {6, &W::renew_queue},
      {2, &W::renew_listener},
      {6, &W::start_accept},
      {8, &W::start_connect},
      {40, &W::start_readv},
      {40, &W::start_read_some},
      {30, &W::start_pdu},
      {30, &W::start_pdu_in_queue},
      {40, &W::start_next_vector},
      {60, &W::start_write},
      {60, &W::start_write_in_queue},
      {2, &W::start_huge_write},
      {6, &W::start_write_with_fds},
      {8, &W::start_disconnect},
      {14, &W::start_monitor},
      {5, &W::start_shutdown},
      {5, &W::start_shutdown_in_queue},
      {12, &W::start_sleep},
      {1, &W::start_signal},
      {15, &W::start_hold},
      {15, &W::start_submit},
      {30, &W::start_operation},
      {10, &W::post},
      {50, &W::cancel_job},
      {50, &W::destroy_job},
      {25, &W::detach_job},
      {20, &W::move_job},
      {20, &W::replace_callback},
      {20, &W::time_out_job},
      {15, &W::fetch_result},
      {12, &W::destroy_stream},
      {8, &W::move_stream},
      {3, &W::abort_stream},
      {10, &W::set_watermarks},
      {3, &W::set_options},
      {10, &W::ask_stream},
      {4, &W::release_and_adopt},
      {4, &W::destroy_queue},
      {5, &W::move_queue},
      {4, &W::stop_queue},
      {8, &W::start_queue},
      {20, &W::release_hold},
      {2, &W::destroy_listener},
      {2, &W::move_listener},
      {1, &W::dump},
      {2, &W::stop_loop},
      {2, &W::renew_loop},
  };
}

// ---- turns ----

void DestructionWorld::turn() {
  switch (random_.below(12)) {
    case 0:
      run_guarded([this] { loop_->run_once(); });
      break;
    case 1:
      run_guarded([this] { loop_->run(); });
      break;
    case 2:
      wait_for_job();
      break;
    default:
      in_turn_ = true;
      try {
        loop_->run_until_idle();
      } catch (const WorldError&) {
      }
      in_turn_ = false;
      break;
  }
}

// For ways to run that wait: a guard ends them.
void DestructionWorld::run_guarded(const std::function<void()>& run) {
  Request<void> guard = loop_->sleep(std::chrono::microseconds(random_.below(300)));
  guard.set_callback([this](Request<void>&) { loop_->stop(); });
  in_turn_ = true;
  try {
    run();
  } catch (const WorldError&) {
  }
  in_turn_ = false;
}

void DestructionWorld::wait_for_job() {
  Job* const job = any_job();
  if (job == nullptr) return;
  std::visit(
      [this]<class R>(R& request) {
        if constexpr (!std::is_same_v<R, std::monostate>) {
          run_guarded([&request] {
            int err = 0;
            request.wait(err);
          });
        }
      },
      job->request);
}

std::string DestructionWorld::run() {
  while (steps_ != 0 && broken_.empty()) {
    turn_steps_ = static_cast<unsigned>(random_.between(1, 60));
    for (std::size_t times = random_.between(1, 10); times != 0; --times) act();
    turn();
    const std::uint64_t in_progress = loop_->metrics().in_progress;
    check(in_progress < 2000, "requests that are gone do not count as in progress");
  }
  turn_steps_ = 0;
  throws_ = false;
  ending_ = true;
  if (broken_.empty()) {
    switch (random_.below(4)) {
      case 0:
        end_loop_first();
        break;
      case 1:
        end_by_cancelling();
        [[fallthrough]];
      default:
        end_objects_first();
        break;
    }
  }
  check(!LooseBuffers::was_written_late(), "nobody writes into buffers of a request that is gone");
  // After a broken rule the objects go anyhow.
  destroy_everything();
  loop_gone_ = true;
  loop_.reset();
  return broken_;
}

// ---- ends ----

void DestructionWorld::destroy_everything() {
  for (std::size_t left = 200; left != 0; --left) {
    switch (random_.below(6)) {
      case 0:
        destroy_job();
        break;
      case 4:
        destroy_datagram();
        break;
      case 1:
        destroy_stream();
        break;
      case 2:
        destroy_queue();
        break;
      case 3:
        destroy_listener();
        break;
      default:
        release_hold();
        break;
    }
  }
  for (auto& job : jobs_) job.reset();
  for (Stream& stream : streams_) stream = Stream();
  for (Datagram& datagram : datagrams_) datagram = Datagram();
  // What was received may outlive everything.
  kept_ = {};
  for (Queue& queue : queues_) queue = Queue();
  for (QueueHold& hold : holds_) hold.release();
  for (Listener& listener : listeners_) listener = Listener();
}

void DestructionWorld::end_loop_first() {
  turn_steps_ = 100;
  loop_gone_ = true;
  {
    const Call call(*this);
    loop_.reset();
  }
  for (const auto& job : jobs_) {
    if (job == nullptr) continue;
    std::visit(
        [this]<class R>(R& request) {
          if constexpr (!std::is_same_v<R, std::monostate>)
            check(!request.is_in_progress(), "nothing is in progress when the Loop is gone");
        },
        job->request);
  }
  for (const Stream& stream : streams_) check(!stream.is_open(), "no stream is open when the Loop is gone");
  for (const Datagram& datagram : datagrams_)
    check(!datagram.is_open(), "no datagram socket is open when the Loop is gone");
  destroy_everything();
  check(detached_ == 0, "detached requests go with the Loop");
}

// Turns until it is done, or for some seconds.
bool DestructionWorld::drain(const std::function<bool()>& done) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!done() && std::chrono::steady_clock::now() < limit) {
    run_guarded([this] { loop_->run_once(); });
  }
  return done();
}

void DestructionWorld::end_by_cancelling() {
  for (QueueHold& hold : holds_) hold.release();
  for (Queue& queue : queues_) queue.start();
  for (const auto& job : jobs_) {
    if (job == nullptr) continue;
    std::visit(
        []<class R>(R& request) {
          if constexpr (!std::is_same_v<R, std::monostate>) {
            request.cancel();
            request.set_timeout(std::chrono::nanoseconds::zero());
          }
        },
        job->request);
  }
  const auto is_over = [](const std::unique_ptr<Job>& job) {
    return job == nullptr || std::visit(
                                 []<class R>(const R& request) {
                                   if constexpr (std::is_same_v<R, std::monostate>) {
                                     return true;
                                   } else {
                                     return !request.is_in_progress();
                                   }
                                 },
                                 job->request);
  };
  check(drain([&] { return std::all_of(jobs_.begin(), jobs_.end(), is_over); }),
        "a request that was cancelled and timed out completes");
  // A callback that was set late is due on a later turn.
  const auto was_told = [](const std::unique_ptr<Job>& job) {
    return job == nullptr || job->request.index() == 0 || job->completed || !job->callback;
  };
  check(drain([&] { return std::all_of(jobs_.begin(), jobs_.end(), was_told); }),
        "a request that is neither destroyed nor detached completes");
}

void DestructionWorld::end_objects_first() {
  destroy_everything();
  check(drain([this] { return loop_->metrics().in_progress == 0; }),
        "nothing is in progress when everything is gone");
  if (!broken_.empty()) {
    std::ostringstream out;
    loop_->dump(out);
    broken_ += '\n' + out.str();
  }
  check(drain([this] { return loop_->core().live_blocks() == 0; }),
        "no memory is out when everything is gone");
  check(loop_->metrics().deadlines == 0, "no deadline is armed when everything is gone");
  check(detached_ == 0, "every detached request completes");
  check(traces_.empty(), "every request that started was delivered or abandoned");
}

}  // namespace tsock::test

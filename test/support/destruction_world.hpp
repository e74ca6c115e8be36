#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tsock/tsock.hpp>
#include <type_traits>
#include <unordered_map>
#include <variant>
#include <vector>

#include "support/loose_buffers.hpp"
#include "support/random.hpp"

namespace tsock::test {

/// What callbacks of the world throw now and then.
class WorldError : public std::runtime_error {
 public:
  WorldError() : std::runtime_error("thrown by a callback") {}
};

/// A loop with streams, datagram sockets, listeners, queues and requests of every kind, on which a random
/// driver acts: from outside and in every piece of code that the library calls, down to destructors of what
/// callbacks captured. Each act may destroy, move, cancel, replace, restart or time out any object, the one
/// that is being called for and the loop included; some of what was made on the loop before outlives it.
///
/// The world knows no model of what operations do; it watches the rules that hold for all of them.
class DestructionWorld {
 public:
  /// Which layers are put on streams and listeners.
  enum class Layers : std::uint8_t { none, toys, tls, gssapi, sasl, npa };

  DestructionWorld(std::uint64_t seed, std::uint64_t steps, Layers layers = Layers::none);
  DestructionWorld(const DestructionWorld&) = delete;
  DestructionWorld& operator=(const DestructionWorld&) = delete;
  ~DestructionWorld();

  /// Acts as often as the world has steps, then ends everything. \return the first rule that was broken, or
  /// "".
  std::string run();

 private:
  friend class WorldFloors;
  friend class WorldOperation;
  struct TlsContexts;

  // Each type is there once: ssize_t is int where a process has 32 bits.
  using RequestOfInt = std::conditional_t<std::is_same_v<int, ssize_t>, Request<std::int16_t>, Request<int>>;
  using AnyRequest = std::variant<std::monostate, Request<ssize_t>, Request<Pdu>, Request<Stream>,
                                  Request<void>, Request<QueueHold>, RequestOfInt, Request<ReceivedDatagram>,
                                  Request<ReceivedInto>, Request<std::vector<ReceivedDatagram>>>;

  /// A request with what belongs to it. The buffers outlive the request by nothing.
  struct Job {
    std::uint64_t id = 0;
    unsigned version = 0;   // of the callback that is set now
    bool callback = false;  // whether one is set
    bool completed = false;
    bool received = false;  // whether it was called
    bool endless = false;   // completes only when somebody ends it
    LooseBuffers buffers;
    AnyRequest request;
  };

  /// Acts when it is destroyed, now and then; callbacks capture it.
  class Capture {
   public:
    explicit Capture(DestructionWorld& world) noexcept : world_(&world) {}
    Capture(Capture&& other) noexcept : world_(std::exchange(other.world_, nullptr)) {}
    Capture& operator=(Capture&&) = delete;
    Capture(const Capture&) = delete;
    Capture& operator=(const Capture&) = delete;
    ~Capture() {
      if (world_ != nullptr) world_->captured_goes();
    }

   private:
    DestructionWorld* world_;
  };

  /// What a detached request's callback owns; sees that it is called before it is dropped.
  class DetachedCall {
   public:
    /// \param dropped whether the result was fetched already or the loop is gone, so that nothing is called
    DetachedCall(DestructionWorld& world, LooseBuffers buffers, bool dropped) noexcept
        : world_(&world),
          buffers_(std::move(buffers)),
          capture_(world),
          loops_(world.loops_),
          called_(dropped) {
      ++world.detached_;
    }
    DetachedCall(DetachedCall&& other) noexcept
        : world_(std::exchange(other.world_, nullptr)),
          buffers_(std::move(other.buffers_)),
          capture_(std::move(other.capture_)),
          loops_(other.loops_),
          called_(other.called_) {}
    DetachedCall& operator=(DetachedCall&&) = delete;
    DetachedCall(const DetachedCall&) = delete;
    DetachedCall& operator=(const DetachedCall&) = delete;
    ~DetachedCall();
    template <class T>
    void operator()(Request<T>& request);

   private:
    DestructionWorld* world_;
    LooseBuffers buffers_;
    Capture capture_;
    unsigned loops_;
    bool called_ = false;
  };

  /// Marks that a call of the library runs: nothing may complete inside it.
  class Call {
   public:
    explicit Call(DestructionWorld& world) noexcept : world_(world) { ++world_.calls_; }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call() { --world_.calls_; }

   private:
    DestructionWorld& world_;
  };

  using Act = void (DestructionWorld::*)();
  struct WeightedAct {
    std::size_t weight;
    Act act;
  };
  static std::vector<WeightedAct> acts();
  static std::vector<WeightedAct> layer_acts();

  // The rules.
  void check(bool holds, const char* rule);
  void check_callback(const char* rule);
  void trace(const TraceEvent& event);

  // Being called by the library.
  void act();
  void act_some();
  void captured_goes();
  void throw_sometimes();
  template <class T>
  void completed(std::uint64_t id, unsigned version, Request<T>& request);
  template <class T>
  void take_result(Request<T>& request);

  // Jobs.
  std::unique_ptr<Job>& any_slot();
  Job* any_job();
  Job* find_job(std::uint64_t id);
  template <class T>
  void set_callback(Job& job, Request<T>& request);
  template <class Make>
  void start(LooseBuffers buffers, Make make, bool endless = false);
  void place(Stream stream);
  void place(Datagram datagram);
  void keep(ReceivedDatagram datagram);
  Stream& any_stream() { return streams_[random_.below(streams_.size())]; }
  Datagram& any_datagram() { return datagrams_[random_.below(datagrams_.size())]; }
  Address any_destination();
  Queue& any_queue() { return queues_[random_.below(queues_.size())]; }
  Listener& any_listener() { return listeners_[random_.below(listeners_.size())]; }
  LooseBuffers message();
  LooseBuffers room();
  std::chrono::nanoseconds short_time();
  Framing any_framing();
  void make_listener(std::size_t slot);
  void watch(Stream& stream);
  void accept_all(Listener& listener);
  void replace_listener(std::size_t slot, Listener made);
  void prepare_layers();
  Request<Stream> layer(Stream below, bool is_client);
  std::optional<Request<Stream>> part_layer(Stream& below, bool is_client);
  std::pair<Stream, Stream> fresh_pair();

  // Acts.
  void make_memory_pair();
  void make_socketpair();
  void make_memory_datagrams();
  void make_udp();
  void make_unix_datagrams();
  void start_recvfrom();
  void start_recvfrom_into();
  void start_recv_many();
  void start_sendto();
  void start_sendto_in_queue();
  void start_send_many();
  void start_datagram_disconnect();
  void destroy_datagram();
  void move_datagram();
  void ask_datagram();
  void renew_queue();
  void renew_listener();
  void start_layered_pair();
  void start_layer();
  void start_layered_connect();
  void make_layer_listener();
  void start_accept();
  void start_connect();
  void start_readv();
  void start_read_some();
  void start_pdu();
  void start_pdu_in_queue();
  void start_next_vector();
  void start_write();
  void start_write_in_queue();
  void start_huge_write();
  void start_write_with_fds();
  void start_disconnect();
  void start_monitor();
  void start_shutdown();
  void start_shutdown_in_queue();
  void start_sleep();
  void start_signal();
  void start_hold();
  void start_submit();
  void start_operation();
  void post();
  void cancel_job();
  void destroy_job();
  void detach_job();
  void move_job();
  void replace_callback();
  void time_out_job();
  void fetch_result();
  void destroy_stream();
  void move_stream();
  void abort_stream();
  void set_watermarks();
  void set_options();
  void ask_stream();
  void release_and_adopt();
  void destroy_queue();
  void move_queue();
  void stop_queue();
  void start_queue();
  void release_hold();
  void destroy_listener();
  void move_listener();
  void dump();
  void stop_loop();
  void renew_loop();
  void make_loop();

  // Turns, from outside only.
  void turn();
  void run_guarded(const std::function<void()>& run);
  void wait_for_job();

  // Ends.
  void end_loop_first();
  void end_objects_first();
  void end_by_cancelling();
  void destroy_everything();
  bool drain(const std::function<bool()>& done);

  Random random_;
  std::uint64_t steps_;
  Layers layers_;
  std::vector<WeightedAct> acts_;
  std::size_t weight_of_acts_ = 0;
  std::shared_ptr<const TlsContexts> tls_;
  std::uint64_t last_id_ = 0;
  std::string broken_;
  unsigned calls_ = 0;       // calls of the library on the stack, see Call
  unsigned depth_ = 0;       // acts on the stack
  unsigned turn_steps_ = 0;  // acts that callbacks may still do in this turn
  bool in_turn_ = false;
  bool loop_gone_ = false;
  unsigned loops_ = 0;  // that were made
  bool throws_ = false;
  bool ending_ = false;  // results are dropped from now on
  bool traced_ = false;
  std::uint64_t detached_ = 0;
  std::map<std::uint64_t, TraceKind> traces_;

  std::unique_ptr<Loop> loop_;
  std::array<std::unique_ptr<Job>, 40> jobs_;
  std::array<Stream, 10> streams_;
  std::array<Datagram, 8> datagrams_;
  std::array<ReceivedDatagram, 6> kept_;
  std::array<Queue, 5> queues_;
  std::array<QueueHold, 4> holds_;
  std::array<Listener, 3> listeners_;
};

}  // namespace tsock::test

// How a DestructionWorld starts requests and is told of their end; for its own sources.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/loop/loop_core.hpp"
#include "support/destruction_world.hpp"

namespace tsock::test {

template <class T>
void DestructionWorld::completed(std::uint64_t id, unsigned version, Request<T>& request) {
  check_callback("a request completes from the loop, never inside a call");
  Job* const job = find_job(id);
  check(job != nullptr, "a destroyed request is not called back");
  if (job == nullptr) return;
  check(job->version == version && job->callback, "a replaced callback is not called");
  check(!job->completed, "a request completes once");
  check(std::get_if<Request<T>>(&job->request) == &request,
        "a callback gets the handle, wherever it was moved to");
  check(!request.is_in_progress(), "a request in its callback is over");
  job->completed = true;
  if (random_.one_in(2)) take_result(request);
  act_some();
  throw_sometimes();
}

template <class T>
void DestructionWorld::take_result(Request<T>& request) {
  int err = 0;
  if constexpr (std::is_void_v<T>) {
    request.recv(err);
  } else {
    T value = request.recv(err);
    if (ending_) return;
    if constexpr (std::is_same_v<T, Stream>) {
      place(std::move(value));
    } else if constexpr (std::is_same_v<T, QueueHold>) {
      QueueHold old = std::exchange(holds_[random_.below(holds_.size())], std::move(value));
      const Call call(*this);
      old.release();
    } else if constexpr (std::is_same_v<T, ReceivedDatagram>) {
      keep(std::move(value));
    } else if constexpr (std::is_same_v<T, std::vector<ReceivedDatagram>>) {
      for (ReceivedDatagram& datagram : value) keep(std::move(datagram));
    }
  }
}

template <class T>
void DestructionWorld::set_callback(Job& job, Request<T>& request) {
  job.callback = request.state() == nullptr || request.state()->can_call_back();
  const unsigned version = ++job.version;
  const std::uint64_t id = job.id;
  const Call call(*this);
  if (random_.one_in(2)) {
    request.set_callback(
        [this, id, version, capture = Capture(*this)](Request<T>& ended) { completed(id, version, ended); });
  } else {
    // Too large to be kept inline.
    const std::array<std::byte, 64> ballast{};
    request.set_callback([this, id, version, ballast, capture = Capture(*this)](Request<T>& ended) {
      static_cast<void>(ballast);
      completed(id, version, ended);
    });
  }
}

// `make` is given the vectors of the buffers.
template <class Make>
void DestructionWorld::start(LooseBuffers buffers, Make make, bool endless) {
  auto job = std::make_unique<Job>();
  job->endless = endless;
  job->id = ++last_id_;
  job->buffers = std::move(buffers);
  {
    const Call call(*this);
    job->request = make(job->buffers.vectors());
  }
  std::visit(
      [this, &job]<class R>(R& request) {
        if constexpr (!std::is_same_v<R, std::monostate>) {
          if (!request) return;
          check(request.is_in_progress() || request.state()->core().is_closed(),
                "a request is in progress when the call that started it returns");
          if (!random_.one_in(8)) set_callback(*job, request);
          if (random_.one_in(10)) request.set_timeout(short_time());
        }
      },
      job->request);
  std::unique_ptr<Job> old = std::exchange(any_slot(), std::move(job));
  const Call call(*this);
  old.reset();
}

}  // namespace tsock::test

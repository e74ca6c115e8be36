#include <algorithm>
#include <cerrno>
#include <memory>
#include <new>
#include <tsock/child_process.hpp>
#include <tsock/loop.hpp>
#include <tsock/operation.hpp>
#include <tsock/worker.hpp>
#include <utility>

#include "uv/child_watch.hpp"
#include "uv/loop_impl.hpp"
#include "uv/os/child.hpp"
#include "uv/pipe_pair_stream.hpp"

namespace tsock::inline v0 {

namespace {

bool is_text(const std::string& text) { return text.find('\0') == std::string::npos; }

const char* fault_of(const SpawnOptions& options) {
  if (options.program.empty()) return "no program is given";
  const auto& variables = options.environment;
  if (!is_text(options.program) || !is_text(options.directory) || !is_text(options.error_file) ||
      !std::all_of(options.arguments.begin(), options.arguments.end(), is_text) ||
      (variables && !std::all_of(variables->begin(), variables->end(), is_text)))
    return "a text contains NUL";
  const auto has_name = [](const std::string& one) { return one.find('=', 1) != std::string::npos; };
  if (variables && !std::all_of(variables->begin(), variables->end(), has_name))
    return "a variable of the environment is not NAME=value";
  return nullptr;
}

Stream stream_over_pipe(Loop& loop, UniqueFd fd, int& err) {
  detail::LoopImpl& impl = detail::impl_of(loop.core());
  auto pipe = std::make_unique<detail::PipeStream>(impl, detail::PipeStream::Source{.fd = std::move(fd)});
  err = pipe->open();
  if (err != 0) return {};
  return Stream(loop, std::move(pipe));
}

Stream stream_over_pipes(Loop& loop, UniqueFd reading, UniqueFd writing, int& err) {
  detail::LoopImpl& impl = detail::impl_of(loop.core());
  auto pipes = std::make_unique<detail::PipePairStream>(impl, std::move(reading), std::move(writing));
  err = pipes->open();
  if (err != 0) return {};
  return Stream(loop, std::move(pipes));
}

class Spawn final : public Operation<ChildProcess> {
 public:
  static constexpr const char* name = "spawn";

  Spawn(CallSite site, SpawnOptions options) : site_(site), options_(std::move(options)) {}

  void start() override {
    if (const char* const fault = fault_of(options_); fault != nullptr) {
      error(EINVAL, fault);
      return;
    }
    starting_ = run_on_worker(detail::LoopHere(loop(), site_),
                              [options = std::move(options_)] { return os::start_child(options); });
    starting_.set_callback([this](Request<os::StartedChild>& request) {
      int err = 0;
      os::StartedChild started = request.recv(err);
      if (err != 0) {
        error(err, request.reason());
      } else if (started.err != 0) {
        error(started.err, started.reason);
      } else {
        take(started);
      }
    });
  }

 private:
  void take(os::StartedChild& started) {
    int err = 0;
    try {
      Stream stream;
      if (started.socket) stream = Stream::adopt(loop(), started.socket, {}, err);
      if (started.input && err == 0)
        stream = stream_over_pipes(loop(), std::move(started.output), std::move(started.input), err);
      Stream errors;
      if (started.errors && err == 0) errors = stream_over_pipe(loop(), std::move(started.errors), err);
      if (error(err)) return;
      const int pid = started.child.pid();
      auto* const watch = detail::ChildWatch::make(detail::impl_of(loop().core()), started, err);
      if (!error(err)) done(ChildProcess(*watch, pid, std::move(stream), std::move(errors)));
    } catch (const std::bad_alloc&) {
      error(ENOMEM);
    }
  }

  CallSite site_;
  SpawnOptions options_;
  Request<os::StartedChild> starting_;
};

}  // namespace

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    ChildProcess old(std::move(*this));
    watch_ = std::exchange(other.watch_, nullptr);
    pid_ = std::exchange(other.pid_, -1);
    stream_ = std::move(other.stream_);
    errors_ = std::move(other.errors_);
  }
  return *this;
}

ChildProcess::~ChildProcess() {
  if (watch_ != nullptr) watch_->let_go();
}

bool ChildProcess::is_running() const noexcept { return watch_ != nullptr && watch_->is_running(); }

Request<ExitStatus> ChildProcess::wait_for_exit(CallSite site) {
  if (watch_ == nullptr) return {};
  auto* const state = detail::make_state<detail::ExitState>(watch_->core(), site);
  Request<ExitStatus> request(state);
  if (state->is_unfinished()) watch_->add(*state);
  return request;
}

int ChildProcess::kill(int signum) noexcept { return watch_ != nullptr ? watch_->kill(signum) : ESRCH; }

Request<ChildProcess> spawn(Loop& loop, SpawnOptions options, CallSite site) {
  return make_request<Spawn>(detail::LoopHere(loop, site), site, std::move(options));
}

}  // namespace tsock::inline v0

#include "core/insight/inspect_session.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <span>
#include <sstream>
#include <tsock/loop.hpp>
#include <tsock/metrics_text.hpp>
#include <utility>

namespace tsock::inline v0::detail {

namespace {

constexpr std::string_view help_text =
    "dump [json]         requests in progress\n"
    "metrics [json]      counters, and times of callbacks while these are measured\n"
    "trace N [seconds]   trace of N seconds for ui.perfetto.dev; then the connection ends\n"
    "callbacks on|off    measure how long callbacks hold the loop\n"
    "help\n"
    "quit\n";

std::string dump_of(const Loop& loop, bool as_json) {
  std::ostringstream out;
  if (as_json) {
    loop.dump_json(out);
  } else {
    loop.dump(out);
  }
  return std::move(out).str();
}

}  // namespace

InspectSession::InspectSession(Stream stream, const InspectOptions& options, CallSite site)
    : stream_(std::move(stream)), options_(options), site_(site) {}

// A daemon that is short of memory loses the one who looks, not its life.
template <class F>
void InspectSession::or_over(F step) {
  try {
    step();
  } catch (const std::bad_alloc&) {
    end();
  }
}

void InspectSession::go_on() {
  or_over([this] {
    std::string_view line;
    if (take_line(line)) {
      answer(line);
    } else if (at_end_) {
      end();
    } else {
      read();
    }
  });
}

// The last line need not have a line feed.
bool InspectSession::take_line(std::string_view& line) {
  std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(used_),
            buffer_.begin() + static_cast<std::ptrdiff_t>(filled_), buffer_.begin());
  filled_ -= std::exchange(used_, 0);
  const std::string_view text(reinterpret_cast<const char*>(buffer_.data()), filled_);
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos && (!at_end_ || text.empty())) return false;
  line = text.substr(0, end);
  used_ = end != std::string_view::npos ? end + 1 : text.size();
  return true;
}

void InspectSession::read() {
  if (filled_ == buffer_.size()) {
    ends_ = true;
    write("error: the line is too long\n");
    return;
  }
  Request<ssize_t> request = stream_.read_some(std::span(buffer_).subspan(filled_), site_);
  request.set_timeout(options_.silence);
  reading_.start(std::move(request), [this](Request<ssize_t>& done) { on_read(done); });
}

void InspectSession::on_read(Request<ssize_t>& request) {
  int err = 0;
  const ssize_t count = request.recv(err);
  if (err == 0) {
    filled_ += static_cast<std::size_t>(count);
  } else if (err == EPIPE) {
    at_end_ = true;
  } else {
    end();
    return;
  }
  go_on();
}

void InspectSession::answer(std::string_view line) {
  using Kind = InspectCommand::Kind;
  Loop& loop = stream_.loop();
  const InspectCommand command = read_inspect_command(line);
  switch (command.kind) {
    case Kind::none:
      write("\n");
      break;
    case Kind::unknown:
      write("error: not a command; \"help\" lists them\n");
      break;
    case Kind::help:
      write(std::string(help_text) + '\n');
      break;
    case Kind::dump:
      write(dump_of(loop, command.as_json) + '\n');
      break;
    case Kind::metrics:
      write((command.as_json ? metrics_json(loop) : metrics_text(loop)) + '\n');
      break;
    case Kind::trace:
      trace(command.duration);
      break;
    case Kind::callbacks_on:
      loop.start_callback_timing();
      write("callbacks are measured\n\n");
      break;
    case Kind::callbacks_off:
      loop.stop_callback_timing();
      write("callbacks are not measured\n\n");
      break;
    case Kind::quit:
      end();
      break;
  }
}

void InspectSession::write(std::string text) {
  Request<ssize_t> request = stream_.write(std::move(text), site_);
  request.set_timeout(options_.silence);
  writing_.start(std::move(request), [this](Request<ssize_t>& done) {
    int err = 0;
    done.recv(err);
    if (err != 0 || ends_) {
      end();
    } else {
      go_on();
    }
  });
}

void InspectSession::trace(std::chrono::seconds duration) {
  if (duration > options_.longest_trace) {
    write("error: at most " + std::to_string(options_.longest_trace.count()) + " seconds\n");
    return;
  }
  pause_.start(stream_.loop().sleep(duration, site_),
               [this](Request<void>& /*request*/) { or_over([this] { stop_trace(); }); });
  trace_ = TraceWriter(std::move(stream_));
}

void InspectSession::stop_trace() {
  Request<void> request = trace_.stop(site_);
  request.set_timeout(options_.silence);
  stopping_.start(std::move(request), [this](Request<void>& /*request*/) { end(); });
}

void InspectSession::end() {
  // The function destroys this, and itself with it.
  const std::function<void()> over = std::move(over_);
  over();
}

}  // namespace tsock::inline v0::detail

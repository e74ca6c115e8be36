#include "inspector.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <iostream>
#include <span>
#include <tsock/framing.hpp>
#include <tsock/stdio_stream.hpp>
#include <utility>

namespace tsock_cat {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t longest_dump = std::size_t{256} << 20;
constexpr std::string_view error_begin = "error: ";
constexpr auto longest_silence = 10s;

// Of standard output.
int flush_error() {
  if (std::cout.flush()) return 0;
  return errno != 0 ? errno : EIO;
}

std::string command_of(const Options& options) {
  std::string command;
  for (const std::string& word : options.words) command += (command.empty() ? "" : " ") + word;
  if (command.empty()) command = "dump";
  if (options.json && (command == "dump" || command == "metrics")) command += " json";
  return command;
}

}  // namespace

Inspector::Inspector(tsock::Loop& loop, const Options& options, Report& report)
    : loop_(loop), options_(options), report_(report), view_(options.inspect->text) {}

Inspector::~Inspector() = default;

ExitCode Inspector::run() {
  watch_signal(SIGINT, interrupt_);
  watch_signal(SIGTERM, terminate_);
  connecting_ = tsock::Stream::connect(loop_, options_.inspect->unix_address);
  connecting_.set_timeout(options_.connect_timeout.value_or(10s));
  connecting_.set_callback([this](tsock::Request<tsock::Stream>& request) {
    int err = 0;
    stream_ = request.recv(err);
    if (err == 0) return connected();
    fail(err == ETIMEDOUT ? ExitCode::timeout : ExitCode::connect, "connect to " + options_.inspect->text,
         err);
  });
  loop_.run();
  terminal_ = nullptr;
  return code_;
}

void Inspector::watch_signal(int signum, tsock::Request<int>& request) {
  request = loop_.signal(signum);
  request.set_callback([this](tsock::Request<int>& /*request*/) { end(ExitCode::interrupted); });
}

void Inspector::connected() {
  const bool shows_screen = options_.words.empty() && !options_.json && Terminal::is_there();
  if (shows_screen) return watch();
  ask(command_of(options_));
  asking_.set_callback([this](tsock::Request<ssize_t>& request) {
    int err = 0;
    request.recv(err);
    if (err == 0) stream_.shutdown_write().detach();
  });
  copy_answer();
}

void Inspector::ask(std::string_view command) {
  question_ = std::string(command) + '\n';
  asking_ = stream_.write(question_);
}

void Inspector::copy_answer() {
  reading_ = stream_.read_some(buffer_);
  // An answer that has begun may pause, as a trace does.
  if (!is_begun_ && held_.empty()) reading_.set_timeout(options_.idle_timeout.value_or(longest_silence));
  reading_.set_callback([this](tsock::Request<ssize_t>& request) {
    int err = 0;
    const ssize_t count = request.recv(err);
    if (err == EPIPE) return end_of_answer();
    if (err == ETIMEDOUT) return fail_silent();
    if (err != 0) return fail(ExitCode::reset, "read from " + options_.inspect->text, err);
    errno = 0;
    print({reinterpret_cast<const char*>(buffer_.data()), static_cast<std::size_t>(count)});
    if (const int failed = flush_error(); failed != 0)
      return fail(ExitCode::local_io, "write to standard output", failed);
    copy_answer();
  });
}

// Text answers end with an empty line, which is for programs; an error goes to the report.
void Inspector::print(std::string_view text) {
  held_ += text;
  const std::string_view begin = std::string_view(held_).substr(0, error_begin.size());
  if (!is_begun_ && error_begin.starts_with(begin)) return;
  is_begun_ = true;
  const std::size_t keep = held_.ends_with("\n\n") ? 2 : held_.ends_with('\n') ? 1 : 0;
  std::cout << std::string_view(held_).substr(0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
}

void Inspector::end_of_answer() {
  if (!is_begun_ && held_.starts_with(error_begin)) {
    while (held_.ends_with('\n')) held_.pop_back();
    return fail(ExitCode::usage, options_.inspect->text + ": " + held_.substr(error_begin.size()), 0);
  }
  if (!is_begun_ && held_.empty())
    return fail(ExitCode::reset,
                options_.inspect->text +
                    " has ended the connection: who listens there has not called tsock::inspect(), or has "
                    "too many clients",
                0);
  errno = 0;
  std::cout << (held_ == "\n\n" ? "\n" : held_);
  if (const int failed = flush_error(); failed != 0)
    return fail(ExitCode::local_io, "write to standard output", failed);
  end(ExitCode::ok);
}

void Inspector::watch() {
  terminal_ = std::make_unique<Terminal>();
  if (terminal_->has_keys()) {
    int err = 0;
    keys_ = tsock::open_stdio(loop_, 0, err);
    if (err == 0) read_key();
  }
  refresh();
}

void Inspector::refresh() {
  count_silence(0s);
  if (std::exchange(toggles_callbacks_, false)) {
    ask(view_.times_callbacks() ? "callbacks off" : "callbacks on");
    // The answer is a line and an empty one.
    dump_ = stream_.readv_pdu(tsock::framing::delimiter{.end = "\n\n", .max_body = 4096});
    dump_.set_callback([this](tsock::Request<tsock::Pdu>& request) {
      int err = 0;
      static_cast<void>(request.recv(err));
      if (err != 0) return fail(ExitCode::reset, "read from " + options_.inspect->text, err);
      refresh();
    });
    return;
  }
  ask("dump json");
  dump_ = stream_.readv_pdu(tsock::framing::line{.max_body = longest_dump});
  dump_.set_callback([this](tsock::Request<tsock::Pdu>& request) { on_dump(request); });
}

// A daemon whose loop is held answers later: until then the screen says so.
void Inspector::count_silence(std::chrono::seconds so_far) {
  view_.set_silence(so_far);
  if (so_far != 0s) draw();
  silence_ = loop_.sleep(1s);
  silence_.set_callback([this, so_far](tsock::Request<void>& /*request*/) {
    if (options_.idle_timeout && so_far + 1s >= *options_.idle_timeout) return fail_silent();
    count_silence(so_far + 1s);
  });
}

void Inspector::fail_silent() {
  fail(ExitCode::timeout,
       options_.inspect->text +
           " does not answer: a callback holds the daemon's loop, or the daemon is stopped",
       0);
}

void Inspector::on_dump(tsock::Request<tsock::Pdu>& request) {
  int err = 0;
  const tsock::Pdu pdu = request.recv(err);
  if (err != 0) return fail(ExitCode::reset, "read from " + options_.inspect->text, err);
  const std::string_view json(reinterpret_cast<const char*>(pdu.body().data()), pdu.body().size());
  silence_ = tsock::Request<void>();
  if (!view_.take(json, std::chrono::steady_clock::now()))
    return fail(ExitCode::reset, options_.inspect->text + " is not the inspection of a tsock daemon", 0);
  show();
}

void Inspector::draw() {
  const Terminal::Size size = terminal_->size();
  if (!terminal_->show(view_.lines(size.rows, size.columns))) end(ExitCode::local_io);
}

void Inspector::show() {
  draw();
  pause_ = loop_.sleep(options_.stats_interval.value_or(1s));
  pause_.set_callback([this](tsock::Request<void>& /*request*/) { refresh(); });
}

void Inspector::read_key() {
  key_reading_ = keys_.read(key_);
  key_reading_.set_callback([this](tsock::Request<ssize_t>& request) {
    int err = 0;
    request.recv(err);
    if (err != 0) return;
    const char key = static_cast<char>(key_[0]);
    if (key == 'q') return end(ExitCode::ok);
    if (key == 'c') toggles_callbacks_ = true;
    // Another look at once, if none is on its way.
    if (pause_.is_in_progress()) {
      pause_ = tsock::Request<void>();
      refresh();
    }
    read_key();
  });
}

// The other screen goes first: what is said belongs on the usual one.
void Inspector::fail(ExitCode code, std::string what, int err) {
  terminal_ = nullptr;
  Failure failure;
  failure.code = code;
  if (code == ExitCode::timeout) failure.limit = err == ETIMEDOUT ? "connect" : "idle";
  failure.what = std::move(what);
  failure.err = err;
  report_.failed(failure);
  end(code);
}

void Inspector::end(ExitCode code) {
  code_ = code;
  loop_.stop();
}

}  // namespace tsock_cat

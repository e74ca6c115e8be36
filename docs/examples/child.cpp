// Another program as a stream: sorts lines, and tells how the program has ended.
#include <chrono>
#include <cstdio>
#include <string>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

class Sorting {
 public:
  explicit Sorting(tsock::Loop& loop) {
    tsock::SpawnOptions options;
    options.program = "sort";
    options.arguments = {"-r"};
    options.environment = {"LC_ALL=C"};
    starting_ = tsock::spawn(loop, std::move(options));
    starting_.set_callback([this](auto& request) {
      int err = 0;
      sort_ = request.recv(err);
      if (err != 0) {
        std::fprintf(stderr, "%s\n", std::string(request.reason()).c_str());
        return;
      }
      feed();
    });
  }

 private:
  void feed() {
    sort_.stream().write("one\ntwo\nthree\n").detach();
    sort_.stream().shutdown_write().detach();  // the end of its input
    next_line();
  }

  void next_line() {
    line_ = sort_.stream().readv_pdu(tsock::framing::line{});
    line_.set_callback([this](auto& request) {
      int err = 0;
      const tsock::Pdu line = request.recv(err);
      if (err != 0) {  // EPIPE: the end of its output
        wait_for_exit();
        return;
      }
      std::fwrite(line.bytes().data(), 1, line.bytes().size(), stdout);
      next_line();
    });
  }

  void wait_for_exit() {
    exit_ = sort_.wait_for_exit();
    exit_.set_timeout(std::chrono::seconds(10));
    exit_.set_callback([this](auto& request) {
      int err = 0;
      const tsock::ExitStatus status = request.recv(err);
      if (err != 0) {
        sort_ = {};  // it took too long, and is killed
      } else {
        std::printf("code %d, signal %d\n", status.code, status.signal);
      }
    });
  }

  tsock::Request<tsock::ChildProcess> starting_;
  tsock::ChildProcess sort_;
  tsock::Request<tsock::Pdu> line_;
  tsock::Request<tsock::ExitStatus> exit_;
};

}  // namespace

int main() {
  tsock::Loop loop;
  const Sorting sorting(loop);
  loop.run();
  return 0;
}

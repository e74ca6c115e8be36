#include "contract/backends.hpp"

namespace tsock::test {

namespace {

const BackendsUnderTest& under_test() {
  static const BackendsUnderTest backends = backends_under_test();
  return backends;
}

std::vector<Backend> all_backends_and(const std::vector<Backend>& more) {
  std::vector<Backend> backends = all_backends();
  backends.insert(backends.end(), more.begin(), more.end());
  return backends;
}

std::vector<Backend> without_repetitions(std::vector<Backend> backends) {
  std::erase_if(backends, [](const Backend& backend) { return backend.repeats; });
  return backends;
}

}  // namespace

const std::vector<Backend>& all_backends() { return under_test().both_ways; }

const std::vector<Backend>& reading_backends() {
  static const std::vector<Backend> backends = all_backends_and(under_test().only_read);
  return backends;
}

const std::vector<Backend>& writing_backends() {
  static const std::vector<Backend> backends = all_backends_and(under_test().only_written);
  return backends;
}

const std::vector<Backend>& paths() {
  static const std::vector<Backend> backends = without_repetitions(all_backends());
  return backends;
}

const std::vector<Backend>& reading_paths() {
  static const std::vector<Backend> backends = without_repetitions(reading_backends());
  return backends;
}

const std::vector<Backend>& writing_paths() {
  static const std::vector<Backend> backends = without_repetitions(writing_backends());
  return backends;
}

}  // namespace tsock::test

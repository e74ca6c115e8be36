#pragma once

#include <tsock/operation.hpp>
#include <utility>
#include <vector>

namespace tsock::test {

/// What a ManualOperation tells the test.
template <class T>
class ManualOperation;

template <class T>
struct Remote {
  ManualOperation<T>* operation = nullptr;  ///< null once it is destroyed
  std::vector<Outcome> outcomes;
  int cleanup_error = -1;
  int cancels = 0;
  int destroyed = 0;
};

/// An operation that ends when the test says so.
template <class T>
class ManualOperation : public Operation<T> {
 public:
  static constexpr const char* name = "manual";
  explicit ManualOperation(Remote<T>& remote) : remote_(&remote) { remote_->operation = this; }
  ManualOperation(const ManualOperation&) = delete;
  ManualOperation& operator=(const ManualOperation&) = delete;
  ~ManualOperation() override {
    remote_->operation = nullptr;
    ++remote_->destroyed;
  }
  void start() override {}
  void cancel() override {
    ++remote_->cancels;
    Operation<T>::cancel();
  }
  void cleanup(Outcome outcome, int err) noexcept override {
    remote_->outcomes.push_back(outcome);
    remote_->cleanup_error = err;
  }
  using Operation<T>::done;
  using Operation<T>::error;
  using Operation<T>::progress;
  using Operation<T>::is_in_progress;
  using Operation<T>::loop;

 private:
  Remote<T>* remote_;
};

template <class T>
Request<T> make_manual(detail::LoopHere here, Remote<T>& remote) {
  return make_request<ManualOperation<T>>(here, remote);
}

}  // namespace tsock::test

#include <algorithm>
#include <cerrno>
#include <memory>
#include <new>
#include <string>
#include <tsock/connect_host.hpp>
#include <tsock/loop.hpp>
#include <tsock/operation.hpp>
#include <utility>

namespace tsock {

namespace {

// How much an error says about the host; see `connect_to_host()`.
int weight(int err) {
  switch (err) {
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
      return 0;
    case ETIMEDOUT:
      return 1;
    default:
      return 2;
  }
}

bool fits(const Address& address, const ConnectHostOptions& options) {
  if (options.family == AddressFamily::ipv4 && !address.is_ipv4()) return false;
  if (options.family == AddressFamily::ipv6 && !address.is_ipv6()) return false;
  const Address& local = options.connect.local;
  return local.is_empty() || local.is_any() || local.family() == address.family();
}

// Interleaves the address families, beginning with that of the first address (RFC 8305, section 4).
std::vector<Address> in_turn(std::vector<Address> addresses) {
  if (addresses.empty()) return addresses;
  const int first = addresses.front().family();
  std::stable_partition(addresses.begin(), addresses.end(),
                        [first](const Address& address) { return address.family() == first; });
  const auto border = std::find_if(addresses.begin(), addresses.end(),
                                   [first](const Address& address) { return address.family() != first; });
  std::vector<Address> mixed;
  mixed.reserve(addresses.size());
  for (auto left = addresses.begin(), right = border; left != border || right != addresses.end();) {
    if (left != border) mixed.push_back(*left++);
    if (right != addresses.end()) mixed.push_back(*right++);
  }
  return mixed;
}

class ConnectToHost final : public Operation<Stream> {
 public:
  static constexpr const char* name = "connect_to_host";

  ConnectToHost(CallSite site, std::string_view host, std::string_view service,
                const ConnectHostOptions& options)
      : site_(site), options_(options), host_(host), service_(service), by_name_(true) {}
  ConnectToHost(CallSite site, std::vector<Address> addresses, const ConnectHostOptions& options)
      : site_(site), options_(options), addresses_(std::move(addresses)) {}

  void start() override {
    // The timeout applies to the whole operation.
    options_.connect.timeout.reset();
    if (!by_name_) {
      begin();
      return;
    }
    or_no_memory([this] {
      resolving_ = resolve(loop(), host_, service_,
                           {.family = options_.family, .numeric_only = options_.numeric_only}, site_);
      resolving_.set_callback([this](Request<std::vector<Address>>& request) {
        int err = 0;
        addresses_ = request.recv(err);
        if (!error(err)) begin();
      });
    });
  }

 private:
  // An exception that leaves a callback would leave the request without an end.
  template <class F>
  void or_no_memory(F step) {
    try {
      step();
    } catch (const std::bad_alloc&) {
      error(ENOMEM);
    }
  }

  void begin() {
    or_no_memory([this] { begin_attempts(); });
  }

  void begin_attempts() {
    std::erase_if(addresses_, [this](const Address& address) { return !fits(address, options_); });
    addresses_ = in_turn(std::move(addresses_));
    if (addresses_.empty()) {
      error(ENXIO);
      return;
    }
    attempt_next();
  }

  void attempt_next() {
    delay_ = Request<void>();
    if (next_ == addresses_.size()) return;
    attempts_.push_back(std::make_unique<Request<Stream>>(
        Stream::connect(loop(), addresses_[next_++], options_.connect, site_)));
    attempts_.back()->set_callback([this](Request<Stream>& attempt) { ended(attempt); });
    if (next_ == addresses_.size()) return;
    delay_ = loop().sleep(options_.attempt_delay, site_);
    delay_.set_callback([this](Request<void>&) {
      if (is_in_progress()) or_no_memory([this] { attempt_next(); });
    });
  }

  void ended(Request<Stream>& attempt) {
    if (!is_in_progress()) return;
    int err = 0;
    Stream stream = attempt.recv(err);
    if (err == 0) {
      attempts_.clear();
      delay_ = Request<void>();
      done(std::move(stream));
      return;
    }
    if (error_ == 0 || weight(err) > weight(error_)) error_ = err;
    std::erase_if(attempts_, [&attempt](const auto& other) { return other.get() == &attempt; });
    if (next_ < addresses_.size()) {
      or_no_memory([this] { attempt_next(); });
    } else if (attempts_.empty()) {
      error(error_);
    }
  }

  CallSite site_;
  ConnectHostOptions options_;
  std::string host_;
  std::string service_;
  bool by_name_ = false;
  std::vector<Address> addresses_;
  std::size_t next_ = 0;
  int error_ = 0;
  Request<std::vector<Address>> resolving_;
  std::vector<std::unique_ptr<Request<Stream>>> attempts_;
  Request<void> delay_;
};

Request<Stream> with_timeout(Request<Stream> request, const ConnectHostOptions& options) {
  if (options.connect.timeout) request.set_timeout(*options.connect.timeout);
  return request;
}

}  // namespace

Request<Stream> connect_to_host(Loop& loop, OptionalText host, OptionalText service,
                                const ConnectHostOptions& options, CallSite site) {
  return with_timeout(
      make_request<ConnectToHost>(detail::LoopHere(loop, site), site, host.text(), service.text(), options),
      options);
}

Request<Stream> connect_to_host(Loop& loop, std::vector<Address> addresses, const ConnectHostOptions& options,
                                CallSite site) {
  return with_timeout(
      make_request<ConnectToHost>(detail::LoopHere(loop, site), site, std::move(addresses), options),
      options);
}

}  // namespace tsock

#include <cerrno>
#include <chrono>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <tsock/connect_host.hpp>
#include <tsock/loop.hpp>
#include <tsock/operation.hpp>
#include <utility>

namespace tsock::inline v0 {

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
std::vector<Address> in_turn(const std::vector<Address>& addresses) {
  std::vector<Address> of_first, others;
  for (const Address& address : addresses)
    (address.family() == addresses.front().family() ? of_first : others).push_back(address);
  std::vector<Address> mixed;
  mixed.reserve(addresses.size());
  for (std::size_t i = 0; mixed.size() != addresses.size(); ++i) {
    if (i < of_first.size()) mixed.push_back(of_first[i]);
    if (i < others.size()) mixed.push_back(others[i]);
  }
  return mixed;
}

/// Writes the caller's ConnectReport, if there is one.
class ReportWriter {
 public:
  explicit ReportWriter(ConnectReport* report) noexcept : report_(report) {}

  void begin() {
    began_ = Clock::now();
    if (report_ != nullptr) *report_ = {};
  }
  void begin_lookup() noexcept {
    if (report_ == nullptr) return;
    report_->lookup.emplace();
    report_->lookup_error = EINPROGRESS;
  }
  void end_lookup(int err) noexcept {
    if (report_ == nullptr || !report_->lookup) return;
    report_->lookup = now();
    report_->lookup_error = err;
  }
  void set_addresses(const std::vector<Address>& addresses) {
    if (report_ != nullptr) report_->addresses = addresses;
  }
  void begin_attempt(const Address& address) {
    if (report_ != nullptr)
      report_->attempts.push_back({.address = address, .started = now(), .error = EINPROGRESS});
  }
  void end_attempt(std::size_t index, int err, std::string_view reason) {
    if (report_ == nullptr) return;
    ConnectAttempt& attempt = report_->attempts[index];
    attempt.took = now() - attempt.started;
    attempt.error = err;
    attempt.reason = reason;
  }
  /// \param err what becomes of the parts in progress
  void end(int err) noexcept {
    if (report_ == nullptr) return;
    report_->took = now();
    if (report_->lookup_error == EINPROGRESS) end_lookup(err);
    for (ConnectAttempt& attempt : report_->attempts) {
      if (attempt.error != EINPROGRESS) continue;
      attempt.took = report_->took - attempt.started;
      attempt.error = err;
    }
  }

 private:
  using Clock = std::chrono::steady_clock;
  [[nodiscard]] std::chrono::nanoseconds now() const noexcept { return Clock::now() - began_; }

  ConnectReport* report_;
  Clock::time_point began_;
};

class ConnectToHost final : public Operation<Stream> {
 public:
  static constexpr const char* name = "connect_to_host";

  ConnectToHost(CallSite site, std::string_view host, std::string_view service,
                const ConnectHostOptions& options)
      : site_(site),
        options_(options),
        report_(options.report),
        host_(host),
        service_(service),
        by_name_(true) {}
  ConnectToHost(CallSite site, std::vector<Address> addresses, const ConnectHostOptions& options)
      : site_(site), options_(options), report_(options.report), addresses_(std::move(addresses)) {}

  void start() override {
    report_.begin();
    // The timeout applies to the whole operation.
    options_.connect.timeout.reset();
    if (!by_name_) {
      begin();
      return;
    }
    or_no_memory([this] {
      report_.begin_lookup();
      resolving_ = resolve(loop(), host_, service_,
                           {.family = options_.family, .numeric_only = options_.numeric_only}, site_);
      resolving_.set_callback([this](Request<std::vector<Address>>& request) {
        int err = 0;
        addresses_ = request.recv(err);
        report_.end_lookup(err);
        if (!error(err, request.reason())) begin();
      });
    });
  }

  void cleanup(Outcome outcome, int err) noexcept override {
    // The caller of an abandoned request need not have kept the report.
    if (outcome != Outcome::abandoned) report_.end(err != 0 ? err : ECANCELED);
  }

 private:
  /// An attempt in progress.
  struct Attempt {
    Request<Stream> request;
    std::size_t index;  // among all attempts
  };

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
    addresses_ = in_turn(addresses_);
    report_.set_addresses(addresses_);
    if (addresses_.empty()) {
      error(ENXIO);
      return;
    }
    attempt_next();
  }

  void attempt_next() {
    delay_ = Request<void>();
    if (next_ == addresses_.size()) return;
    const std::size_t index = next_++;
    report_.begin_attempt(addresses_[index]);
    attempts_.push_back(std::make_unique<Attempt>(
        Attempt{Stream::connect(loop(), addresses_[index], options_.connect, site_), index}));
    Attempt& attempt = *attempts_.back();
    attempt.request.set_callback([this, &attempt](Request<Stream>& /*request*/) { ended(attempt); });
    if (next_ == addresses_.size()) return;
    delay_ = loop().sleep(options_.attempt_delay, site_);
    delay_.set_callback([this](Request<void>&) {
      if (is_in_progress()) or_no_memory([this] { attempt_next(); });
    });
  }

  void ended(Attempt& attempt) {
    if (is_in_progress()) or_no_memory([this, &attempt] { take(attempt); });
  }

  void take(Attempt& attempt) {
    int err = 0;
    Stream stream = attempt.request.recv(err);
    report_.end_attempt(attempt.index, err, attempt.request.reason());
    if (err == 0) {
      attempts_.clear();
      delay_ = Request<void>();
      done(std::move(stream));
      return;
    }
    if (error_ == 0 || weight(err) > weight(error_)) {
      error_ = err;
      reason_ = attempt.request.reason();
    }
    std::erase_if(attempts_, [&attempt](const auto& other) { return other.get() == &attempt; });
    if (next_ < addresses_.size()) {
      attempt_next();
    } else if (attempts_.empty()) {
      error(error_, reason_);
    }
  }

  CallSite site_;
  ConnectHostOptions options_;
  ReportWriter report_;
  std::string host_;
  std::string service_;
  bool by_name_ = false;
  std::vector<Address> addresses_;
  std::size_t next_ = 0;
  int error_ = 0;
  std::string reason_;
  Request<std::vector<Address>> resolving_;
  std::vector<std::unique_ptr<Attempt>> attempts_;
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

}  // namespace tsock::inline v0

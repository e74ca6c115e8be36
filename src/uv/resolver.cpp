#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <new>
#include <optional>
#include <ostream>
#include <string>
#include <tsock/loop.hpp>
#include <tsock/resolver.hpp>
#include <utility>
#include <vector>

#include "core/base/address_text.hpp"
#include "uv/loop_impl.hpp"
#include "uv/os/name_lookup.hpp"

namespace tsock::inline v0 {

namespace detail {

namespace {

constexpr std::size_t longest_host = 255;
constexpr std::size_t longest_service = 63;

bool fits(const Address& address, AddressFamily family) {
  return family == AddressFamily::any ||
         (family == AddressFamily::ipv4 ? address.is_ipv4() : address.is_ipv6());
}

// Takes the brackets off "[v6]". Returns false for brackets around anything else.
template <class Text>
bool take_brackets(Text& host) {
  if (!host.starts_with('[')) return true;
  if (!host.ends_with(']') || host.find(':') == Text::npos) return false;
  host = host.substr(1, host.size() - 2);
  return true;
}

// Whether text that is not a numeric address may be looked up.
bool may_be_name(std::string_view host) noexcept {
  return host.find_first_of(":%") == std::string_view::npos && !has_blank(host) && !is_all_numbers(host);
}

// A port number; no value when the text is a service name. A name has a letter (RFC 6335): getaddrinfo(3)
// would take text without one, such as "-1" and "+80", for a number.
std::optional<std::uint16_t> parse_port(std::string_view text, int& err) {
  err = 0;
  if (text.empty()) return 0;
  if (!std::all_of(text.begin(), text.end(), is_digit)) {
    if (has_blank(text) || std::none_of(text.begin(), text.end(), is_letter)) err = EINVAL;
    return std::nullopt;
  }
  std::uint16_t port = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), port).ec != std::errc()) err = EINVAL;
  return port;
}

}  // namespace

/// Waits for the addresses of a name.
class ResolveState : public ResultState<std::vector<Address>> {
 public:
  ResolveState(LoopCore& core, std::string_view host, std::string_view service, const ResolveOptions& options,
               CallSite site)
      : ResultState(core, site), host_(host), service_(service), options_(options) {}
  [[nodiscard]] const char* name() const noexcept override { return "resolve"; }

  void start() {
    int err = 0;
    try {
      err = begin_lookup();
    } catch (const std::bad_alloc&) {
      err = ENOMEM;
    }
    if (err != 0) finish(err);
  }

  void interrupt(int err) override {
    abandon_lookup();
    finish(err);
  }

  void describe(std::ostream& out) const override { out << ", of " << host_ << " port " << service_; }

 private:
  /// What a worker thread asks the system; the thread owns it for as long as that takes.
  class Lookup final : public WorkerThreads::Job {
   public:
    explicit Lookup(ResolveState& user)
        : host_(user.host_), service_(user.service_), options_(user.options_), state_(&user) {}
    void work() noexcept override { addresses_ = os::look_up(host_, service_, options_, err_); }
    void done(std::unique_ptr<Job> /*self*/) noexcept override {
      if (state_ != nullptr) state_->complete(std::move(addresses_), err_);
    }
    void lost() noexcept override {
      if (state_ != nullptr) std::exchange(state_, nullptr)->complete({}, ECANCELED);
    }
    /// Called when no request waits for the lookup any more.
    void forget_state() noexcept { state_ = nullptr; }

   private:
    std::string host_;
    std::string service_;
    ResolveOptions options_;
    ResolveState* state_;  // used on the loop's thread only
    std::vector<Address> addresses_;
    int err_ = 0;
  };

  // Returns 0 also when the result is there already.
  int begin_lookup() {
    if (host_.size() > longest_host || service_.size() > longest_service) return ENAMETOOLONG;
    if (host_.find('\0') != std::string::npos || service_.find('\0') != std::string::npos) return EINVAL;
    int err = 0;
    const std::optional<std::uint16_t> port = parse_port(service_, err);
    if (err != 0) return err;
    if (port && host_.empty()) return finish_with_own_host(*port);
    if (!host_.empty()) {
      err = begin_with_host(port);
      if (err != 0 || !is_unfinished()) return err;
    }
    return ask();
  }

  int finish_with_own_host(std::uint16_t port) {
    std::vector<Address> addresses;
    for (const char* text : {options_.passive ? "::" : "::1", options_.passive ? "0.0.0.0" : "127.0.0.1"}) {
      int err = 0;
      const Address address = Address::inet_from_strings("ip", text, port, err);
      if (fits(address, options_.family)) addresses.push_back(address);
    }
    finish_with(std::move(addresses));
    return 0;
  }

  // Numeric text needs no lookup when the port is known; otherwise the service has to be looked up.
  int begin_with_host(std::optional<std::uint16_t> port) {
    if (!take_brackets(host_)) return EINVAL;
    int err = 0;
    const Address address = Address::inet_from_strings("ip", host_, port.value_or(0), err);
    if (err != 0) return options_.numeric_only || !may_be_name(host_) ? EINVAL : 0;
    if (!fits(address, options_.family)) return EAFNOSUPPORT;
    if (port) finish_with({address});
    return 0;
  }

  int ask() {
    auto made = std::make_unique<Lookup>(*this);
    Lookup& lookup = *made;
    std::unique_ptr<WorkerThreads::Job> job = std::move(made);
    const int err = impl_of(core()).submit(LoopImpl::Work::lookup, job);
    if (err == 0) lookup_ = &lookup;
    return err;
  }

  void complete(std::vector<Address> addresses, int err) noexcept {
    lookup_ = nullptr;
    if (err != 0) {
      finish(err);
    } else {
      finish_with(std::move(addresses));
    }
  }

  // Takes back a lookup that no thread has begun; one that runs cannot be stopped.
  void abandon_lookup() noexcept {
    Lookup* const lookup = std::exchange(lookup_, nullptr);
    if (lookup == nullptr || core().is_closed()) return;
    lookup->forget_state();
    impl_of(core()).take_back(LoopImpl::Work::lookup, *lookup);
  }

  void on_delivery() noexcept override { abandon_lookup(); }
  void on_abandon() noexcept override { abandon_lookup(); }

  std::string host_;
  std::string service_;
  ResolveOptions options_;
  Lookup* lookup_ = nullptr;
};

}  // namespace detail

bool is_host_text(OptionalText host) {
  std::string_view text = host.text();
  if (text.empty() || text.size() > detail::longest_host || !detail::take_brackets(text)) return false;
  int err = 0;
  static_cast<void>(Address::inet_from_strings("ip", text, 0, err));
  return err == 0 || detail::may_be_name(text);
}

Request<std::vector<Address>> resolve(Loop& loop, OptionalText host, OptionalText service,
                                      const ResolveOptions& options, CallSite site) {
  auto* const state =
      detail::make_state<detail::ResolveState>(loop.core(), host.text(), service.text(), options, site);
  Request<std::vector<Address>> request(state);
  state->start();
  return request;
}

}  // namespace tsock::inline v0

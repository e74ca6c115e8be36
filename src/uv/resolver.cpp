#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <ostream>
#include <string>
#include <tsock/loop.hpp>
#include <tsock/resolver.hpp>
#include <utility>

#include "core/address_text.hpp"
#include "uv/loop_impl.hpp"

namespace tsock {

namespace detail {

namespace {

constexpr std::size_t longest_host = 255;
constexpr std::size_t longest_service = 63;

int errno_of(int status) {
  switch (status) {
    case 0:
      return 0;
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
    case UV_EAI_ADDRFAMILY:
      return ENXIO;
    case UV_EAI_AGAIN:
      return EAGAIN;
    case UV_EAI_FAIL:
      return EIO;
    case UV_EAI_SERVICE:
    case UV_EAI_SOCKTYPE:
    case UV_EAI_BADFLAGS:
    case UV_EAI_BADHINTS:
    case UV_EAI_PROTOCOL:
      return EINVAL;
    case UV_EAI_FAMILY:
      return EAFNOSUPPORT;
    case UV_EAI_OVERFLOW:
      return ENAMETOOLONG;
    case UV_EAI_MEMORY:
      return ENOMEM;
    case UV_EAI_CANCELED:
      return ECANCELED;
    default:
      return -status;  // EAI_SYSTEM: libuv hands on errno
  }
}

bool fits(const Address& address, AddressFamily family) {
  return family == AddressFamily::any ||
         (family == AddressFamily::ipv4 ? address.is_ipv4() : address.is_ipv6());
}

// "[v6]" is the address without the brackets. False for brackets around anything else.
template <class Text>
bool take_brackets(Text& host) {
  if (!host.starts_with('[')) return true;
  if (!host.ends_with(']') || host.find(':') == Text::npos) return false;
  host = host.substr(1, host.size() - 2);
  return true;
}

// Of text that is no numeric address: whether it may be asked for.
bool may_be_name(std::string_view host) noexcept {
  return host.find_first_of(":%") == std::string_view::npos && !has_blank(host) && !is_all_numbers(host);
}

// A port number; no value when the text is a service name. A name has a letter (RFC 6335): what has none, as
// "-1" and "+80", getaddrinfo(3) would read as a number.
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
    const int err = begin_lookup();
    if (err != 0) finish(err);
  }

  void interrupt(int err) override {
    abandon_lookup();
    finish(err);
  }

  void describe(std::ostream& out) const override { out << ", of " << host_ << " port " << service_; }

 private:
  /// libuv's request; it stays until the worker thread is done with it.
  struct Lookup {
    Lookup(LoopImpl& owner, ResolveState& user) noexcept : loop(&owner), state(&user) { request.data = this; }
    uv_getaddrinfo_t request{};
    LoopImpl* loop;
    ResolveState* state;
  };

  // 0 also when the result is there already.
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

  // Numeric text needs no lookup when the port is known; otherwise it must go the long way.
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
    addrinfo hints{};
    hints.ai_family = options_.family == AddressFamily::any    ? AF_UNSPEC
                      : options_.family == AddressFamily::ipv4 ? AF_INET
                                                               : AF_INET6;
    hints.ai_socktype = options_.datagram ? SOCK_DGRAM : SOCK_STREAM;
    hints.ai_flags = (options_.passive ? AI_PASSIVE : 0) | (options_.numeric_only ? AI_NUMERICHOST : 0);
    LoopImpl& loop = impl_of(core());
    auto* const lookup = make_pooled<Lookup>(loop, loop, *this);
    const int status = uv_getaddrinfo(
        loop.uv(), &lookup->request,
        [](uv_getaddrinfo_t* request, int result, addrinfo* found) { returned(request, result, found); },
        host_.empty() ? nullptr : host_.c_str(), service_.empty() ? nullptr : service_.c_str(), &hints);
    if (status != 0) {
      lookup->~Lookup();
      loop.deallocate(lookup, sizeof(Lookup));
      return errno_of(status);
    }
    loop.job_started();
    lookup_ = lookup;
    return 0;
  }

  static void returned(uv_getaddrinfo_t* request, int status, addrinfo* found) {
    auto* const lookup = static_cast<Lookup*>(request->data);
    LoopImpl& loop = *lookup->loop;
    ResolveState* const state = lookup->state;
    if (state != nullptr) loop.enter();
    loop.job_ended();
    if (state != nullptr) state->complete(status, found);
    uv_freeaddrinfo(found);
    lookup->~Lookup();
    loop.deallocate(static_cast<void*>(lookup), sizeof(Lookup));
    if (state != nullptr) loop.drain();
  }

  void complete(int status, const addrinfo* found) {
    lookup_ = nullptr;
    if (status != 0) {
      finish(errno_of(status));
      return;
    }
    std::vector<Address> addresses;
    for (; found != nullptr; found = found->ai_next) {
      int err = 0;
      Address address = Address::from_sockaddr(found->ai_addr, found->ai_addrlen, err);
      if (err != 0 || !fits(address, options_.family)) continue;
      if (std::find(addresses.begin(), addresses.end(), address) == addresses.end())
        addresses.push_back(address);
    }
    if (addresses.empty()) {
      finish(ENXIO);
    } else {
      finish_with(std::move(addresses));
    }
  }

  // A lookup that no worker thread has begun is taken back; one that runs cannot be stopped.
  void abandon_lookup() noexcept {
    Lookup* const lookup = std::exchange(lookup_, nullptr);
    if (lookup == nullptr) return;
    lookup->state = nullptr;
    uv_cancel(reinterpret_cast<uv_req_t*>(&lookup->request));
  }

  void on_delivery() noexcept override { abandon_lookup(); }
  void on_abandon() noexcept override { abandon_lookup(); }

  std::string host_;
  std::string service_;
  ResolveOptions options_;
  Lookup* lookup_ = nullptr;
};

}  // namespace detail

bool is_host_text(OptionalText text) {
  std::string_view host = text.text();
  if (host.empty() || host.size() > detail::longest_host || !detail::take_brackets(host)) return false;
  int err = 0;
  static_cast<void>(Address::inet_from_strings("ip", host, 0, err));
  return err == 0 || detail::may_be_name(host);
}

Request<std::vector<Address>> resolve(Loop& loop, OptionalText host, OptionalText service,
                                      const ResolveOptions& options, CallSite site) {
  auto* const state =
      detail::make_state<detail::ResolveState>(loop.core(), host.text(), service.text(), options, site);
  Request<std::vector<Address>> request(state);
  state->start();
  return request;
}

}  // namespace tsock

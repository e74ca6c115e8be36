#include "opener.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <tsock/error.hpp>
#include <tsock/stdio_stream.hpp>
#include <utility>

#include "datagram_socket.hpp"
#include "lookup.hpp"

namespace tsock_cat {
namespace {

Failure local_failure(const std::string& what, int err) {
  Failure failure;
  failure.code = ExitCode::local_io;
  failure.what = "open " + what;
  failure.err = err;
  return failure;
}

// Anything but an address, which needs no looking up.
bool is_name(const std::string& host) {
  int err = 0;
  static_cast<void>(tsock::Address::inet_from_strings("ip", host, 0, err));
  return err != 0;
}

}  // namespace

Opener::Opener(const Services& services, const Endpoint& endpoint, OnOpen on_open, OnFailure on_failure)
    : services_(services),
      endpoint_(endpoint),
      on_open_(std::move(on_open)),
      on_failure_(std::move(on_failure)) {}

void Opener::start() {
  if (endpoint_.is_network()) {
    try_once();
  } else if (endpoint_.kind == Endpoint::Kind::exec) {
    start_program();
  } else {
    open_local();
  }
}

void Opener::try_once() {
  ++attempt_;
  attempt_began_ = std::chrono::steady_clock::now();
  services_.report.connecting(reached().text);
  if (endpoint_.is_local()) return connect({endpoint_.unix_address});

  resolving_ = tsock::resolve(services_.loop, reached().host, std::to_string(reached().port),
                              resolve_options(services_.options, reached()));
  if (const auto left = time_left()) resolving_.set_timeout(*left);
  resolving_.set_callback([this](tsock::Request<std::vector<tsock::Address>>& request) {
    int err = 0;
    std::vector<tsock::Address> addresses = request.recv(err);
    if (is_name(reached().host)) {
      services_.report.looked_up(reached().host, addresses.size(),
                                 std::chrono::steady_clock::now() - attempt_began_, err);
    }
    if (err == 0) return connect(std::move(addresses));
    if (err == ETIMEDOUT) return retry_or_fail(connect_failure(err));
    retry_or_fail(resolve_failure(services_.options, reached(), err));
  });
}

std::optional<Duration> Opener::time_left() const {
  const auto& limit = services_.options.connect_timeout;
  if (!limit) return std::nullopt;
  const auto gone = std::chrono::steady_clock::now() - attempt_began_;
  return std::max(Duration::zero(), *limit - std::chrono::duration_cast<Duration>(gone));
}

// -s and -p.
tsock::Address Opener::source_address() const {
  const Options& options = services_.options;
  if (endpoint_.is_local() || (options.source.empty() && !options.source_port)) return {};
  int err = 0;  // the command line was checked
  std::optional<std::string_view> host;
  if (!options.source.empty()) host = options.source;
  return tsock::Address::inet_from_strings("ip", host, options.source_port.value_or(0), err);
}

void Opener::connect(std::vector<tsock::Address> addresses) {
  if (endpoint_.is_npa) return connect_to_pipe();
  if (endpoint_.is_datagram()) return open_datagrams(addresses);
  tsock::ConnectHostOptions options;
  options.connect.local = source_address();
  options.connect.timeout = time_left();
  connect_report_ = {};
  options.report = &connect_report_;
  connecting_ = endpoint_.is_local()
                    ? tsock::Stream::connect(services_.loop, addresses.front(), options.connect)
                    : tsock::connect_to_host(services_.loop, std::move(addresses), options);
  connecting_.set_callback([this](tsock::Request<tsock::Stream>& request) {
    int err = 0;
    tsock::Stream stream = request.recv(err);
    for (const tsock::ConnectAttempt& attempt : connect_report_.attempts) services_.report.attempted(attempt);
    if (err != 0) {
      Failure failure = connect_failure(err);
      if (err == EAFNOSUPPORT) failure.text = request.reason();
      return retry_or_fail(failure);
    }
    if (&reached() == &endpoint_) {
      Channel channel;
      channel.stream = std::move(stream);
      return send_header(std::move(channel));
    }
    if (!reached().is_tls) return ask_proxy(std::move(stream));
    shaking_hands_ = services_.tls->connect(std::move(stream), reached());
    shaking_hands_.set_timeout(handshake_time());
    shaking_hands_.set_callback([this](tsock::Request<tsock::Stream>& handshake) {
      int failed = 0;
      tsock::Stream inside = handshake.recv(failed);
      if (failed == 0) return ask_proxy(std::move(inside));
      give_up(handshake_failure("TLS", reached().text, failed, handshake.reason()));
    });
  });
}

// What a socket is connected to: a proxy, or whom the user wants.
const Endpoint& Opener::reached() const noexcept {
  const ProxyOptions& proxy = services_.options.proxy;
  return proxy.is_used_for(endpoint_) ? proxy.endpoint : endpoint_;
}

void Opener::ask_proxy(tsock::Stream stream) {
  handshake_began_ = std::chrono::steady_clock::now();
  shaking_hands_ = services_.proxies->connect(std::move(stream), endpoint_);
  shaking_hands_.set_timeout(handshake_time());
  shaking_hands_.set_callback([this](tsock::Request<tsock::Stream>& request) {
    int err = 0;
    Channel channel;
    channel.stream = request.recv(err);
    if (err != 0) return give_up(services_.proxies->failure(endpoint_, err, request.reason()));
    services_.report.shook_hands("proxy", std::chrono::steady_clock::now() - handshake_began_);
    channel.proxy = services_.proxies->describe();
    send_header(std::move(channel));
  });
}

// --send-proxy: before anything else.
void Opener::send_header(Channel channel) {
  if (!services_.options.proxy.sent_header) return secure(std::move(channel));
  below_ = std::move(channel);
  sending_ = services_.proxies->send_header(
      below_.stream, header_ ? *header_
                             : tsock::proxy::Header{.source = below_.stream.local_address(),
                                                    .destination = below_.stream.remote_address()});
  sending_.set_timeout(handshake_time());
  sending_.set_callback([this](tsock::Request<tsock::ssize_t>& request) {
    int err = 0;
    request.recv(err);
    Channel sent = std::move(below_);
    if (err != 0) return give_up(handshake_failure("PROXY", endpoint_.text, err, request.reason()));
    secure(std::move(sent));
  });
}

void Opener::secure(Channel channel) {
  if (endpoint_.is_tls) return shake_hands(std::move(channel));
  add_layer(std::move(channel));
}

void Opener::shake_hands(Channel below) {
  handshake_began_ = std::chrono::steady_clock::now();
  shaking_hands_ = services_.tls->connect(std::move(below.stream), endpoint_);
  shaking_hands_.set_timeout(handshake_time());
  below_ = std::move(below);
  shaking_hands_.set_callback([this](tsock::Request<tsock::Stream>& request) {
    int err = 0;
    Channel channel = std::move(below_);
    channel.stream = request.recv(err);
    if (err != 0) return give_up(security_failure("TLS", err, request.reason()));
    services_.report.shook_hands("TLS", std::chrono::steady_clock::now() - handshake_began_);
    channel.tls = services_.tls->describe(channel.stream);
    add_layer(std::move(channel));
  });
}

// GSSAPI or SASL, if there is to be one.
void Opener::add_layer(Channel channel) {
  const SecurityLayer* const layer = services_.layer_of(endpoint_);
  if (layer == nullptr) return opened(std::move(channel));
  const TlsBinding tls = channel.tls ? services_.tls->binding(channel.stream) : TlsBinding();
  handshake_began_ = std::chrono::steady_clock::now();
  shaking_hands_ = layer->connect(std::move(channel.stream), endpoint_, tls);
  shaking_hands_.set_timeout(handshake_time());
  below_ = std::move(channel);
  shaking_hands_.set_callback([this, layer](tsock::Request<tsock::Stream>& request) {
    int err = 0;
    Channel above = std::move(below_);
    above.stream = request.recv(err);
    if (err != 0) return give_up(security_failure(layer->protocol(), err, request.reason()));
    services_.report.shook_hands(layer->protocol(), std::chrono::steady_clock::now() - handshake_began_);
    above.peer = layer->describe(above.stream);
    opened(std::move(above));
  });
}

// Both in one: level 7 after level 8 needs another connection.
void Opener::connect_to_pipe() {
  connecting_ = services_.npa->connect(services_.loop, endpoint_);
  connecting_.set_timeout(handshake_time());
  connecting_.set_callback([this](tsock::Request<tsock::Stream>& request) {
    int err = 0;
    Channel channel;
    channel.stream = request.recv(err);
    if (err == ETIMEDOUT || (err != 0 && services_.npa->is_of_handshake(err, request.reason())))
      return give_up(security_failure("NPA", err, request.reason()));
    if (err != 0) return retry_or_fail(connect_failure(err));
    services_.npa->describe(channel);
    opened(std::move(channel));
  });
}

// Who is refused once is refused again.
void Opener::give_up(const Failure& failure) {
  if (failure.code == ExitCode::security) attempt_ = services_.options.retries + 1;
  retry_or_fail(failure);
}

Duration Opener::handshake_time() const {
  const Duration limit = services_.options.handshake_timeout;
  return std::min(limit, time_left().value_or(limit));
}

// The first address that there is a way to: nobody answers before something is sent.
void Opener::open_datagrams(const std::vector<tsock::Address>& addresses) {
  Failure failure;
  for (const tsock::Address& address : addresses) {
    Channel channel;
    failure = {};
    channel.datagrams = endpoint_.is_unix() ? open_unix_datagram(services_, address, failure.err)
                                            : open_udp(services_, source_address(), address, failure);
    if (channel.is_datagram()) return opened(std::move(channel));
  }
  retry_or_fail(failure.what.empty() ? connect_failure(failure.err) : failure);
}

void Opener::opened(Channel channel) {
  channel.name = endpoint_.text;
  const OnOpen on_open = std::move(on_open_);
  on_open(std::move(channel));
}

Failure Opener::connect_failure(int err) const {
  const Options& options = services_.options;
  Failure failure;
  failure.code = ExitCode::connect;
  failure.what = "connect to " + reached().text;
  failure.where = tried_addresses();
  failure.err = err;
  if (err == ETIMEDOUT) {
    failure.code = ExitCode::timeout;
    const auto left = time_left();
    if (left && *left == Duration::zero()) {
      failure.limit = "connect";
      failure.text =
          "connect timeout, no connection in " + format_duration(*options.connect_timeout) + " (-w)";
    } else {
      failure.limit = "system";
    }
  }
  const bool has_source = !options.source.empty() || options.source_port;
  if (has_source && (err == EADDRINUSE || err == EADDRNOTAVAIL || err == EACCES)) {
    failure.code = ExitCode::listen;
    failure.what += " from " + source_address().to_string();
  }
  return failure;
}

// Of a name: the user has not seen them.
std::string Opener::tried_addresses() const {
  std::string all;
  if (endpoint_.is_local() || !is_name(reached().host)) return all;
  for (const tsock::ConnectAttempt& attempt : connect_report_.attempts)
    all += (all.empty() ? "" : ", ") + attempt.address.to_string();
  return all;
}

Failure Opener::security_failure(std::string_view protocol, int err, std::string_view reason) const {
  const auto left = time_left();
  if (err == ETIMEDOUT && left && *left == Duration::zero()) return connect_failure(err);
  return handshake_failure(protocol, endpoint_.text, err, reason);
}

void Opener::retry_or_fail(const Failure& failure) {
  const Options& options = services_.options;
  if (attempt_ > options.retries) {
    const OnFailure on_failure = std::move(on_failure_);
    return on_failure(failure);
  }
  services_.report.retrying(failure, attempt_, options.retries, options.retry_delay);
  waiting_ = services_.loop.sleep(options.retry_delay);
  waiting_.set_callback([this](tsock::Request<void>&) { try_once(); });
}

void Opener::open_local() {
  Failure failure;
  Channel channel;
  if (endpoint_.kind == Endpoint::Kind::stdio) {
    channel = open_standard_streams(services_, failure);
  } else {
    const int err = open_local(channel);
    if (err != 0) failure = local_failure(endpoint_.text, err);
  }
  const OnOpen on_open = std::move(on_open_);
  const OnFailure on_failure = std::move(on_failure_);
  if (failure) return on_failure(failure);
  on_open(std::move(channel));
}

// What is neither network nor standard input and output. Returns 0 or an errno value.
int Opener::open_local(Channel& channel) const {
  int err = 0;
  channel.name = endpoint_.text;
  channel.is_network = false;
  switch (endpoint_.kind) {
    case Endpoint::Kind::fd:
      channel.stream = tsock::open_stdio(services_.loop, endpoint_.fd, err);
      channel.is_network = channel.stream.is_open() && !channel.stream.remote_address().is_empty();
      break;
    case Endpoint::Kind::echo:
      open_echo(channel);
      break;
    case Endpoint::Kind::discard:
      channel.has_input = channel.has_output = false;
      break;
    case Endpoint::Kind::zero:
      channel.gives_zeros = true;
      channel.has_output = false;
      break;
    default:
      channel.stream = tsock::open_file(services_.loop, endpoint_.path.c_str(), endpoint_.file_mode, err);
      channel.has_input =
          endpoint_.file_mode == tsock::FileMode::read || endpoint_.file_mode == tsock::FileMode::read_write;
      channel.has_output = endpoint_.file_mode != tsock::FileMode::read;
  }
  return err;
}

// Pipes: a program that ends without having read everything resets a socket, and its output could seem cut.
// It ends by itself when its input ends.
void Opener::start_program() {
  tsock::SpawnOptions options;
  options.program = endpoint_.words.front();
  options.arguments.assign(endpoint_.words.begin() + 1, endpoint_.words.end());
  options.stream = tsock::ChildStream::pipes;
  options.fate = tsock::ChildFate::leave;
  starting_ = tsock::spawn(services_.loop, std::move(options));
  starting_.set_callback([this](tsock::Request<tsock::ChildProcess>& request) {
    int err = 0;
    Channel channel;
    channel.program = request.recv(err);
    channel.stream = std::move(channel.program.stream());
    channel.is_network = false;
    if (err == 0) return opened(std::move(channel));
    Failure failure;
    failure.code = ExitCode::local_io;
    failure.what = "start " + endpoint_.words.front();
    failure.err = err;
    const OnFailure on_failure = std::move(on_failure_);
    on_failure(failure);
  });
}

// Datagrams are given back one by one.
void Opener::open_echo(Channel& channel) const {
  const auto& endpoints = services_.options.endpoints;
  if (std::any_of(endpoints.begin(), endpoints.end(),
                  [](const Endpoint& each) { return each.is_datagram(); })) {
    tsock::Datagram near;
    channel.echo = std::make_unique<Echo>(services_.loop, near);
    channel.datagrams = std::make_unique<DatagramSocket>(std::move(near));
  } else {
    channel.echo = std::make_unique<Echo>(services_.loop, channel.stream);
  }
}

Channel open_standard_streams(const Services& services, Failure& failure) {
  Channel channel;
  channel.name = "standard input and output";
  channel.is_network = false;
  int err = 0;
  if (services.options.traffic != Traffic::receive_only) {
    channel.stream = tsock::open_stdio(services.loop, 0, err);
    if (err != 0) failure = local_failure("standard input", err);
  }
  if (services.options.traffic != Traffic::send_only && !failure) {
    channel.output = tsock::open_stdio(services.loop, 1, err);
    if (err != 0) failure = local_failure("standard output", err);
  }
  channel.has_input = channel.stream.is_open();
  channel.has_output = channel.output.is_open();
  return channel;
}

}  // namespace tsock_cat

#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tsock/address.hpp>
#include <tsock/child_process.hpp>
#include <tsock/connect_host.hpp>
#include <tsock/proxy/header.hpp>
#include <tsock/request.hpp>
#include <tsock/resolver.hpp>
#include <tsock/stream.hpp>
#include <utility>
#include <vector>

#include "channel.hpp"
#include "services.hpp"

namespace tsock_cat {

/// Opens an endpoint that does not listen: connects, or opens a socket for datagrams, with as many tries as
/// --retry allows, or opens standard input and output, a descriptor or a file.
class Opener {
 public:
  using OnOpen = std::function<void(Channel channel)>;
  using OnFailure = std::function<void(const Failure& failure)>;

  /// One of the functions is called once, for local endpoints from inside start(); it may destroy the opener.
  /// The endpoint must outlive it.
  Opener(const Services& services, const Endpoint& endpoint, OnOpen on_open, OnFailure on_failure);

  /// With --send-proxy: the header of the connection that is passed on; without it, one of our own.
  void pass_on(tsock::proxy::Header header) { header_ = std::move(header); }
  void start();

 private:
  void try_once();
  void connect(std::vector<tsock::Address> addresses);
  void connect_to_pipe();
  void ask_proxy(tsock::Stream stream);
  void send_header(Channel channel);
  void secure(Channel channel);
  void shake_hands(Channel below);
  void add_layer(Channel channel);
  void open_datagrams(const std::vector<tsock::Address>& addresses);
  void opened(Channel channel);
  void give_up(const Failure& failure);
  void retry_or_fail(const Failure& failure);
  void open_local();
  [[nodiscard]] int open_local(Channel& channel) const;
  void open_echo(Channel& channel) const;
  void start_program();
  [[nodiscard]] Failure connect_failure(int err) const;
  [[nodiscard]] std::string tried_addresses() const;
  [[nodiscard]] Failure security_failure(std::string_view protocol, int err, std::string_view reason) const;
  [[nodiscard]] const Endpoint& reached() const noexcept;
  [[nodiscard]] tsock::Address source_address() const;
  [[nodiscard]] std::optional<Duration> time_left() const;
  [[nodiscard]] Duration handshake_time() const;

  Services services_;
  const Endpoint& endpoint_;
  OnOpen on_open_;
  OnFailure on_failure_;
  std::size_t attempt_ = 0;
  std::chrono::steady_clock::time_point attempt_began_;
  std::chrono::steady_clock::time_point handshake_began_;
  tsock::ConnectReport connect_report_;  // before the request that writes it
  tsock::Request<std::vector<tsock::Address>> resolving_;
  tsock::Request<tsock::Stream> connecting_;
  tsock::Request<tsock::ChildProcess> starting_;
  tsock::Request<tsock::Stream> shaking_hands_;
  Channel below_;  // whose stream the layer has
  std::optional<tsock::proxy::Header> header_;
  tsock::Request<tsock::ssize_t> sending_;
  tsock::Request<void> waiting_;
};

/// Standard input and output as the options want them. On failure the Channel is empty and `failure` says
/// why.
[[nodiscard]] Channel open_standard_streams(const Services& services, Failure& failure);

}  // namespace tsock_cat

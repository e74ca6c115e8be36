#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <tsock/tsock.hpp>
#include <utility>

#include "bench/server_options.hpp"

namespace bench {

/// Whether every read of an EchoSession has a deadline.
inline bool with_deadline = false;

/// One request for each message read, one for each message written.
class EchoSession {
 public:
  explicit EchoSession(tsock::Stream stream) : stream_(std::move(stream)) {}

  void start() {
    reading_ = stream_.readv_pdu(tsock::framing::u32be{.max_body = largest_message});
    if (with_deadline) reading_.set_timeout(std::chrono::seconds(60));
    reading_.set_callback([this](tsock::Request<tsock::Pdu>& request) {
      int err = 0;
      tsock::Pdu pdu = request.recv(err);
      if (err != 0) {
        delete this;
        return;
      }
      auto reply = pdu.vector();
      stream_.writev(out_, reply).detach([pdu = std::move(pdu)](auto&) {});
      start();
    });
  }

 private:
  tsock::Stream stream_;
  tsock::Queue out_{stream_.loop(), "replies"};
  tsock::Request<tsock::Pdu> reading_;
};

/// Reads or writes one vector after the other.
class BulkSession {
 public:
  BulkSession(tsock::Stream stream, bool is_sink) : stream_(std::move(stream)), is_sink_(is_sink) {}

  void start() {
    const std::span<std::byte> bytes = bulk_bytes();
    moving_ = is_sink_ ? stream_.read(bytes) : stream_.write(bytes);
    moving_.set_callback([this](tsock::Request<tsock::ssize_t>& request) {
      int err = 0;
      if (request.recv(err) < 0) {
        delete this;
        return;
      }
      start();
    });
  }

 private:
  tsock::Stream stream_;
  bool is_sink_;
  tsock::Request<tsock::ssize_t> moving_;
};

}  // namespace bench

#pragma once

#include <array>
#include <asio.hpp>
#include <cstddef>
#include <cstring>
#include <deque>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "bench/server_options.hpp"

namespace bench {

/// Reads the header, then the body; one write after the other out of a queue.
template <class Stream>
class MessageSession : public std::enable_shared_from_this<MessageSession<Stream>> {
 public:
  explicit MessageSession(Stream socket) : socket_(std::move(socket)) {}
  void start() { read_header(); }

 private:
  void read_header() {
    asio::async_read(socket_, asio::buffer(header_),
                     [self = this->shared_from_this()](std::error_code err, std::size_t) {
                       if (err) return;
                       self->message_.resize(message_size(self->header_.data()));
                       std::memcpy(self->message_.data(), self->header_.data(), self->header_.size());
                       self->read_body();
                     });
  }

  void read_body() {
    asio::async_read(socket_, asio::buffer(message_) + header_.size(),
                     [self = this->shared_from_this()](std::error_code err, std::size_t) {
                       if (err) return;
                       const bool is_writing = !self->replies_.empty();
                       self->replies_.push_back(std::move(self->message_));
                       if (!is_writing) self->write();
                       self->read_header();
                     });
  }

  void write() {
    asio::async_write(socket_, asio::buffer(replies_.front()),
                      [self = this->shared_from_this()](std::error_code err, std::size_t) {
                        if (err) return;
                        self->replies_.pop_front();
                        if (!self->replies_.empty()) self->write();
                      });
  }

  Stream socket_;
  std::array<unsigned char, 4> header_{};
  std::vector<unsigned char> message_;
  std::deque<std::vector<unsigned char>> replies_;
};

/// Takes what is there, answers all of it with one write.
template <class Stream>
class ReadAheadSession : public std::enable_shared_from_this<ReadAheadSession<Stream>> {
 public:
  explicit ReadAheadSession(Stream socket) : socket_(std::move(socket)) {}

  void start() {
    socket_.async_read_some(in_.prepare(64 * 1024),
                            [self = this->shared_from_this()](std::error_code err, std::size_t count) {
                              if (err) return;
                              self->in_.commit(count);
                              self->parse();
                              self->start();
                            });
  }

 private:
  void parse() {
    const auto* const bytes = static_cast<const unsigned char*>(in_.data().data());
    std::size_t done = 0;
    while (in_.size() - done >= 4) {
      const std::size_t message = message_size(bytes + done);
      if (in_.size() - done < message) break;
      waiting_.insert(waiting_.end(), bytes + done, bytes + done + message);
      done += message;
    }
    in_.consume(done);
    if (!waiting_.empty() && leaving_.empty()) write();
  }

  void write() {
    leaving_.swap(waiting_);
    asio::async_write(socket_, asio::buffer(leaving_),
                      [self = this->shared_from_this()](std::error_code err, std::size_t) {
                        if (err) return;
                        self->leaving_.clear();
                        if (!self->waiting_.empty()) self->write();
                      });
  }

  Stream socket_;
  asio::streambuf in_;
  std::vector<unsigned char> waiting_;
  std::vector<unsigned char> leaving_;
};

/// One vector after the other.
template <class Stream>
class SinkSession : public std::enable_shared_from_this<SinkSession<Stream>> {
 public:
  explicit SinkSession(Stream socket) : socket_(std::move(socket)) {}
  void start() {
    asio::async_read(socket_, asio::buffer(bulk_bytes().data(), bulk_vector),
                     [self = this->shared_from_this()](std::error_code err, std::size_t) {
                       if (!err) self->start();
                     });
  }

 private:
  Stream socket_;
};

template <class Stream>
class SourceSession : public std::enable_shared_from_this<SourceSession<Stream>> {
 public:
  explicit SourceSession(Stream socket) : socket_(std::move(socket)) {}
  void start() {
    asio::async_write(socket_, asio::buffer(bulk_bytes().data(), bulk_vector),
                      [self = this->shared_from_this()](std::error_code err, std::size_t) {
                        if (!err) self->start();
                      });
  }

 private:
  Stream socket_;
};

}  // namespace bench

#pragma once

#include <memory>
#include <tsock/datagram.hpp>
#include <tsock/loop.hpp>
#include <tsock/pump.hpp>
#include <tsock/received_datagram.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>

namespace tsock_cat {

/// The address echo: gives back what it gets: bytes, or datagrams one by one. It takes no more than it has
/// given back.
class Echo {
 public:
  /// \param near gets the end to talk to
  Echo(tsock::Loop& loop, tsock::Stream& near);
  Echo(tsock::Loop& loop, tsock::Datagram& near);
  Echo(const Echo&) = delete;
  Echo& operator=(const Echo&) = delete;
  ~Echo() = default;

 private:
  void give_back();

  tsock::Stream stream_;
  tsock::Datagram datagrams_;
  tsock::ReceivedDatagram datagram_;
  tsock::Request<tsock::PumpResult> pump_;
  tsock::Request<tsock::ReceivedDatagram> receiving_;
  tsock::Request<tsock::ssize_t> sending_;
};

}  // namespace tsock_cat

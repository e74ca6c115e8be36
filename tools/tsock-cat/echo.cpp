#include "echo.hpp"

#include <tsock/memory_datagram.hpp>
#include <tsock/memory_stream.hpp>
#include <utility>

namespace tsock_cat {

Echo::Echo(tsock::Loop& loop, tsock::Stream& near) {
  auto pair = tsock::memory_stream_pair(loop);
  near = std::move(pair.first);
  stream_ = std::move(pair.second);
  pump_ = tsock::pump(stream_, stream_);
}

Echo::Echo(tsock::Loop& loop, tsock::Datagram& near) {
  tsock::MemoryDatagramOptions options;
  options.queue_length = 1;
  options.block_when_full = true;
  options.max_size = std::size_t{1} << 20;
  auto pair = tsock::memory_datagram_pair(loop, options);
  near = std::move(pair.first);
  datagrams_ = std::move(pair.second);
  give_back();
}

// An error is the end: the other side is gone.
void Echo::give_back() {
  receiving_ = datagrams_.recvfrom();
  receiving_.set_callback([this](tsock::Request<tsock::ReceivedDatagram>& received) {
    int err = 0;
    datagram_ = received.recv(err);
    if (err != 0) return;
    sending_ = datagrams_.sendto(std::as_const(datagram_).bytes());
    sending_.set_callback([this](tsock::Request<tsock::ssize_t>& sent) {
      int error = 0;
      sent.recv(error);
      if (error == 0) give_back();
    });
  });
}

}  // namespace tsock_cat

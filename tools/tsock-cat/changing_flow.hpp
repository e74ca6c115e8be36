#pragma once

#include <chrono>
#include <tsock/pdu.hpp>
#include <tsock/request.hpp>
#include <vector>

#include "flow.hpp"

namespace tsock_cat {

/// A Flow of pieces: it changes them, reads them as messages or datagrams, sends them as datagrams, drops
/// them, or shares its sink. It reads the next piece while the last is written, never more than two, so the
/// slower side sets the pace. Datagrams that go into a stream are more, as each of them is small and the next
/// ones do not wait: all that are there leave in one write.
class ChangingFlow final : public Flow {
 public:
  ChangingFlow(Settings settings, FlowOwner& owner);

  void start() override { read_next(); }
  void end_reading() override { end_reading(FlowError()); }
  [[nodiscard]] std::uint64_t bytes_read() const override { return read_; }
  [[nodiscard]] std::uint64_t bytes_written() const override { return written_; }
  [[nodiscard]] std::uint64_t datagrams_read() const override { return datagrams_read_; }
  [[nodiscard]] std::uint64_t datagrams_written() const override { return datagrams_written_; }
  [[nodiscard]] std::uint64_t messages_read() const override { return messages_read_; }
  [[nodiscard]] std::size_t queued_bytes() const override { return queued_bytes_; }

 private:
  using Clock = std::chrono::steady_clock;

  struct Piece {
    std::vector<std::byte> buffer;
    std::vector<std::byte> changed;
    tsock::Pdu pdu;
    tsock::ReceivedDatagram datagram;
    std::span<const std::byte> bytes;  // into one of the four: what is to be written
  };

  [[nodiscard]] bool gathers() const noexcept;
  [[nodiscard]] bool is_full() const noexcept;
  void read_next();
  [[nodiscard]] bool waits_for_rate();
  void read_bytes();
  void read_message();
  void on_message(tsock::Request<tsock::Pdu>& request);
  void receive_datagram();
  void on_datagram(tsock::Request<tsock::ReceivedDatagram>& request);
  void take(std::span<const std::byte> wire, std::span<const std::byte> content,
            const tsock::Address& from = {});
  void write_next();
  [[nodiscard]] tsock::Request<tsock::ssize_t> write_gathered();
  void on_written(tsock::Request<tsock::ssize_t>& request);
  [[nodiscard]] bool is_to_be_dropped(const Piece& piece) const;
  void drop_first_piece();
  void end_reading(FlowError error);
  void finish_if_over();

  Settings settings_;
  FlowOwner& owner_;
  std::vector<Piece> pieces_;
  std::size_t next_read_ = 0;   // index of the piece to fill
  std::size_t next_write_ = 0;  // index of the piece to write
  std::size_t ready_ = 0;       // pieces filled and not yet written
  std::size_t in_write_ = 0;    // pieces that are being written
  std::size_t queued_bytes_ = 0;
  std::uint64_t read_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t datagrams_read_ = 0;
  std::uint64_t messages_read_ = 0;
  Clock::time_point next_read_time_;  // by the rate
  std::uint64_t datagrams_written_ = 0;
  bool ended_ = false;
  FlowError read_error_;  // why it ended; errno 0 is in order
  bool after_last_delimiter_ = false;
  tsock::Request<void> waiting_;
  // Last: they point into the pieces.
  tsock::Request<tsock::ssize_t> reading_;
  tsock::Request<tsock::Pdu> reading_message_;
  tsock::Request<tsock::ReceivedDatagram> receiving_;
  tsock::Request<tsock::ssize_t> writing_;
};

}  // namespace tsock_cat

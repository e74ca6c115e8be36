#include <tsock/tcp_info.hpp>

namespace tsock::inline v0 {

std::string_view tcp_state_name(TcpState state) noexcept {
  switch (state) {
    case TcpState::established:
      return "established";
    case TcpState::syn_sent:
      return "syn-sent";
    case TcpState::syn_received:
      return "syn-recv";
    case TcpState::fin_wait_1:
      return "fin-wait-1";
    case TcpState::fin_wait_2:
      return "fin-wait-2";
    case TcpState::time_wait:
      return "time-wait";
    case TcpState::closed:
      return "unconn";
    case TcpState::close_wait:
      return "close-wait";
    case TcpState::last_ack:
      return "last-ack";
    case TcpState::listen:
      return "listen";
    case TcpState::closing:
      return "closing";
  }
  return "unknown";
}

}  // namespace tsock::inline v0

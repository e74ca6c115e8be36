#include <tsock/loop.hpp>
#include <tsock/npa/connect.hpp>
#include <tsock/npa/listen.hpp>
#include <utility>

#include "npa/pipe_directory.hpp"

namespace tsock::inline v0::npa {

Listener listen(Loop& loop, std::string_view directory, std::string_view pipe, const ListenOptions& options,
                int& err, std::string& reason) {
  reason.clear();
  const Address address = pipe_address(directory, pipe, err);
  if (err != 0) {
    reason = "no name for a pipe";
    return {};
  }
  err = prepare_pipe_directory(std::string(directory), reason);
  if (err != 0) return {};
  Listener below = Listener::unix_stream(loop, address, options.socket, err);
  if (err != 0) return {};
  return listen(std::move(below), options.each, options.handshakes);
}

Listener listen(Listener below, const AcceptOptions& each, layer::ListenOptions handshakes) {
  return layer::listen_over(
      std::move(below), [each](Stream stream) { return accept(std::move(stream), each); },
      std::move(handshakes));
}

}  // namespace tsock::inline v0::npa

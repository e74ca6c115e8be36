#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tsock/byte_view.hpp>
#include <tsock/detail/loop_here.hpp>
#include <tsock/export.hpp>
#include <tsock/request.hpp>
#include <tsock/sasl/reply.hpp>
#include <tsock/sasl/server_options.hpp>
#include <tsock/sasl/session.hpp>
#include <vector>

namespace tsock::inline v0::sasl {

/// A server's side of an authentication whose protocol carries the messages itself. What is said of
/// ClientSession about steps and their errors applies here, too. Do not tell a client `reason()`.
class TSOCK_EXPORT ServerSession : public Session {
 public:
  ServerSession() noexcept = default;
  /// A session, or an empty one with `err`; see `ClientSession::create()`.
  [[nodiscard]] static ServerSession create(const ServerOptions& options, int& err, std::string& reason);

  /// What may be offered to a client, strongest first.
  [[nodiscard]] std::vector<std::string> mechanisms() const;
  /// The client has chosen a mechanism. \param initial_response what came with it, if something did; not the
  /// same as an empty one
  [[nodiscard]] Reply start(std::string_view mechanism, std::optional<ByteView> initial_response, int& err);
  /// Works on the next response of the client. It is copied.
  [[nodiscard]] Reply step(ByteView response, int& err);

  /// The same on a worker thread of the loop; see ClientSession.
  [[nodiscard]] Request<Reply> start(detail::LoopHere here, std::string_view mechanism,
                                     std::optional<ByteView> initial_response);
  [[nodiscard]] Request<Reply> step(detail::LoopHere here, ByteView response);

 private:
  using Session::Session;
};

}  // namespace tsock::inline v0::sasl

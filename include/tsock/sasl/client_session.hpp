#pragma once

#include <string_view>
#include <tsock/byte_view.hpp>
#include <tsock/detail/loop_here.hpp>
#include <tsock/export.hpp>
#include <tsock/request.hpp>
#include <tsock/sasl/client_options.hpp>
#include <tsock/sasl/reply.hpp>
#include <tsock/sasl/session.hpp>

namespace tsock::inline v0::sasl {

/// A client's side of an authentication whose protocol carries the messages itself, such as LDAP or IMAP:
/// `start()` with the mechanisms that the server has named, send what it gives, `step()` with each answer.
///
/// \code
/// sasl::Reply reply = session.start("GSSAPI SCRAM-SHA-256", err);
/// // send the mechanism, session.peer().mechanism, and reply.bytes; receive `challenge`
/// reply = session.step(challenge, err);
/// \endcode
///
/// When the server says that it has accepted, `is_done()` must be true, else the client has not seen what
/// proves that this is the server: refuse it. Put the security layer on with `sasl::wrap()` then.
///
/// A step may block: GSSAPI mechanisms ask a KDC, and functions of the options may wait. Steps fail with:
///  - EACCES: the other side is refused, or refuses; names, password or ticket are wrong
///  - ENOTSUP: no mechanism of the server is among those that the options allow
///  - EPROTO: the peer has sent what the mechanism does not know
///  - EINVAL: no session, a step out of turn, or an option that the mechanism needs is missing
///  - EBUSY: a request works on the session
///  - EHOSTUNREACH: what the mechanism has to ask cannot be asked
///  - ENOMEM
class TSOCK_EXPORT ClientSession : public Session {
 public:
  ClientSession() noexcept = default;
  /// A session, or an empty one with `err`: EINVAL with an option that makes no sense, ENOTSUP when libsasl2
  /// has no mechanisms, ENOMEM.
  [[nodiscard]] static ClientSession create(const ClientOptions& options, int& err, std::string& reason);

  /// Chooses the mechanism out of those that the server offers, whose names are separated by spaces. Among
  /// those that the options allow libsasl2 prefers one that is open to fewer attacks, then the stronger
  /// layer; so `SecurityOptions::lowest_strength` is needed to be sure of a layer.
  [[nodiscard]] Reply start(std::string_view offered, int& err);
  /// Works on a challenge of the server, or the bytes that came with its success. It is copied.
  [[nodiscard]] Reply step(ByteView challenge, int& err);

  /// The same on a worker thread of the loop, for mechanisms that may block; ECANCELED and ETIMEDOUT come at
  /// once, also while the step is stuck, and the session is of no use then. The request needs this object no
  /// more. \param here a Loop, or `{loop, site}`
  [[nodiscard]] Request<Reply> start(detail::LoopHere here, std::string_view offered);
  [[nodiscard]] Request<Reply> step(detail::LoopHere here, ByteView challenge);

 private:
  using Session::Session;
};

}  // namespace tsock::inline v0::sasl

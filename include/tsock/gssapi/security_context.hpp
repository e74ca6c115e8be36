#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <tsock/byte_view.hpp>
#include <tsock/export.hpp>
#include <tsock/gssapi/accept.hpp>
#include <tsock/gssapi/connect.hpp>
#include <tsock/gssapi/peer.hpp>
#include <vector>

namespace tsock::inline v0::gssapi {

class Context;

/// A security context without a stream, for protocols that carry tokens and messages themselves: DNS updates,
/// RPC, MIT's samples. It does what the streams do, over the same engine. For one thread at a time, any.
class TSOCK_EXPORT SecurityContext {
 public:
  /// No context: functions give EINVAL.
  SecurityContext() noexcept;
  SecurityContext(SecurityContext&&) noexcept;
  SecurityContext& operator=(SecurityContext&&) noexcept;
  SecurityContext(const SecurityContext&) = delete;
  SecurityContext& operator=(const SecurityContext&) = delete;
  ~SecurityContext();

  /// A context to be established. Of the options those for frames and sizes do not matter here, and a server
  /// takes clients that do not ask for the detection of repeated messages. Throws std::bad_alloc.
  [[nodiscard]] static SecurityContext client(const ConnectOptions& options);
  [[nodiscard]] static SecurityContext server(const AcceptOptions& options = {});

  /// Takes the peer's token; a client's first step is given none, and an empty one is EPROTO later. Blocks:
  /// it may ask a KDC and read files; see `run_on_worker()`. \param answer the token for the peer, when
  /// `answers` becomes true, also with an error \return 0 when the context is established, EAGAIN when it
  /// needs another token, or an errno value as `connect()` gives them. Throws std::bad_alloc.
  int step(std::span<const std::byte> token, std::vector<std::byte>& answer, bool& answers);
  [[nodiscard]] bool is_established() const noexcept;

  /// Makes a message that holds `plain`, and appends it to `message`. \return 0, or EINVAL before the context
  /// is established, EACCES for a seal that it cannot give, ETIME, EIO. Throws std::bad_alloc.
  int wrap(ByteView plain, Protection protection, std::vector<std::byte>& message);
  /// Opens a message, whose bytes it may change, and appends what it holds to `plain`. \return 0 with the
  /// `protection` that it had, or EBADMSG for one that was changed, repeated, left out or moved, EINVAL,
  /// ETIME. Throws std::bad_alloc.
  int unwrap(std::span<std::byte> message, std::vector<std::byte>& plain, Protection& protection);
  /// The most bytes that a message of `most` bytes can hold; 0 where none fits.
  [[nodiscard]] std::size_t wrap_size_limit(std::size_t most, Protection protection) const noexcept;
  /// Signs a message that goes its own way (gss_get_mic), and appends the signature. Errors as `wrap()`.
  int sign(ByteView message, std::vector<std::byte>& signature);
  /// Checks such a signature. Errors as `unwrap()`.
  int verify(ByteView message, ByteView signature);

  /// Of an established context.
  [[nodiscard]] Peer peer() const;
  /// Why the last call failed, in words.
  [[nodiscard]] std::string_view reason() const noexcept;

 private:
  explicit SecurityContext(std::unique_ptr<Context> context) noexcept;

  std::unique_ptr<Context> context_;
};

}  // namespace tsock::inline v0::gssapi

#pragma once

#include <memory>
#include <tsock/address.hpp>
#include <tsock/listener_backend.hpp>
#include <tsock/listener_options.hpp>
#include <tsock/stream_backend.hpp>
#include <tsock/stream_options.hpp>

#include "uv/loop_impl.hpp"

/// Named pipes of Windows.
namespace tsock::inline v0::detail {

/// Where it is false, the functions below give EAFNOSUPPORT.
#if defined(_WIN32)
inline constexpr bool has_named_pipes = true;
#else
inline constexpr bool has_named_pipes = false;
#endif

/// Connects to a pipe at once. \return 0 with `stream` set, or an errno value:
///  - EAGAIN: no instance of the pipe is free
///  - ENOENT: nobody serves it
///  - EACCES, EINVAL: a name that the system does not take; EMFILE, ENOMEM
int connect_named_pipe(LoopImpl& loop, const Address& address, const StreamOptions& options,
                       std::unique_ptr<StreamBackend>& stream) noexcept;

/// Serves a pipe. \return 0 with `listener` set, or an errno value:
///  - EADDRINUSE: an instance of the pipe is open, if only as a connection
///  - EINVAL: a name that the system does not take; ECANCELED, ENOMEM
int serve_named_pipe(LoopImpl& loop, const Address& address, const ListenerOptions& options,
                     std::unique_ptr<ListenerBackend>& listener) noexcept;

}  // namespace tsock::inline v0::detail

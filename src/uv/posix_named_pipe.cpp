#include <cerrno>

#include "uv/named_pipe.hpp"

namespace tsock::inline v0::detail {

int connect_named_pipe(LoopImpl& /*loop*/, const Address& /*address*/, const StreamOptions& /*options*/,
                       std::unique_ptr<StreamBackend>& /*stream*/) noexcept {
  return EAFNOSUPPORT;
}

int serve_named_pipe(LoopImpl& /*loop*/, const Address& /*address*/, const ListenerOptions& /*options*/,
                     std::unique_ptr<ListenerBackend>& /*listener*/) noexcept {
  return EAFNOSUPPORT;
}

}  // namespace tsock::inline v0::detail

#include <openssl/err.h>

#include <cerrno>
#include <memory>
#include <new>
#include <tsock/tls/context.hpp>
#include <utility>

#include "tls/context_state.hpp"

namespace tsock::inline v0::tls {

Context::Context() noexcept = default;
Context::Context(const Context&) noexcept = default;
Context::Context(Context&&) noexcept = default;
Context& Context::operator=(const Context&) noexcept = default;
Context& Context::operator=(Context&&) noexcept = default;
Context::~Context() = default;
Context::Context(std::shared_ptr<const ContextState> state) noexcept : state_(std::move(state)) {}

Context Context::client(const ClientOptions& options, int& err, std::string& reason) {
  try {
    ERR_clear_error();
    reason.clear();
    return Context(ContextState::make_client(options, err, reason));
  } catch (const std::bad_alloc&) {
    err = ENOMEM;
    return {};
  }
}

Context Context::server(const ServerOptions& options, int& err, std::string& reason) {
  try {
    ERR_clear_error();
    reason.clear();
    return Context(ContextState::make_server(options, err, reason));
  } catch (const std::bad_alloc&) {
    err = ENOMEM;
    return {};
  }
}

}  // namespace tsock::inline v0::tls

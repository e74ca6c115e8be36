#include <cerrno>
#include <memory>
#include <string>
#include <tsock/layer/layer_over.hpp>
#include <tsock/tls/accept.hpp>
#include <tsock/tls/connect.hpp>
#include <utility>

#include "layer/failed_engine.hpp"
#include "tls/openssl_engine.hpp"

namespace tsock::inline v0::tls {

namespace {

std::unique_ptr<layer::Engine> finish_engine(std::unique_ptr<OpenSslEngine> engine, int err) {
  if (err == 0) return engine;
  return std::make_unique<layer::FailedEngine>(err, std::string(engine->reason()));
}

const char* fault_of(const Context& context, ContextState::Side side) noexcept {
  if (!context) return "there is no TLS context";
  return context.state()->side() == side ? nullptr : "the TLS context is for the other side";
}

std::unique_ptr<layer::Engine> make_client(const Context& context, const ConnectOptions& options) {
  if (const char* const fault = fault_of(context, ContextState::Side::client); fault != nullptr)
    return std::make_unique<layer::FailedEngine>(EINVAL, fault);
  auto engine = std::make_unique<OpenSslEngine>(context.state());
  const int err = engine->prepare_client(options);
  return finish_engine(std::move(engine), err);
}

std::unique_ptr<layer::Engine> make_server(const Context& context) {
  if (const char* const fault = fault_of(context, ContextState::Side::server); fault != nullptr)
    return std::make_unique<layer::FailedEngine>(EINVAL, fault);
  auto engine = std::make_unique<OpenSslEngine>(context.state());
  const int err = engine->prepare_server();
  return finish_engine(std::move(engine), err);
}

}  // namespace

Request<Stream> connect(Stream below, const Context& context, const ConnectOptions& options, CallSite site) {
  return layer::layer_over(std::move(below), make_client(context, options), "tls_connect",
                           {.goodbye_time = options.goodbye_time}, site);
}

Request<Stream> accept(Stream below, const Context& context, const AcceptOptions& options, CallSite site) {
  return layer::layer_over(std::move(below), make_server(context), "tls_accept",
                           {.goodbye_time = options.goodbye_time}, site);
}

}  // namespace tsock::inline v0::tls

#include <tsock/tls/listen.hpp>
#include <utility>

namespace tsock::inline v0::tls {

Listener listen(Listener below, const Context& context, layer::ListenOptions options,
                const AcceptOptions& each) {
  return listen(
      std::move(below), [context] { return context; }, std::move(options), each);
}

Listener listen(Listener below, std::function<Context()> context, layer::ListenOptions options,
                const AcceptOptions& each) {
  return layer::listen_over(
      std::move(below),
      [context = std::move(context), each](Stream stream) {
        return accept(std::move(stream), context(), each);
      },
      std::move(options));
}

}  // namespace tsock::inline v0::tls

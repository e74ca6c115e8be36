#include <algorithm>
#include <cerrno>
#include <memory>
#include <new>
#include <tsock/inspect.hpp>
#include <tsock/listener.hpp>
#include <tsock/loop.hpp>
#include <utility>
#include <vector>

#include "core/insight/inspect_session.hpp"
#include "core/loop/background.hpp"

namespace tsock::inline v0 {

class Inspection::Impl {
 public:
  Impl(Listener listener, const InspectOptions& options, CallSite site)
      : listener_(std::move(listener)), options_(options), site_(site) {
    sessions_.reserve(options.most_clients);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() = default;

  [[nodiscard]] Address local_address() const { return listener_.local_address(); }
  [[nodiscard]] std::size_t clients() const noexcept { return sessions_.size(); }

  void accept_next() {
    if (accepting_.is_in_progress() || sessions_.size() >= options_.most_clients) return;
    accepting_.start(listener_.accept(site_), [this](Request<Stream>& request) { on_accepted(request); });
  }

 private:
  using Session = detail::InspectSession;

  // An error here is one of a listener that is broken for good.
  void on_accepted(Request<Stream>& request) {
    int err = 0;
    Stream stream = request.recv(err);
    if (err != 0) return;
    try {
      serve(std::move(stream));
      accept_next();
    } catch (const std::bad_alloc&) {
      // The end of a session tries again.
    }
  }

  void serve(Stream stream) {
    auto session = std::make_unique<Session>(std::move(stream), options_, site_);
    Session& made = *session;
    made.set_over([this, &made] { remove(made); });
    sessions_.push_back(std::move(session));
    made.go_on();
  }

  void remove(const Session& session) {
    std::erase_if(sessions_, [&session](const auto& other) { return other.get() == &session; });
    try {
      accept_next();
    } catch (const std::bad_alloc&) {
      // As above.
    }
  }

  Listener listener_;
  InspectOptions options_;
  CallSite site_;
  detail::Background<Stream> accepting_;
  std::vector<std::unique_ptr<Session>> sessions_;
};

Inspection::Inspection() noexcept = default;
Inspection::Inspection(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Inspection::Inspection(Inspection&& other) noexcept = default;
Inspection& Inspection::operator=(Inspection&& other) noexcept = default;
Inspection::~Inspection() = default;

Address Inspection::local_address() const { return impl_ != nullptr ? impl_->local_address() : Address(); }

std::size_t Inspection::clients() const noexcept { return impl_ != nullptr ? impl_->clients() : 0; }

Inspection inspect(Loop& loop, const Address& address, const InspectOptions& options, int& err,
                   CallSite site) {
  const bool has_file = address.is_unix() && !address.is_unnamed() && !address.is_abstract();
  if (!has_file || options.most_clients == 0) {
    err = EINVAL;
    return {};
  }
  ListenerOptions listening;
  listening.mode = options.mode;
  listening.group = options.group;
  Listener listener = Listener::unix_stream(loop, address, listening, err);
  if (err != 0) return {};
  auto impl = std::make_unique<Inspection::Impl>(std::move(listener), options, site);
  impl->accept_next();
  return Inspection(std::move(impl));
}

}  // namespace tsock::inline v0

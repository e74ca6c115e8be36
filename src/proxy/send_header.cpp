#include <memory>
#include <new>
#include <tsock/operation.hpp>
#include <tsock/proxy/send_header.hpp>
#include <utility>
#include <vector>

#include "core/stream/stream_access.hpp"

namespace tsock::inline v0::proxy {

namespace {

/// A header that cannot be sent, told as other errors are.
class UnsendableHeader final : public Operation<ssize_t> {
 public:
  static constexpr const char* name = "proxy_send_header";
  explicit UnsendableHeader(int err) noexcept : err_(err) {}
  void start() override {
    error(err_, err_ == EMSGSIZE ? "a PROXY header with more values than it can hold"
                                 : "a PROXY header whose addresses do not belong together");
  }

 private:
  int err_;
};

}  // namespace

Request<ssize_t> send_header(Stream& stream, const Header& header, const HeaderFormat& format,
                             CallSite site) {
  Loop* const loop = StreamAccess::loop(stream);
  if (loop == nullptr) return {};
  int err = 0;
  std::vector<std::byte> bytes = format_header(header, err, format);
  if (err != 0) return make_request<UnsendableHeader>({*loop, site}, err);
  return stream.write(std::move(bytes), site);
}

}  // namespace tsock::inline v0::proxy

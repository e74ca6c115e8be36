#pragma once

#include <memory>
#include <tsock/address.hpp>
#include <tsock/proxy/header.hpp>
#include <tsock/stream_backend.hpp>
#include <utility>

#include "core/stream/forwarding_backend.hpp"

namespace tsock::inline v0::proxy {

/// What a backend knows that came with a header.
class HeaderHolder {
 public:
  explicit HeaderHolder(Header header) noexcept : header_(std::move(header)) {}
  HeaderHolder(const HeaderHolder&) = delete;
  HeaderHolder& operator=(const HeaderHolder&) = delete;
  virtual ~HeaderHolder() = default;
  [[nodiscard]] const Header& header() const noexcept { return header_; }
  /// Where the header came from.
  [[nodiscard]] virtual Address proxy_address() const noexcept = 0;

 private:
  Header header_;
};

/// A backend whose addresses are those of a header; all else is that of the one below.
/// \tparam Base what passes it on
template <class Base>
class AddressedBackend final : public Base, public HeaderHolder {
 public:
  AddressedBackend(std::unique_ptr<StreamBackend> below, Header header) noexcept
      : Base(std::move(below)), HeaderHolder(std::move(header)) {}

  [[nodiscard]] Address proxy_address() const noexcept override { return this->below().remote_address(); }
  [[nodiscard]] Address local_address() const noexcept override {
    const Address& address = header().destination;
    return address.is_empty() ? this->below().local_address() : address;
  }
  [[nodiscard]] Address remote_address() const noexcept override {
    const Address& address = header().source;
    return address.is_empty() ? this->below().remote_address() : address;
  }
};

using AddressedStream = AddressedBackend<detail::ForwardingBackend<StreamBackend>>;
using AddressedSocket = AddressedBackend<detail::ForwardingSocket>;

}  // namespace tsock::inline v0::proxy

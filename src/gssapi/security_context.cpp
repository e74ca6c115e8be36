#include <cerrno>
#include <memory_resource>
#include <tsock/gssapi/security_context.hpp>
#include <utility>

#include "gssapi/context.hpp"

namespace tsock::inline v0::gssapi {

SecurityContext::SecurityContext() noexcept = default;
SecurityContext::SecurityContext(SecurityContext&&) noexcept = default;
SecurityContext& SecurityContext::operator=(SecurityContext&&) noexcept = default;
SecurityContext::~SecurityContext() = default;
SecurityContext::SecurityContext(std::unique_ptr<Context> context) noexcept : context_(std::move(context)) {}

SecurityContext SecurityContext::client(const ConnectOptions& options) {
  return SecurityContext(Context::create(options));
}

SecurityContext SecurityContext::server(const AcceptOptions& options) {
  return SecurityContext(Context::create(options));
}

int SecurityContext::step(std::span<const std::byte> token, std::vector<std::byte>& answer, bool& answers) {
  answers = false;
  return context_ != nullptr ? context_->step(token, answer, answers) : EINVAL;
}

bool SecurityContext::is_established() const noexcept {
  return context_ != nullptr && context_->is_established();
}

int SecurityContext::wrap(ByteView plain, Protection protection, std::vector<std::byte>& message) {
  if (!is_established()) return EINVAL;
  if (const int err = context_->check_lifetime(); err != 0) return err;
  layer::ByteBlock block(*std::pmr::new_delete_resource());
  const int err = context_->wrap(plain.bytes(), protection == Protection::confidentiality, block);
  if (err == 0) message.insert(message.end(), block.bytes().begin(), block.bytes().end());
  return err;
}

int SecurityContext::unwrap(std::span<std::byte> message, std::vector<std::byte>& plain,
                            Protection& protection) {
  if (!is_established()) return EINVAL;
  if (const int err = context_->check_lifetime(); err != 0) return err;
  std::span<std::byte> opened;
  layer::WipedBytes holder;
  bool sealed = false;
  const int err = context_->unwrap(message, opened, holder, sealed);
  if (err != 0) return err;
  protection = sealed ? Protection::confidentiality : Protection::integrity;
  plain.insert(plain.end(), opened.begin(), opened.end());
  return 0;
}

std::size_t SecurityContext::wrap_size_limit(std::size_t most, Protection protection) const noexcept {
  return is_established() ? context_->wrap_size_limit(most, protection == Protection::confidentiality) : 0;
}

int SecurityContext::sign(ByteView message, std::vector<std::byte>& signature) {
  if (!is_established()) return EINVAL;
  if (const int err = context_->check_lifetime(); err != 0) return err;
  return context_->sign(message.bytes(), signature);
}

int SecurityContext::verify(ByteView message, ByteView signature) {
  if (!is_established()) return EINVAL;
  if (const int err = context_->check_lifetime(); err != 0) return err;
  return context_->verify(message.bytes(), signature.bytes());
}

Peer SecurityContext::peer() const { return is_established() ? context_->peer() : Peer(); }

std::string_view SecurityContext::reason() const noexcept {
  return context_ != nullptr ? context_->reason() : std::string_view("there is no context");
}

}  // namespace tsock::inline v0::gssapi

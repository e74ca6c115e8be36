#include "proxy/http_engine.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <new>

#include "layer/wiped_text.hpp"
#include "proxy/target_host.hpp"

namespace tsock::inline v0::proxy {

namespace {

constexpr std::string_view http_version = "HTTP/1.";
constexpr std::size_t status_end = 12;  // of "HTTP/1.1 200"
constexpr std::size_t longest_quote = 120;

bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

void append_base64(layer::WipedBytes& to, std::size_t& place, std::string_view first,
                   std::string_view second) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::size_t size = first.size() + second.size();
  const auto byte_at = [&](std::size_t i) -> unsigned {
    if (i >= size) return 0;
    return static_cast<unsigned char>(i < first.size() ? first[i] : second[i - first.size()]);
  };
  for (std::size_t i = 0; i < size; i += 3) {
    const unsigned group = byte_at(i) << 16U | byte_at(i + 1) << 8U | byte_at(i + 2);
    for (std::size_t j = 0; j < 4; ++j) {
      const bool is_padding = i + j > size;
      const char digit = is_padding ? '=' : digits[group >> (18U - 6U * j) & 0x3fU];
      to.bytes()[place++] = static_cast<std::byte>(digit);
    }
  }
}

void append_request_text(layer::WipedBytes& to, std::size_t& place, std::string_view text) {
  for (const char c : text) to.bytes()[place++] = static_cast<std::byte>(c);
}

/// What the proxy has said, fit to be shown.
std::string quote(std::string_view text) {
  std::string shown(text.substr(0, longest_quote));
  std::ranges::replace_if(
      shown, [](char c) { return c < 0x20 || c == 0x7f; }, '?');
  return shown;
}

std::string_view first_line_of(std::string_view head) noexcept {
  std::string_view line = head.substr(0, head.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// The value of the first field of that name, in lower case; empty where there is none.
std::string_view field_of(std::string_view head, std::string_view name) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  while (!head.empty()) {
    const std::string_view line = first_line_of(head);
    const std::size_t end = head.find('\n');
    head = end == std::string_view::npos ? std::string_view() : head.substr(end + 1);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (!std::equal(name.begin(), name.end(), line.begin(), [&](char a, char b) { return a == lower(b); }))
      continue;
    const std::string_view value = line.substr(name.size() + 1);
    return value.substr(std::min(value.find_first_not_of(" \t"), value.size()));
  }
  return {};
}

int errno_of_status(int status) noexcept {
  switch (status) {
    case 401:
    case 403:
    case 407:
      return EACCES;
    case 404:
    case 502:
    case 503:
    case 504:
      return EHOSTUNREACH;
    default:
      return ECONNREFUSED;
  }
}

}  // namespace

HttpOptions::~HttpOptions() { layer::wipe(password); }

HttpEngine::HttpEngine(const Target& target, const HttpOptions& options)
    : most_(options.most_reply), has_credentials_(!options.user.empty()) {
  if (const char* const fault = fault_of(target); fault != nullptr) {
    reason_ = fault;
    return;
  }
  if (options.user.find(':') != std::string::npos || std::ranges::any_of(options.user, is_control) ||
      std::ranges::any_of(options.password, is_control)) {
    reason_ = "a user or password with a character that basic authentication does not have";
    return;
  }
  constexpr std::string_view field = "Proxy-Authorization: Basic ";
  constexpr std::string_view line_end = "\r\n";
  const std::string authority = authority_of(target);
  const std::string begin =
      "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + std::string(line_end);
  const std::size_t secret = options.user.size() + 1 + options.password.size();
  std::size_t size = begin.size() + line_end.size();
  if (has_credentials_) size += field.size() + (secret + 2) / 3 * 4 + line_end.size();
  request_.resize(size);
  std::size_t place = 0;
  append_request_text(request_, place, begin);
  if (has_credentials_) {
    append_request_text(request_, place, field);
    append_base64(request_, place, options.user + ':', options.password);
    append_request_text(request_, place, line_end);
  }
  append_request_text(request_, place, line_end);
  is_usable_ = true;
}

layer::Step HttpEngine::fail(int err, std::string_view reason) noexcept {
  try {
    reason_ = reason;
  } catch (const std::bad_alloc&) {
    reason_.clear();
  }
  return {.err = err};
}

layer::Step HttpEngine::handshake(layer::ByteBlock& in, bool at_end, layer::ByteBlock& out) noexcept {
  if (is_done_) return {};  // asked again until all has left
  if (!is_usable_) return {.err = EINVAL};
  if (request_.size() != 0) {
    if (!out.append(request_.bytes())) return {.err = ENOMEM};
    request_.clear();
  }
  for (;;) {
    const std::string_view text(reinterpret_cast<const char*>(in.bytes().data()), in.size());
    const std::size_t common = std::min(text.size(), http_version.size());
    if (text.substr(0, common) != http_version.substr(0, common))
      return fail(EPROTO, "the proxy does not answer in HTTP");
    // The empty line behind the head; some end lines without CR.
    std::size_t size = 0;
    for (std::size_t i = text.find('\n', scanned_); i != std::string_view::npos && size == 0;
         i = text.find('\n', i + 1)) {
      if (text.substr(i + 1).starts_with('\n')) size = i + 2;
      if (text.substr(i + 1).starts_with("\r\n")) size = i + 3;
    }
    if ((size == 0 && text.size() >= most_) || size > most_)
      return fail(EMSGSIZE, "the reply of the proxy is longer than the limit");
    if (size == 0) {
      if (at_end) return fail(EPROTO, "the proxy has closed before it had answered");
      // The end may have begun.
      scanned_ = text.size() - std::min<std::size_t>(text.size(), 2);
      return {.input = text.size() + 1};
    }
    const layer::Step step = take_head(text.substr(0, size));
    if (step.err != 0) return step;
    in.take(size);
    most_ -= size;
    scanned_ = 0;
    is_done_ = !is_interim_;
    if (is_done_) return {};
  }
}

layer::Step HttpEngine::take_head(std::string_view head) noexcept {
  const std::string_view line = first_line_of(head);
  int status = 0;
  const bool has_shape = line.size() >= status_end && line[7] >= '0' && line[7] <= '9' && line[8] == ' ' &&
                         (line.size() == status_end || line[status_end] == ' ');
  if (has_shape) {
    const auto [end, problem] = std::from_chars(&line[9], &line[9] + 3, status);
    if (problem != std::errc() || end != &line[9] + 3) status = 0;
  }
  if (status < 100 || status > 599) return fail(EPROTO, "the proxy answers with a status line that is none");
  is_interim_ = status < 200 && status != 101;
  if (is_interim_ || status / 100 == 2) return {};
  return refuse(status, head);
}

layer::Step HttpEngine::refuse(int status, std::string_view head) noexcept try {
  std::string reason = "the proxy answers \"" + quote(first_line_of(head).substr(status_end - 3)) + '"';
  if (status == 407) {
    reason += has_credentials_ ? ": it refuses user and password" : ": it wants user and password";
    const std::string_view asked = field_of(head, "proxy-authenticate");
    if (!asked.empty()) reason += " (" + quote(asked) + ')';
  }
  reason_ = std::move(reason);
  return {.err = errno_of_status(status)};
} catch (const std::bad_alloc&) {
  return {.err = errno_of_status(status)};
}

}  // namespace tsock::inline v0::proxy

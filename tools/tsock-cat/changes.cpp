#include "changes.hpp"

#include <cerrno>
#include <string>
#include <string_view>

#include "hexdump.hpp"

namespace tsock_cat {
namespace {

void append(std::vector<std::byte>& out, std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

Flow::Change crlf_change() {
  return [last = std::byte{}](std::span<const std::byte> in, std::vector<std::byte>& out) mutable {
    for (const std::byte byte : in) {
      if (byte == std::byte{'\n'} && last != std::byte{'\r'}) out.push_back(std::byte{'\r'});
      out.push_back(byte);
      last = byte;
    }
    return 0;
  };
}

Flow::Change encode_pdu_change(const NamedFraming& named) {
  return [named](std::span<const std::byte> body, std::vector<std::byte>& out) {
    const tsock::Framing& framing = named.framing;
    if (body.size() > framing.max_body) return EMSGSIZE;
    if (framing.kind == tsock::Framing::Kind::length_prefix) {
      const unsigned width = framing.length_bytes;
      for (unsigned i = 0; i < width; ++i) {
        const unsigned place = framing.big_endian ? width - 1 - i : i;
        out.push_back(static_cast<std::byte>(body.size() >> (8 * place)));
      }
    }
    out.insert(out.end(), body.begin(), body.end());
    if (framing.kind == tsock::Framing::Kind::delimiter) {
      append(out, {framing.delimiter.data(), framing.delimiter_size});
    }
    return 0;
  };
}

Flow::Change print_pdu_change(const NamedFraming& named) {
  return [text = named.is_text](std::span<const std::byte> body, std::vector<std::byte>& out) {
    if (text) {
      out.assign(body.begin(), body.end());
    } else {
      append(out, std::to_string(body.size()));
      if (!body.empty()) {
        append(out, " ");
        append(out, hex_digits(body));
      }
    }
    append(out, "\n");
    return 0;
  };
}

}  // namespace tsock_cat

// Headers of the PROXY protocol: what is found does not depend on the pieces that it comes in, nothing is
// asked for that is there, and what is read can be sent, and is understood again as the same.
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <tsock/proxy/header_format.hpp>
#include <vector>

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tsock::proxy;
  const std::span<const std::byte> input = std::as_bytes(std::span(data, size));
  Header header;
  ParsedHeader whole = parse_header(input, header);
  require(whole.err == 0 || (whole.input == 0 && whole.size == 0 && !whole.reason.empty()));
  require(whole.err != 0 || (whole.input == 0) != (whole.size == 0));
  require(whole.size <= size && (whole.input == 0 || whole.input > size));

  // As a stream has it: what is asked for, and no more.
  std::size_t have = 0;
  ParsedHeader step;
  Header again;
  for (;;) {
    step = parse_header(input.first(have), again);
    if (step.err != 0 || step.input == 0) break;
    require(step.input > have);
    if (step.input > size) break;
    have = step.input;
  }
  require(step.err == whole.err && step.size == whole.size);
  if (whole.err != 0) {
    require(header == Header() && again == Header());
    return 0;
  }
  if (whole.size == 0) return 0;
  require(header == again);
  static_cast<void>(header.ssl());

  int err = 0;
  const std::vector<std::byte> sent = format_header(header, err);
  require(err == 0);
  Header received;
  require(parse_header(sent, received, longest_v2_header).size == sent.size());
  // What is made anew: mapped addresses may change their family, and there is no checksum.
  std::erase_if(header.tlvs, [](const Tlv& tlv) { return tlv.type == Tlv::crc32c; });
  require(received.tlvs == header.tlvs && received.command == header.command &&
          received.transport == header.transport);
  require(format_header(received, err) == sent && err == 0);
  return 0;
}

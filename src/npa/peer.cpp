#include <cerrno>
#include <tsock/npa/peer.hpp>

#include "layer/authenticate.hpp"
#include "npa/pipe_codec.hpp"

namespace tsock::inline v0::npa {

namespace {

const PipeCodec* codec_of(const Stream& stream) noexcept {
  return dynamic_cast<const PipeCodec*>(layer::codec_of(stream));
}

}  // namespace

const Identity* identity(const Stream& stream) noexcept {
  const PipeCodec* const codec = codec_of(stream);
  return codec != nullptr ? codec->identity() : nullptr;
}

Reply reply(const Stream& stream, int& err) noexcept {
  const PipeCodec* const codec = codec_of(stream);
  err = codec != nullptr ? 0 : ENOTSUP;
  return codec != nullptr ? codec->reply() : Reply();
}

Level level(const Stream& stream, int& err) noexcept {
  const PipeCodec* const codec = codec_of(stream);
  err = codec != nullptr ? 0 : ENOTSUP;
  return codec != nullptr ? codec->level() : Level::level8;
}

}  // namespace tsock::inline v0::npa

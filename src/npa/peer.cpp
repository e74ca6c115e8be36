#include <cerrno>
#include <tsock/layer/layer_over.hpp>
#include <tsock/npa/peer.hpp>

#include "layer/record_engine.hpp"
#include "npa/pipe_codec.hpp"

namespace tsock::npa {

namespace {

const PipeCodec* codec_of(const Stream& stream) noexcept {
  const auto* const engine = dynamic_cast<const layer::RecordEngine*>(layer::engine_of(stream));
  return engine != nullptr ? dynamic_cast<const PipeCodec*>(&engine->codec()) : nullptr;
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

}  // namespace tsock::npa

#include "sasl/sasl_mechanism.hpp"

#include <algorithm>
#include <cerrno>
#include <new>

#include "sasl/errors.hpp"
#include "sasl/no_layer.hpp"
#include "sasl/sasl_codec.hpp"

namespace tsock::inline v0::sasl {

namespace {

constexpr std::size_t longest_words = 200;

std::string_view text_in(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void append(std::vector<std::byte>& to, std::span<const std::byte> bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

void append(std::vector<std::byte>& to, std::string_view text) { append(to, std::as_bytes(std::span(text))); }

void begin_frame(std::vector<std::byte>& frame, FrameKind kind) {
  frame.push_back(static_cast<std::byte>(kind));
}

}  // namespace

int SaslMechanism::step(std::span<const std::byte> token, std::vector<std::byte>& answer,
                        bool& answers) noexcept {
  try {
    const int err = take_step(token, answer, answers);
    if (err != 0 && err != EAGAIN && reason_.empty()) reason_ = session()->reason();
    return err;
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
}

int SaslMechanism::fail(int err, std::string_view reason) {
  reason_ = reason;
  return err;
}

std::unique_ptr<layer::Codec> SaslMechanism::codec(layer::RecordEngine::Format& format) {
  if (!session()->has_layer()) return nullptr;
  format = SaslCodec::format(*session());
  return std::make_unique<SaslCodec>(session());
}

std::unique_ptr<layer::Engine> SaslMechanism::engine() { return std::make_unique<NoLayer>(session()); }

// ---- client ----

int SaslClientMechanism::take_step(std::span<const std::byte> token, std::vector<std::byte>& answer,
                                   bool& answers) {
  if (!has_chosen_) return choose(token, answer, answers);
  const auto kind = token.empty() ? FrameKind{} : static_cast<FrameKind>(std::to_integer<char>(token[0]));
  const std::span<const std::byte> bytes = token.empty() ? token : token.subspan(1);
  int err = 0;
  switch (kind) {
    case FrameKind::challenge: {
      Reply reply = state_->step(bytes, err);
      if (err != 0) return err;
      if (reply.bytes) answer = std::move(*reply.bytes);
      answers = true;
      return EAGAIN;
    }
    case FrameKind::success:
      return end(state_->is_done());
    case FrameKind::success_with_bytes: {
      const Reply reply = state_->step(bytes, err);
      return err != 0 ? err : end(reply.is_done);
    }
    case FrameKind::failure:
      return fail(EACCES, "the server refuses: " + printable(text_in(bytes).substr(0, longest_words)));
  }
  return fail(EPROTO, "the server has sent a frame of an unknown kind");
}

int SaslClientMechanism::end(bool is_done) {
  return is_done ? 0 : fail(EPROTO, "the server accepts before it has proved who it is");
}

int SaslClientMechanism::choose(std::span<const std::byte> list, std::vector<std::byte>& answer,
                                bool& answers) {
  int err = 0;
  has_chosen_ = true;
  Reply reply = state_->start(text_in(list), err);
  if (err != 0) return err;
  append(answer, state_->peer().mechanism);
  if (reply.bytes) {
    answer.push_back(std::byte{0});
    append(answer, *reply.bytes);
  }
  answers = true;
  return EAGAIN;
}

// ---- server ----

int SaslServerMechanism::take_step(std::span<const std::byte> token, std::vector<std::byte>& answer,
                                   bool& answers) {
  if (turn_ == Turn::offer) {
    turn_ = Turn::choice;
    return offer(answer, answers);
  }
  int err = 0;
  const Reply reply = turn_ == Turn::choice ? start(token, err) : state_->step(token, err);
  turn_ = Turn::response;
  answers = true;
  if (err != 0) {
    begin_frame(answer, FrameKind::failure);
    append(answer, err == ENOTSUP ? "no such mechanism" : "authentication failed");
    return err;
  }
  begin_frame(answer, !reply.is_done ? FrameKind::challenge
                      : reply.bytes  ? FrameKind::success_with_bytes
                                     : FrameKind::success);
  if (reply.bytes) append(answer, *reply.bytes);
  return reply.is_done ? 0 : EAGAIN;
}

int SaslServerMechanism::offer(std::vector<std::byte>& answer, bool& answers) {
  std::vector<std::string> names;
  if (const int err = state_->offer(names); err != 0) return err;
  for (const std::string& name : names) {
    if (!answer.empty()) append(answer, " ");
    append(answer, name);
  }
  answers = true;
  return EAGAIN;
}

Reply SaslServerMechanism::start(std::span<const std::byte> choice, int& err) {
  const auto end = std::ranges::find(choice, std::byte{0});
  const auto length = static_cast<std::size_t>(end - choice.begin());
  std::optional<std::span<const std::byte>> initial;
  if (length != choice.size()) initial = choice.subspan(length + 1);
  return state_->start(text_in(choice.first(length)), initial, err);
}

}  // namespace tsock::inline v0::sasl

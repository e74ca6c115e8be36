#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace tsock::inline v0::detail {

/// Appends text as the inside of a JSON string (RFC 8259, section 7). A byte that is not UTF-8 becomes
/// U+FFFD, because file names and names of peers may hold anything.
void append_json_text(std::string& out, std::string_view text);

/// Appends a JSON value to a string, piece by piece, in one line. The caller sees to the order: a key before
/// each value in an object, an end for each begin.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) noexcept : out_(out) {}

  void begin_object() { begin('{'); }
  void end_object() { end('}'); }
  void begin_array() { begin('['); }
  void end_array() { end(']'); }
  /// A key that needs no escaping.
  void key(std::string_view name);
  void value(std::string_view text);
  void value(const char* text) { value(std::string_view(text)); }
  void value(bool is_true) { token(is_true ? "true" : "false"); }
  template <std::integral N>
  void value(N number) {
    token(std::to_string(number));
  }
  /// A number, or a value that was made before, as it is.
  void text_of_value(std::string_view text) { token(text); }
  void value(std::chrono::nanoseconds time) { value(time.count()); }
  template <class V>
  void member(std::string_view name, const V& what) {
    key(name);
    value(what);
  }

 private:
  void begin(char bracket);
  void end(char bracket);
  void token(std::string_view text);
  void separate();

  std::string& out_;
  bool needs_comma_ = false;
};

}  // namespace tsock::inline v0::detail

#include "program_words.hpp"

#include <utility>

namespace tsock_cat {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n'; }

// Reads one word from the front of `text`, which does not begin with a blank.
bool read_word(std::string_view& text, std::string& word) {
  char quote = '\0';
  while (!text.empty()) {
    const char c = text.front();
    if (quote == '\0' && is_blank(c)) break;
    text.remove_prefix(1);
    const bool may_escape =
        quote == '\0' || (quote == '"' && (text.starts_with('"') || text.starts_with('\\')));
    if (c == '\\' && may_escape) {
      if (text.empty()) return false;
      word += text.front();
      text.remove_prefix(1);
    } else if (quote == '\0' && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == quote) {
      quote = '\0';
    } else {
      word += c;
    }
  }
  return quote == '\0';
}

}  // namespace

std::optional<std::vector<std::string>> split_program(std::string_view text, std::string& error) {
  std::vector<std::string> words;
  for (;;) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    if (text.empty()) break;
    std::string word;
    if (!read_word(text, word)) {
      error = "a quote is not closed, or nothing follows a backslash";
      return std::nullopt;
    }
    words.push_back(std::move(word));
  }
  if (words.empty() || words.front().empty()) {
    error = "the program is missing, as in exec:cat";
    return std::nullopt;
  }
  return words;
}

}  // namespace tsock_cat

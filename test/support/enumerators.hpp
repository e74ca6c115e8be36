#pragma once

#include <set>
#include <string_view>
#include <tsock/output.hpp>

namespace tsock::test {

/// How many values of an enumeration have a name, each another one; -1 if two have the same.
template <NamedEnum E>
int count_names() {
  const std::string_view none = name_of(static_cast<E>(255));
  std::set<std::string_view> names;
  int count = 0;
  for (int value = 0; value < 255; ++value) {
    const std::string_view name = name_of(static_cast<E>(value));
    if (name == none) continue;
    names.insert(name);
    ++count;
  }
  return static_cast<int>(names.size()) == count ? count : -1;
}

}  // namespace tsock::test

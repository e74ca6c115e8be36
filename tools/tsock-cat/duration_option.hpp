#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "duration.hpp"

namespace tsock_cat {

/// An option whose value is a time.
template <class Value>
void add_duration(CLI::App& app, const std::string& names, Value& value, const std::string& help) {
  const auto read = [names, &value](const std::string& text) {
    const auto duration = parse_duration(text);
    if (!duration) throw CLI::ValidationError(names, text + " is not a time, such as 5, 250ms, 2m");
    value = *duration;
  };
  app.add_option_function<std::string>(names, read, help)->type_name("TIME");
}

}  // namespace tsock_cat

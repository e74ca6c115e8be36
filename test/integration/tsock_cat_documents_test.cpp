#if defined(TSOCK_WITH_TSOCK_CAT)

#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "support/built_programs.hpp"
#include "support/port_apart.hpp"
#include "support/tsock_cat.hpp"
#include "tsock-cat/options.hpp"

using namespace tsock::test::cat;
#ifdef TSOCK_WITH_EXAMPLES
using tsock::test::built_example;
#endif
using tsock::test::has_program;
using tsock::test::port_apart;
using tsock::test::Process;

BOOST_AUTO_TEST_SUITE(tsock_cat_documents)

const std::string source_folder = TSOCK_SOURCE_FOLDER;

// "-x" and "--xx" of the help, as each stands at the beginning of a line.
std::set<std::string> options_of_the_help() {
  std::set<std::string> found;
  std::istringstream lines(run({"--help"}).output);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("  -")) continue;
    std::istringstream names(line.substr(2, line.find_first_of(" [{", 2) - 2));
    for (std::string name; std::getline(names, name, ',');) found.insert(name);
  }
  return found;
}

// The lines of the section EXAMPLES, as a shell has them.
std::vector<std::string> examples_of_the_manual() {
  std::istringstream lines(content_of(source_folder + "/tools/tsock-cat/tsock-cat.1"));
  std::vector<std::string> found;
  bool is_inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(".SH")) is_inside = line == ".SH EXAMPLES";
    if (is_inside && line.starts_with("tsock-cat ")) found.push_back(line);
  }
  return found;
}

// Quotes and redirections are all that examples have of a shell.
std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words(1);
  bool is_quoted = false;
  for (const char c : line.substr(0, line.find_first_of("<>|"))) {
    if (c == '\'') {
      is_quoted = !is_quoted;
    } else if (c == ' ' && !is_quoted) {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  words.erase(std::remove(words.begin(), words.end(), ""), words.end());
  return words;
}

BOOST_AUTO_TEST_CASE(every_example_of_the_manual_is_a_command_line_that_is_understood) {
  const auto examples = examples_of_the_manual();
  BOOST_TEST(examples.size() >= 10U);
  for (const std::string& example : examples) {
    const auto words = words_of(example);
    std::vector<const char*> arguments;
    for (const std::string& word : words) arguments.push_back(word.c_str());
    const auto parsed = tsock_cat::parse_command_line(static_cast<int>(arguments.size()), arguments.data());
    const bool has_interface = contains(example, "%");  // which this host need not have
    BOOST_TEST((parsed.run || (has_interface && contains(parsed.text, "no interface"))),
               example << ": " << parsed.text);
  }
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// With hosts, ports and files of this test. What wants TLS, a KDC or passwords has tests of its own.
BOOST_AUTO_TEST_CASE(the_examples_of_the_manual_run) {
  const tsock::test::TemporaryFolder folder;
  Cat echo({"-k", "--announce", "tcp-listen://127.0.0.1:0", "echo:"});
  Cat discard({"-k", "--announce", "tcp-listen://127.0.0.1:0", "discard:"});
  const std::string echo_address = echo.listening();
  const std::string discard_address = discard.listening();
  const std::vector<std::pair<std::string, std::string>> changes{
      {"example.org 80", "127.0.0.1 " + port_of(echo_address)},
      {"example.org 22,80,443,8000-8010", "127.0.0.1 1," + port_of(echo_address)},
      {"--ping 1000", "--ping 10"},
      {"--bench 5s", "--bench 50ms"},
      {"tcp://127.0.0.1:7000", "tcp://" + echo_address},
      {"tcp://127.0.0.1:7", "tcp://" + echo_address},
      {"tcp://127.0.0.1:9", "tcp://" + discard_address},
      {"tcp://host:9000", "tcp://" + discard_address},
      {"-l 8080", "-l 127.0.0.1 0"},
      {"session.pcapng", folder.file("session.pcapng")},
      {"%eth0", "%lo"},
      {"/run/pipes", folder.file("pipes")},
      {"-listen://:", "-listen://127.0.0.1:"},
      {"127.0.0.1:8080", "127.0.0.1:0"},
      {"-listen://127.0.0.1:7", "-listen://127.0.0.1:0"},
      {"-listen://127.0.0.1:5140", "-listen://127.0.0.1:0"},
      {"-listen://127.0.0.1:5000", "-listen://:0"},  // a group
      {"-listen://127.0.0.1:53", "-listen://127.0.0.1:0"}};
  std::filesystem::create_directory(folder.file("pipes"));
  unsigned ran = 0;
  for (const std::string& example : examples_of_the_manual()) {
    if (contains(example, "tls") || contains(example, "gssapi") || contains(example, "sasl")) continue;
#if !defined(TSOCK_WITH_NPA)
    if (contains(example, "npa")) continue;
#endif
    std::string line = example;
    for (const auto& [from, to] : changes) replace_all(line, from, to);
    std::vector<std::string> words = words_of(line);
    words.erase(words.begin());
    ++ran;
    if (!contains(line, "listen") && !contains(line, " -l ")) {
      const CatOutcome outcome =
          run(words, contains(line, "--ping") || contains(line, "-z") ? "" : "hello\n");
      BOOST_TEST(outcome.status == 0, line << ": " << outcome.error);
      continue;
    }
    words.insert(words.begin(), "--announce");
    Cat server(words);
    static_cast<void>(server.listening());
    server.kill(SIGTERM);
    BOOST_TEST(server.wait() == 130, line << ": " << server.error());
  }
  BOOST_TEST(ran >= 12U);
}

BOOST_AUTO_TEST_CASE(the_manual_has_every_option_of_the_help) {
  std::string manual = content_of(source_folder + "/tools/tsock-cat/tsock-cat.1");
  manual.erase(std::remove(manual.begin(), manual.end(), '\\'), manual.end());
  for (const std::string& option : options_of_the_help()) BOOST_TEST(contains(manual, option), option);
}

// The blocks of commands in the tool's section of the README, as far as they end.
std::vector<std::string> blocks_of_the_readme() {
  std::string text = content_of(source_folder + "/README.md");
  text = text.substr(text.find("\n## tsock-cat\n"));
  text.resize(text.find("\n## What is there"));
  std::vector<std::string> found;
  for (std::size_t at = text.find("```sh\n"); at != std::string::npos; at = text.find("```sh\n", at + 1)) {
    const std::size_t begin = at + 6;
    std::string block = text.substr(begin, text.find("```", begin) - begin);
    if (!contains(block, ":8080")) found.push_back(std::move(block));
  }
  return found;
}

// With this program and other ports; a server in the background is waited for.
BOOST_AUTO_TEST_CASE(what_the_readme_shows_works) {
  if (!has_program("bash")) return;
  const auto blocks = blocks_of_the_readme();
  const std::string program_folder = std::filesystem::path(executable()).parent_path().string();
  BOOST_TEST(blocks.size() == 4U);
#ifdef TSOCK_WITH_EXAMPLES
  const std::string folders =
      program_folder + ":" + std::filesystem::path(built_example("inspected")).parent_path().string();
#else
  const std::string folders = program_folder;
#endif
  for (std::string block : blocks) {
#ifndef TSOCK_WITH_EXAMPLES
    if (contains(block, "inspected")) continue;
#endif
    const tsock::test::TemporaryFolder folder;
    static_cast<void>(folder.write("README.md", many_bytes(100000)));
    const std::string echo = std::to_string(port_apart());
    replace_all(block, ":7007", ":" + echo);
    replace_all(block, "7000-7010", echo);
    replace_all(block, ":7008", ":" + std::to_string(port_apart()));
    replace_all(block, ":7009", ":" + std::to_string(port_apart()));
    replace_all(block, ":7011", ":" + std::to_string(port_apart()));
    replace_all(block, "/tmp/inspect", folder.file("inspect"));
    replace_all(block, "trace.json &", "trace.json > said &");
    replace_all(block, " &\n", " 2> said & until grep -q listening said 2> /dev/null; do :; done\n");
    Process bash({"bash", "-ec", "cd " + folder.file(".") + "\nPATH=" + folders + ":$PATH\n" + block});
    BOOST_TEST(bash.finish() == 0, block << bash.error());
    const bool has_said = contains(bash.output(), "hello") || contains(bash.output(), "question") ||
                          contains(bash.output(), " accept ") ||
                          content_of(folder.file("copy")) == many_bytes(100000);
    BOOST_TEST(has_said, block << bash.output() << bash.error());
  }
}

// What bash offers for a word.
std::set<std::string> completions(const std::string& before, const std::string& word) {
  const std::string script = ". " + source_folder +
                             "/tools/tsock-cat/completion/tsock-cat.bash; COMP_WORDS=(" + executable() + " " +
                             before + " '" + word + "'); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); " +
                             "_tsock_cat; printf '%s\\n' \"${COMPREPLY[@]}\"";
  Process bash({"bash", "-c", script});
  BOOST_TEST(bash.finish() == 0, bash.error());
  std::istringstream lines(bash.output());
  std::set<std::string> found;
  for (std::string line; std::getline(lines, line);) found.insert(line);
  return found;
}

BOOST_AUTO_TEST_CASE(bash_completes_every_option_of_the_help) {
  if (!has_program("bash")) return;
  BOOST_TEST((completions("", "-") == options_of_the_help()));
  BOOST_TEST((completions("--pdu", "u16") == std::set<std::string>{"u16be", "u16le"}));
  BOOST_TEST(completions("", "tcp-l").contains("tcp-listen://"));
}

BOOST_AUTO_TEST_CASE(zsh_reads_its_completion) {
  if (!has_program("zsh")) return;
  Process zsh({"zsh", "-n", source_folder + "/tools/tsock-cat/completion/_tsock-cat"});
  BOOST_TEST(zsh.finish() == 0, zsh.error());
}

BOOST_AUTO_TEST_SUITE_END()

#endif

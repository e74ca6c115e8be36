#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tsock::inline v0 {

/// What standard input and output of a child process are, see `ChildProcess::stream()`.
enum class ChildStream : std::uint8_t {
  /// A pair of unix sockets. `shutdown_write()` ends the child's input; its output ends when the child, and
  /// whoever it has given the socket to, is gone.
  socket,
  /// Two pipes, for a program that asks for them (it opens /dev/stdin, say). Here the child can also end its
  /// output and go on reading.
  pipes,
  null_device,  ///< /dev/null, and no stream
  inherit       ///< those of this process, and no stream
};

/// What standard error of a child process is.
enum class ChildErrors : std::uint8_t {
  inherit,      ///< that of this process; /dev/null if that is closed
  null_device,  ///< /dev/null
  output,       ///< where standard output goes
  stream,       ///< `ChildProcess::errors()`: a pipe, to be read while the child runs, as a full one stops it
  file          ///< SpawnOptions::error_file
};

/// What becomes of a child process that runs when its ChildProcess is destroyed, or its Loop.
enum class ChildFate : std::uint8_t {
  kill,  ///< SIGKILL: it, and its process group if it leads one
  leave  ///< it goes on, without its streams
};

/// What `spawn()` starts. Text must not contain NUL.
struct SpawnOptions {
  /// A path if it contains a slash, relative to `directory`; else a name to be found in the PATH of this
  /// process.
  std::string program = {};
  /// Behind the program's name, which is `program`. No shell reads them.
  std::vector<std::string> arguments = {};
  /// All variables, as "NAME=value"; none: those of this process.
  std::optional<std::vector<std::string>> environment = {};
  std::string directory = {};  ///< its current directory; empty: that of this process
  ChildStream stream = ChildStream::socket;
  ChildErrors errors = ChildErrors::inherit;
  std::string error_file = {};     ///< of ChildErrors::file: appended to, made with mode 0666 less umask(2)
  bool own_process_group = false;  ///< leads a new group, to which `ChildProcess::kill()` sends
  ChildFate fate = ChildFate::kill;
};

}  // namespace tsock::inline v0

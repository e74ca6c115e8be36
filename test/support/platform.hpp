#pragma once

#include <cstddef>
#include <filesystem>

struct uv_loop_s;

/// What the tests' own code asks of the system: posix_platform.cpp, windows_platform.cpp.
namespace tsock::test {

/// By how much tests shorten what they read byte by byte. Under Wine each call on a socket is a conversation
/// with another process.
#if defined(_WIN32)
inline constexpr std::size_t cost_of_calls = 8;
#else
inline constexpr std::size_t cost_of_calls = 1;
#endif

/// An empty folder that nobody else has.
[[nodiscard]] std::filesystem::path make_temp_directory();

/// SIGPIPE ends the program, where there is such a signal.
void let_sigpipe_end_us() noexcept;

/// Runs a libuv loop until what is being closed is closed, where that takes the system some time.
void end_of_closing(uv_loop_s* loop) noexcept;

/// Whether an error of a write says that the peer has closed. Windows tells that as a reset.
[[nodiscard]] bool tells_closed_peer(int err) noexcept;

}  // namespace tsock::test

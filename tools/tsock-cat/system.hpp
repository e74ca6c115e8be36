#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <tsock/address.hpp>
#include <tsock/native_socket.hpp>

/// What tsock-cat asks of the system and the library has no function for: posix_system.cpp,
/// windows_system.cpp.
namespace tsock_cat {

/// Opens what is missing of the standard descriptors. Whoever started this process may have closed them. Then
/// there is no input, and output goes nowhere; none of the numbers becomes that of a socket or file, which
/// would get the output.
void open_missing_descriptors();
/// Allows as many descriptors as the system does.
void raise_descriptor_limit();
/// Writing to what nobody reads is an error of the write alone.
void ignore_broken_pipes();
/// Whether who started this process does not want it to hear of the signal: a shell's background job, nohup.
[[nodiscard]] bool is_signal_ignored(int signum);

[[nodiscard]] unsigned process_id();
[[nodiscard]] bool is_terminal(int descriptor);
/// Columns of the terminal, or nothing.
[[nodiscard]] std::optional<std::size_t> terminal_width(int descriptor);

/// Removes a variable of the environment.
void remove_variable(const char* name);

/// Opens a file for reading that programs that are started do not inherit. \return nullptr with errno
[[nodiscard]] std::FILE* open_private(const char* path);
/// Whether all users of the system may read or write the file. \return 0 or an errno value
int look_who_reads(std::FILE* file, bool& others);
/// Opens a file of which only its owner may read what is appended. \return nullptr with errno
[[nodiscard]] std::FILE* append_private(const char* path);

[[nodiscard]] std::optional<unsigned> interface_index(const char* name);
/// The port of a service by its name.
[[nodiscard]] std::optional<std::uint16_t> service_port(std::string_view name, bool datagram);
/// The name of the service that a port belongs to, or an empty text.
[[nodiscard]] std::string service_name(std::uint16_t port, bool datagram);

enum class PeerState : std::uint8_t { there, gone, reset };
/// What is known of the peer without reading.
[[nodiscard]] PeerState look_at_peer(tsock::NativeSocket socket);
/// \return 0 or an errno value
int connect_socket(tsock::NativeSocket socket, const tsock::Address& address);

}  // namespace tsock_cat

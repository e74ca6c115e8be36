#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// What the load does:  load KIND --ports P[,P...] --server PID [option value]..., or --unix NAME for the
/// ports
struct LoadOptions {
  /// echo, connect, crowd (connections that stay), handshake, sink (the server reads), source (the server
  /// writes), datagram
  std::string kind;
  std::vector<std::uint16_t> ports;
  std::string unix_name;  ///< of an abstract socket, in place of the ports
  pid_t server = 0;
  double seconds = 1;
  double warmup = 0.1;
  std::size_t connections = 1;
  std::size_t active = 0;     ///< connections that send; 0: all
  std::size_t in_flight = 1;  ///< of each connection
  std::size_t smallest = 64;  ///< body bytes, without the length prefix
  std::size_t largest = 64;   ///< when larger: sizes between both, evenly spread over their logarithm
  std::size_t reply = 0;      ///< body bytes of a reply that is no echo
  bool tls = false;           ///< echo, sink and source over TLS; a handshake always is
  std::string gssapi;         ///< echo, sink and source over GSSAPI: sealed or integrity
  bool npa = false;           ///< echo: a connection begins with a request of NPA
  bool messages = false;      ///< echo: lengths are those of NPA in message mode, two bytes
  bool resume = false;        ///< a handshake takes the session of the one before
  bool memory = false;  ///< measure the server's memory for a connection instead: idle, of a crowd closed
  std::string heap;     ///< file of the server's HeapCounters

  LoadOptions(int argc, char** argv) {
    if (argc < 2 || argc % 2 != 0) fail("usage: bench_load KIND --option value...");
    kind = argv[1];
    for (int i = 2; i < argc; i += 2) set(argv[i], argv[i + 1]);
    if (active == 0 || active > connections) active = connections;
    if (largest < smallest) largest = smallest;
    if ((ports.empty() && unix_name.empty()) || server == 0) fail("--ports and --server are needed");
  }

  [[noreturn]] static void fail(const char* what) {
    std::fprintf(stderr, "load: %s\n", what);
    std::exit(2);
  }

 private:
  void set(std::string_view name, const char* value) {
    const auto number = [value] { return std::strtoul(value, nullptr, 10); };
    if (name == "--ports") {
      for (const char* p = value; *p != '\0';) {
        char* end = nullptr;
        ports.push_back(static_cast<std::uint16_t>(std::strtoul(p, &end, 10)));
        if (end == p) fail("ports are numbers with commas between them");
        p = *end == ',' ? end + 1 : end;
      }
    } else if (name == "--unix") {
      unix_name = value;
    } else if (name == "--server") {
      server = static_cast<pid_t>(number());
    } else if (name == "--seconds") {
      seconds = std::strtod(value, nullptr);
    } else if (name == "--warmup") {
      warmup = std::strtod(value, nullptr);
    } else if (name == "--connections") {
      connections = number();
    } else if (name == "--active") {
      active = number();
    } else if (name == "--in-flight") {
      in_flight = number();
    } else if (name == "--smallest") {
      smallest = number();
    } else if (name == "--largest") {
      largest = number();
    } else if (name == "--reply") {
      reply = number();
    } else if (name == "--tls") {
      tls = number() != 0;
    } else if (name == "--gssapi") {
      gssapi = value;
    } else if (name == "--npa") {
      npa = number() != 0;
    } else if (name == "--messages") {
      messages = number() != 0;
    } else if (name == "--resume") {
      resume = number() != 0;
    } else if (name == "--memory") {
      memory = number() != 0;
    } else if (name == "--heap") {
      heap = value;
    } else {
      fail("unknown option");
    }
  }
};

}  // namespace bench

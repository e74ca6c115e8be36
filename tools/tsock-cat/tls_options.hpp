#pragma once

#include <string>
#include <vector>

namespace tsock_cat {

/// What the options for tls:// and tls-listen:// say. Names of files, and the words of the command line.
struct TlsOptions {
  // whom to trust
  std::string ca_file;
  std::string ca_directory;
  bool no_system_cas = false;
  std::string crl_file;
  std::vector<std::string> pins;
  std::string verify = "ca_and_name";
  std::string peer_name;    ///< instead of the host
  std::string server_name;  ///< SNI instead of that
  std::string client_auth = "none";

  // who one is
  std::vector<std::string> certificate_files;
  std::vector<std::string> key_files;  ///< in the order of `certificate_files`; none: the keys are in those
  std::vector<std::string> pkcs12_files;
  std::string password_file;
  std::string psk_file;
  bool allow_readable_key = false;

  // the protocol
  std::string lowest = "1.2";
  std::string highest = "1.3";
  std::string ciphers;
  std::string cipher_suites;
  std::string groups;
  std::vector<std::string> alpn;
  bool allow_truncation = false;

  // what is told
  std::string key_log_file;
  bool show = false;
};

}  // namespace tsock_cat

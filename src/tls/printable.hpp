#pragma once

#include <openssl/x509v3.h>

#include <span>
#include <string>

#include "tls/openssl.hpp"

namespace tsock::inline v0::tls {

/// Names come from the peer, and go to logs and terminals: what is not printable ASCII becomes \xNN.
void append_printable(std::string& text, std::span<const unsigned char> bytes);

/// A name of a certificate in the form of RFC 2253, printable. Throws std::bad_alloc.
[[nodiscard]] std::string printable_name(const X509_NAME* name);

/// A subject alternative name, without its kind if it is a DNS name or an IP address. Throws std::bad_alloc.
[[nodiscard]] std::string printable_name(GENERAL_NAME& name);

struct GeneralNamesFree {
  void operator()(GENERAL_NAMES* names) const noexcept { GENERAL_NAMES_free(names); }
};
using GeneralNamesPointer = std::unique_ptr<GENERAL_NAMES, GeneralNamesFree>;

/// The subject alternative names; null if there are none.
[[nodiscard]] GeneralNamesPointer alternative_names(const X509& certificate) noexcept;

/// The hash of the SubjectPublicKeyInfo, which is what a pinned key is. \return whether it was computed
[[nodiscard]] bool hash_public_key(const X509& certificate, std::span<unsigned char, 32> hash) noexcept;

}  // namespace tsock::inline v0::tls

#include "tls/printable.hpp"

#include <openssl/err.h>

#include <new>
#include <string_view>

namespace tsock::inline v0::tls {

namespace {

OpenSslPointer<BIO> make_memory() {
  OpenSslPointer<BIO> memory(BIO_new(BIO_s_mem()));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

std::string text_in(BIO& memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(&memory, &data);
  std::string text;
  append_printable(text, {reinterpret_cast<const unsigned char*>(data), static_cast<std::size_t>(size)});
  return text;
}

std::span<const unsigned char> bytes_in(const ASN1_STRING& string) noexcept {
  return {ASN1_STRING_get0_data(&string), static_cast<std::size_t>(ASN1_STRING_length(&string))};
}

}  // namespace

void append_printable(std::string& text, std::span<const unsigned char> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const unsigned char byte : bytes) {
    if (byte >= 0x20 && byte < 0x7f) {
      text += static_cast<char>(byte);
    } else {
      text += "\\x";
      text += digits[byte >> 4U];
      text += digits[byte & 15U];
    }
  }
}

std::string printable_name(const X509_NAME* name) {
  const OpenSslPointer<BIO> memory = make_memory();
  X509_NAME_print_ex(memory.get(), name, 0, XN_FLAG_RFC2253);
  return text_in(*memory);
}

std::string printable_name(GENERAL_NAME& name) {
  std::string text;
  if (name.type == GEN_DNS) {
    append_printable(text, bytes_in(*name.d.dNSName));
    return text;
  }
  if (name.type == GEN_EMAIL || name.type == GEN_URI) {
    text = name.type == GEN_EMAIL ? "email:" : "URI:";
    append_printable(text, bytes_in(*name.d.ia5));
    return text;
  }
  const OpenSslPointer<BIO> memory = make_memory();
  GENERAL_NAME_print(memory.get(), &name);
  text = text_in(*memory);
  return name.type == GEN_IPADD ? text.substr(text.find(':') + 1) : text;
}

GeneralNamesPointer alternative_names(const X509& certificate) noexcept {
  GeneralNamesPointer names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  ERR_clear_error();
  return names;
}

bool hash_public_key(const X509& certificate, std::span<unsigned char, 32> hash) noexcept {
  unsigned char* encoded = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(&certificate), &encoded);
  const bool is_hashed = size > 0 && EVP_Digest(encoded, static_cast<std::size_t>(size), hash.data(), nullptr,
                                                EVP_sha256(), nullptr) == 1;
  OPENSSL_free(encoded);
  return is_hashed;
}

}  // namespace tsock::inline v0::tls

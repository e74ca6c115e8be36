#include "tls/key_material.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <tsock/error.hpp>
#include <utility>
#include <vector>

#include "layer/wiped_text.hpp"
#include "tls/key_file.hpp"

namespace tsock::inline v0::tls {

namespace {

constexpr const char* wrong_password = ": the password is wrong";

struct FileClose {
  void operator()(std::FILE* file) const noexcept { static_cast<void>(std::fclose(file)); }
};

enum class Readers : bool { all, few };

// The file that is read is the one that was looked at.
int read_from(const std::string& path, Readers readers, layer::WipedText& text, std::string& reason) {
  const std::unique_ptr<std::FILE, FileClose> file(open_key_file(path.c_str()));
  bool others = false;
  const int failure = file == nullptr ? errno : look_who_reads(file.get(), others);
  if (failure != 0) {
    reason = path + ": " + error_text(failure);
    return failure;
  }
  if (readers == Readers::few && others) {
    reason = path + ": others may read or write this key";
    return EACCES;
  }
  // A buffer of the file would not be wiped.
  static_cast<void>(std::setvbuf(file.get(), nullptr, _IONBF, 0));
  layer::WipedBytes buffer(std::vector<std::byte>(4096));
  while (const std::size_t got = std::fread(buffer.bytes().data(), 1, buffer.size(), file.get()))
    text.append({reinterpret_cast<const char*>(buffer.bytes().data()), got});
  const int err = std::ferror(file.get()) != 0 ? errno : 0;
  if (err != 0) reason = path + ": " + error_text(err);
  return err;
}

OpenSslPointer<BIO> open_text(const std::string& text) noexcept {
  if (text.size() > INT_MAX) return nullptr;
  return OpenSslPointer<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// A password, and whether it was needed.
struct Password {
  const std::string& text;
  bool is_asked_for = false;
};

// No password is asked for on a terminal.
int give_password(char* buffer, int size, int /*writes*/, void* asked) {
  auto& password = *static_cast<Password*>(asked);
  password.is_asked_for = true;
  if (password.text.size() > static_cast<std::size_t>(size)) return -1;
  std::copy(password.text.begin(), password.text.end(), buffer);
  return static_cast<int>(password.text.size());
}

// The end of the text is an error, too.
bool is_at_end_of_pem() noexcept {
  const unsigned long last = ERR_peek_last_error();
  const bool is_end = last == 0 || ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
  if (is_end) ERR_clear_error();
  return is_end;
}

template <class Object, class Read>
int read_all(const std::string& pem, const std::string& source, const char* what, Read read,
             std::vector<OpenSslPointer<Object>>& objects, std::string& reason) {
  const OpenSslPointer<BIO> text = open_text(pem);
  if (text == nullptr) return ENOMEM;
  for (;;) {
    OpenSslPointer<Object> object(read(text.get(), nullptr, nullptr, nullptr));
    if (object == nullptr) break;
    objects.push_back(std::move(object));
  }
  if (!is_at_end_of_pem()) return openssl_failure(EINVAL, source, reason);
  if (!objects.empty()) return 0;
  reason = source + ": no " + what;
  return EINVAL;
}

int read_pkcs12(const Identity& identity, KeyMaterial& material, std::string& reason) {
  layer::WipedText bytes(std::string_view(identity.pkcs12));
  std::string source = "the PKCS#12 data";
  if (bytes.text().empty()) {
    source = identity.pkcs12_file;
    const Readers readers = identity.allow_readable_key ? Readers::all : Readers::few;
    if (const int err = read_from(source, readers, bytes, reason); err != 0) return err;
  }
  const OpenSslPointer<BIO> text = open_text(bytes.text());
  if (text == nullptr) return ENOMEM;
  const OpenSslPointer<PKCS12> container(d2i_PKCS12_bio(text.get(), nullptr));
  EVP_PKEY* key = nullptr;
  X509* certificate = nullptr;
  STACK_OF(X509)* chain = nullptr;
  if (container == nullptr ||
      PKCS12_parse(container.get(), identity.password.c_str(), &key, &certificate, &chain) != 1) {
    const bool is_password = ERR_GET_REASON(ERR_peek_last_error()) == PKCS12_R_MAC_VERIFY_FAILURE;
    const int err = openssl_failure(EINVAL, source, reason);
    if (err == EINVAL && container != nullptr && is_password) reason = source + wrong_password;
    return err;
  }
  material.key.reset(key);
  material.certificate.reset(certificate);
  material.chain.reset(chain);
  if (key != nullptr && certificate != nullptr) return 0;
  reason = source + ": no certificate with its key";
  return EINVAL;
}

int read_pem_key(const Identity& identity, KeyMaterial& material, std::string& reason) {
  layer::WipedText pem(std::string_view(identity.key_pem));
  std::string source = "the key";
  if (pem.text().empty() && !identity.key_file.empty()) {
    source = identity.key_file;
    const Readers readers = identity.allow_readable_key ? Readers::all : Readers::few;
    if (const int err = read_from(source, readers, pem, reason); err != 0) return err;
  }
  if (pem.text().empty()) {
    reason = "a certificate needs its key";
    return EINVAL;
  }
  const OpenSslPointer<BIO> text = open_text(pem.text());
  if (text == nullptr) return ENOMEM;
  Password password{.text = identity.password};
  material.key.reset(PEM_read_bio_PrivateKey(text.get(), nullptr, give_password, &password));
  if (material.key != nullptr) return 0;
  const int err = openssl_failure(EINVAL, source, reason);
  if (err == EINVAL && password.is_asked_for)
    reason =
        source + (password.text.empty() ? ": it is encrypted, and no password is given" : wrong_password);
  return err;
}

int read_pem(const Identity& identity, KeyMaterial& material, std::string& reason) {
  std::string pem = identity.certificate_pem;
  std::string source = "the certificate";
  if (pem.empty() && !identity.certificate_file.empty()) {
    source = identity.certificate_file;
    if (const int err = read_file(source, pem, reason); err != 0) return err;
  }
  if (pem.empty()) {
    reason = "a key needs its certificate";
    return EINVAL;
  }
  std::vector<OpenSslPointer<X509>> certificates;
  if (const int err = read_certificates(pem, source, certificates, reason); err != 0) return err;
  material.certificate = std::move(certificates.front());
  material.chain.reset(sk_X509_new_null());
  if (material.chain == nullptr) return ENOMEM;
  for (std::size_t i = 1; i < certificates.size(); ++i) {
    if (sk_X509_push(material.chain.get(), certificates[i].get()) == 0) return ENOMEM;
    static_cast<void>(certificates[i].release());  // the chain's now
  }
  return read_pem_key(identity, material, reason);
}

}  // namespace

Identity::~Identity() {
  for (std::string* const secret : {&key_pem, &pkcs12, &password}) layer::wipe(*secret);
}

int openssl_failure(int err, const std::string& what, std::string& reason) {
  OpenSslError error = take_error(err);
  reason = error.reason.empty() ? what + ": not accepted" : what + ": " + error.reason;
  return error.err;
}

int read_file(const std::string& path, std::string& text, std::string& reason) {
  layer::WipedText content;
  const int err = read_from(path, Readers::all, content, reason);
  text += content.text();
  return err;
}

int read_certificates(const std::string& pem, const std::string& source,
                      std::vector<OpenSslPointer<X509>>& certificates, std::string& reason) {
  return read_all(pem, source, "certificate", PEM_read_bio_X509, certificates, reason);
}

int read_revocation_lists(const std::string& pem, const std::string& source,
                          std::vector<OpenSslPointer<X509_CRL>>& lists, std::string& reason) {
  return read_all(pem, source, "revocation list", PEM_read_bio_X509_CRL, lists, reason);
}

int read_identity(const Identity& identity, KeyMaterial& material, std::string& reason) {
  const bool is_pkcs12 = !identity.pkcs12.empty() || !identity.pkcs12_file.empty();
  const bool is_pem = !identity.certificate_pem.empty() || !identity.certificate_file.empty() ||
                      !identity.key_pem.empty() || !identity.key_file.empty();
  if (is_pkcs12 && is_pem) {
    reason = "an identity is either PEM or PKCS#12";
    return EINVAL;
  }
  if (!is_pkcs12 && !is_pem) return 0;
  int err = is_pkcs12 ? read_pkcs12(identity, material, reason) : read_pem(identity, material, reason);
  layer::wipe_stack();  // of the password, which OpenSSL leaves there on some processors
  if (err == 0 && X509_check_private_key(material.certificate.get(), material.key.get()) != 1)
    err = openssl_failure(EINVAL, "the key does not belong to the certificate", reason);
  material.ocsp_response = identity.ocsp_response;
  if (err == 0 && material.ocsp_response.empty() && !identity.ocsp_response_file.empty())
    err = read_file(identity.ocsp_response_file, material.ocsp_response, reason);
  return err;
}

}  // namespace tsock::inline v0::tls

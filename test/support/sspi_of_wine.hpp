#pragma once

#include <windows.h>
//
#define SECURITY_WIN32
#include <security.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace tsock::test {

/// Wine's SSPI with messages in the shape that Windows gives them. Wine 8 makes a message of GSSAPI, but
/// gives its first bytes as data and its last ones as token, which are more than it says that it needs; and
/// it opens only what is cut so, no stream. The functions here cut the same bytes as Windows does; whatever
/// is done to them is Wine's. On Windows itself the table is the system's, as it is.
class SspiOfWine {
 public:
  static PSecurityFunctionTableW WINAPI table() {
    static SecurityFunctionTableW functions = make();
    return &functions;
  }

 private:
  // Of messages in RFC 4121, with the encryption of the tests' KDC.
  static constexpr unsigned long around_sealed = 60;
  static constexpr unsigned long around_signed = 28;
  static constexpr std::size_t flags_place = 2;
  static constexpr std::byte sealed_flag{2};

  static PSecurityFunctionTableW& real() {
    static PSecurityFunctionTableW functions = nullptr;
    return functions;
  }

  // GetProcAddress() knows no types.
  template <class Function>
  static Function function_of(const char* library, const char* name) {
    return reinterpret_cast<Function>(
        reinterpret_cast<void*>(::GetProcAddress(::LoadLibraryA(library), name)));
  }

  static SecurityFunctionTableW make() {
    real() = function_of<INIT_SECURITY_INTERFACE_W>("secur32.dll", "InitSecurityInterfaceW")();
    SecurityFunctionTableW functions = *real();
    if (function_of<void (*)()>("ntdll.dll", "wine_get_version") != nullptr) {
      functions.QueryContextAttributesW = query;
      functions.EncryptMessage = encrypt;
      functions.DecryptMessage = decrypt;
    }
    return functions;
  }

  static SecBuffer& part(SecBufferDesc* message, unsigned long type) {
    const std::span buffers(message->pBuffers, message->cBuffers);
    return *std::ranges::find(buffers, type, &SecBuffer::BufferType);
  }

  static SECURITY_STATUS WINAPI query(PCtxtHandle context, unsigned long attribute, void* value) {
    const SECURITY_STATUS status = real()->QueryContextAttributesW(context, attribute, value);
    if (status == SEC_E_OK && attribute == SECPKG_ATTR_SIZES)
      static_cast<SecPkgContext_Sizes*>(value)->cbSecurityTrailer = around_sealed;
    return status;
  }

  static SECURITY_STATUS WINAPI encrypt(PCtxtHandle context, unsigned long quality, SecBufferDesc* message,
                                        unsigned long number) {
    SecBuffer& token = part(message, SECBUFFER_TOKEN);
    SecBuffer& data = part(message, SECBUFFER_DATA);
    std::array<std::byte, around_sealed> tail{};
    std::array made{SecBuffer{data.cbBuffer, SECBUFFER_DATA, data.pvBuffer},
                    SecBuffer{static_cast<unsigned long>(tail.size()), SECBUFFER_TOKEN, tail.data()}};
    SecBufferDesc all{SECBUFFER_VERSION, static_cast<unsigned long>(made.size()), made.data()};
    const SECURITY_STATUS status = real()->EncryptMessage(context, quality, &all, number);
    if (status != SEC_E_OK) return status;
    if (made[1].cbBuffer > token.cbBuffer) return SEC_E_BUFFER_TOO_SMALL;
    const std::span head(static_cast<std::byte*>(data.pvBuffer), data.cbBuffer);
    std::vector<std::byte> bytes(head.begin(), head.end());
    bytes.insert(bytes.end(), tail.begin(), tail.begin() + made[1].cbBuffer);
    token.cbBuffer = made[1].cbBuffer;
    const auto border = bytes.begin() + token.cbBuffer;
    std::copy(bytes.begin(), border, static_cast<std::byte*>(token.pvBuffer));
    std::copy(border, bytes.end(), head.begin());
    part(message, SECBUFFER_PADDING).cbBuffer = 0;
    return status;
  }

  static SECURITY_STATUS WINAPI decrypt(PCtxtHandle context, SecBufferDesc* message, unsigned long number,
                                        unsigned long* quality) {
    const SecBuffer& stream = part(message, SECBUFFER_STREAM);
    const std::span bytes(static_cast<std::byte*>(stream.pvBuffer), stream.cbBuffer);
    if (bytes.size() <= flags_place) return SEC_E_INVALID_TOKEN;
    const unsigned long around =
        (bytes[flags_place] & sealed_flag) != std::byte{0} ? around_sealed : around_signed;
    if (bytes.size() < around) return SEC_E_INVALID_TOKEN;
    const std::span head = bytes.first(bytes.size() - around);
    const std::span tail = bytes.last(around);
    std::array given{SecBuffer{static_cast<unsigned long>(head.size()), SECBUFFER_DATA, head.data()},
                     SecBuffer{static_cast<unsigned long>(tail.size()), SECBUFFER_TOKEN, tail.data()}};
    SecBufferDesc all{SECBUFFER_VERSION, static_cast<unsigned long>(given.size()), given.data()};
    const SECURITY_STATUS status = real()->DecryptMessage(context, &all, number, quality);
    if (status != SEC_E_OK) return status;
    SecBuffer& data = part(message, SECBUFFER_DATA);
    data.pvBuffer = given[0].pvBuffer;
    data.cbBuffer = given[0].cbBuffer;
    return status;
  }
};

}  // namespace tsock::test

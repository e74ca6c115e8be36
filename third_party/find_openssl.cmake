# Defines tsock_third_party::openssl if OpenSSL is installed. Also part of the installed package.
set(TSOCK_OPENSSL_MINIMUM 3.0)
if(NOT TARGET tsock_third_party::openssl)
  find_package(OpenSSL ${TSOCK_OPENSSL_MINIMUM} QUIET GLOBAL)
  if(TARGET OpenSSL::SSL)
    add_library(tsock_third_party::openssl INTERFACE IMPORTED GLOBAL)
    target_link_libraries(tsock_third_party::openssl INTERFACE OpenSSL::SSL OpenSSL::Crypto)
    if(WIN32)
      # A static one does not say what it needs.
      target_link_libraries(OpenSSL::Crypto INTERFACE ws2_32 crypt32)
    endif()
  endif()
endif()

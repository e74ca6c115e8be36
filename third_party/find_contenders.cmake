# What benchmarks and pages compare tsock with. None of it is needed: a contender that is not installed is left out.
find_package(PkgConfig QUIET)

find_path(TSOCK_ASIO_INCLUDE_DIRECTORY asio.hpp)
if(TSOCK_ASIO_INCLUDE_DIRECTORY)
  add_library(tsock_third_party::asio INTERFACE IMPORTED GLOBAL)
  target_include_directories(tsock_third_party::asio SYSTEM INTERFACE ${TSOCK_ASIO_INCLUDE_DIRECTORY})
  target_compile_definitions(tsock_third_party::asio INTERFACE ASIO_STANDALONE)
endif()

if(PKG_CONFIG_FOUND)
  pkg_check_modules(tsock_libevent QUIET IMPORTED_TARGET GLOBAL libevent_core)
  if(TARGET PkgConfig::tsock_libevent)
    add_library(tsock_third_party::libevent INTERFACE IMPORTED GLOBAL)
    target_link_libraries(tsock_third_party::libevent INTERFACE PkgConfig::tsock_libevent)
  endif()
  pkg_check_modules(tsock_libevent_openssl QUIET IMPORTED_TARGET GLOBAL libevent_openssl)
  if(TARGET PkgConfig::tsock_libevent AND TARGET PkgConfig::tsock_libevent_openssl)
    add_library(tsock_third_party::libevent_openssl INTERFACE IMPORTED GLOBAL)
    target_link_libraries(tsock_third_party::libevent_openssl INTERFACE PkgConfig::tsock_libevent_openssl
                                                                        PkgConfig::tsock_libevent)
  endif()

  # Samba's tsocket has a public header, but its library is one of Samba's private ones.
  pkg_check_modules(tsock_tevent QUIET IMPORTED_TARGET GLOBAL tevent talloc)
  if(TARGET PkgConfig::tsock_tevent)
    find_path(TSOCK_TSOCKET_INCLUDE_DIRECTORY tsocket.h PATH_SUFFIXES samba-4.0)
    find_library(
      TSOCK_TSOCKET_LIBRARY
      NAMES samba-sockets-samba4 libsamba-sockets-samba4.so.0 samba-sockets-private-samba libsamba-sockets-private-samba.so.0
      PATH_SUFFIXES samba)
    if(TSOCK_TSOCKET_INCLUDE_DIRECTORY AND TSOCK_TSOCKET_LIBRARY)
      get_filename_component(tsocket_folder ${TSOCK_TSOCKET_LIBRARY} DIRECTORY)
      add_library(tsock_third_party::tsocket INTERFACE IMPORTED GLOBAL)
      target_include_directories(tsock_third_party::tsocket SYSTEM INTERFACE ${TSOCK_TSOCKET_INCLUDE_DIRECTORY})
      # Not RUNPATH: it has to hold for the libraries behind that library as well.
      target_link_options(tsock_third_party::tsocket INTERFACE -Wl,--disable-new-dtags -Wl,-rpath,${tsocket_folder}
                          -Wl,-rpath-link,${tsocket_folder})
      # Its macros are statement expressions.
      target_compile_options(tsock_third_party::tsocket
                             INTERFACE $<$<CXX_COMPILER_ID:Clang>:-Wno-gnu-statement-expression>)
      target_link_libraries(tsock_third_party::tsocket INTERFACE ${TSOCK_TSOCKET_LIBRARY} PkgConfig::tsock_tevent)
    endif()
  endif()
endif()

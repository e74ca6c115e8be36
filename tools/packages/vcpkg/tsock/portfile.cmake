# An overlay port: `vcpkg install tsock --overlay-ports=tools/packages/vcpkg`. It builds the sources that it lies in.
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../../.." ABSOLUTE)

vcpkg_check_features(
  OUT_FEATURE_OPTIONS features
  FEATURES gssapi TSOCK_GSSAPI npa TSOCK_NPA tls TSOCK_TLS)
vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS ${features} -DTSOCK_SASL=OFF -DTSOCK_FETCH=OFF -DTSOCK_TESTS=OFF -DTSOCK_EXAMPLES=OFF -DTSOCK_TOOLS=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(PACKAGE_NAME tsock CONFIG_PATH lib/cmake/tsock)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")

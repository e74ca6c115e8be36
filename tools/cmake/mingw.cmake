# Builds for Windows, 64 bit, with the compiler of Debian's mingw-w64. Libraries are those that tools/windows-libraries
# makes, in the folder that TSOCK_WINDOWS_LIBRARIES names; the preset takes it from the environment.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc-posix)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)

if(NOT TSOCK_WINDOWS_LIBRARIES)
  set(TSOCK_WINDOWS_LIBRARIES ${CMAKE_CURRENT_LIST_DIR}/../../build/windows-libraries)
endif()
get_filename_component(TSOCK_WINDOWS_LIBRARIES ${TSOCK_WINDOWS_LIBRARIES} ABSOLUTE)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES TSOCK_WINDOWS_LIBRARIES)
set(tsock_windows_prefix ${TSOCK_WINDOWS_LIBRARIES}/prefix)
set(CMAKE_FIND_ROOT_PATH ${tsock_windows_prefix} /usr/x86_64-w64-mingw32)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
# pkg-config describes this system's libraries otherwise.
set(ENV{PKG_CONFIG_LIBDIR} ${tsock_windows_prefix}/lib/pkgconfig)
set(ENV{PKG_CONFIG_PATH} "")

# A program stands by itself, without the compiler's DLLs.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static")
set(CMAKE_SHARED_LINKER_FLAGS_INIT "-static")
set(CMAKE_CROSSCOMPILING_EMULATOR ${CMAKE_CURRENT_LIST_DIR}/wine)
